"""A tournament that is killed with SIGKILL again and again, beside one that is left in peace."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mirrorenv.debate.log import CALLS
from mirrorenv.debate.output.scores_file import SCORES
from mirrorenv.debate.scoring.results import open_results
from mirrorenv.debate.starter import write_starter
from mirrorenv.results.runs.files import to_json
from mirrorenv.results.runs.json_lines import read_jsonl

__all__ = ["KillProof", "calls_made", "prove_resume"]

_FIRST_SECONDS = 2.0  # in which a process imports and makes its folder
# of so many kills one comes at a random time of these seconds, the others after a random number of
# bytes
_EVERY = 5


@dataclass
class KillProof:
    """What came of it.

    Attributes:
        kills: processes killed.
        while_starting: of them, those that had not logged anything yet.
        tournaments: brought to their end in between.
        calls: finished ones of each tournament.
        differences: what was not as in the undisturbed one; empty if nothing was lost, doubled or
            changed.
    """

    kills: int = 0
    while_starting: int = 0
    tournaments: int = 0
    calls: int = 0
    differences: list[str] = field(default_factory=list)


def calls_made(folder: Path) -> Counter[tuple[str, int]]:
    """How often each call stands in the log of a run folder, by key and sample."""
    return Counter(
        (row["key"], row["sample"])
        for row in read_jsonl(folder / CALLS).rows
        if row["kind"] == "call"
    )


def prove_resume(
    place: Path,
    kills: int,
    *,
    seed: int = 0,
    games: int = 20,
    rounds: int = 8,
    say: Callable[[str], None] = print,
) -> KillProof:
    """Kill and start again, always with the same command, until there were so many kills; then
    compare.

    Args:
        place: an empty folder.
        kills: how many.
        seed: of the moments.
        games: of the tournament, which scripted players play.
        rounds: of each game.
        say: told about every tournament that came to its end.
    """
    file, whole = write_starter(place / "start", "default"), place / "whole"
    size = ["--games", str(games), "--set", f"rounds={rounds}"]
    command = [
        sys.executable,
        "-m",
        "mirrorenv",
        "debate",
        "run",
        str(file),
        *size,
        "--quiet",
        "--out",
    ]
    subprocess.run(
        [*command, str(whole)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    proof = KillProof(calls=sum(calls_made(whole).values()))
    moments = _moments(random.Random(seed), (whole / CALLS).stat().st_size)
    while proof.kills < kills:
        out = place / f"killed{proof.tournaments}"
        finished = False
        while not finished and proof.kills < kills:
            finished = _killed(command, out, *next(moments), proof)
        subprocess.run(
            [*command, str(out)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        proof.tournaments += 1
        proof.differences += [f"{out.name}: {what}" for what in _differences(out, whole, games)]
        say(
            f"{proof.kills} kills, {proof.tournaments} tournaments, {len(proof.differences)} "
            "differences"
        )
    return proof


def _moments(chance: random.Random, logged: int) -> Iterator[tuple[float, int]]:
    """(seconds, bytes) after which to kill, whichever comes first."""
    number = 0
    while True:
        number += 1
        if number % _EVERY == 0:
            yield chance.uniform(0.0, _FIRST_SECONDS), logged
        else:
            yield 600.0, chance.randrange(1, max(2, logged // 4))


def _killed(command: list[str], out: Path, seconds: float, size: int, proof: KillProof) -> bool:
    """Whether the run came to its end before its moment."""
    log = out / CALLS
    before = log.stat().st_size if log.exists() else 0
    run = subprocess.Popen(
        [*command, str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    end = time.monotonic() + seconds
    while run.poll() is None and time.monotonic() < end:
        if log.exists() and log.stat().st_size >= before + size:
            break
        time.sleep(0.0005)
    if run.poll() is not None:
        return True
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    proof.kills += 1
    proof.while_starting += not log.exists() or log.stat().st_size == before
    return False


def _differences(out: Path, whole: Path, games: int) -> list[str]:
    made, wanted = calls_made(out), calls_made(whole)
    found = []
    if doubled := [key for key, times in made.items() if times > 1]:
        found.append(f"{len(doubled)} calls made twice")
    if made.keys() != wanted.keys():
        found.append(
            f"{len(wanted.keys() - made.keys())} calls lost, {len(made.keys() - wanted.keys())} "
            "invented"
        )
    if (out / SCORES).read_bytes() != (whole / SCORES).read_bytes():
        found.append("another table")
    ours, theirs = open_results(out), open_results(whole)
    changed = [
        g
        for g in range(games)
        if to_json(ours.game(g).transcript()) != to_json(theirs.game(g).transcript())
    ]
    return found + [f"another transcript of game {game}" for game in changed]
