"""A run that is killed with SIGKILL again and again and started with the same command, beside one
left in peace."""

from __future__ import annotations

import json
import multiprocessing
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
import trl  # noqa: F401  (imported here, so that no forked command has to)
from trl import DPOTrainer  # noqa: F401

from mirrorenv.cli.app import main
from tests.preference.small import differing, small_settings

_CHANGES = (
    "learning.rounds=3",
    "learning.steps=6",
    "data.most_topics=12",
    "measure.instructions=true",
)


@dataclass
class Proof:
    """What came of it.

    Attributes:
        moments: kills by the moment they came in.
        runs: brought to their end in between.
        differences: files that are not as in the undisturbed run.
    """

    moments: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        """Processes killed."""
        return sum(self.moments.values())


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _moments(run: Path, draws: random.Random) -> dict[str, Callable[[], bool]]:
    """When to kill: each says whether its moment has come, seen from the folder."""
    texts, rows = (_size(run / name) for name in ("texts.jsonl", "evaluations.jsonl"))
    more, late, born = draws.randint(1, 1500), draws.uniform(0, 2), time.monotonic()
    seen: list[float] = []

    def after_a_row() -> bool:
        if _size(run / "evaluations.jsonl") > rows and not seen:
            seen.append(time.monotonic())
        return bool(seen) and time.monotonic() > seen[0] + late

    return {
        "before anything was written": lambda: time.monotonic() > born + late,
        "while texts were written": lambda: _size(run / "texts.jsonl") > texts + more,
        "after a row, while training or measuring": after_a_row,
        "while a checkpoint was written": lambda: any(run.glob("checkpoints/.*.partial/*")),
        "while a file was replaced": lambda: (
            _size(run / "run.json") > 0 and any(run.glob(".*.tmp"))
        ),
        "while voices were written": lambda: any(run.glob("voices/*/*")),
    }


def _start(settings: Path, run: Path) -> BaseProcess:
    """`mirrorenv prefer train` in a process of its own, forked so that torch is not imported again
    each time."""
    process = multiprocessing.get_context("fork").Process(target=_command, args=(settings, run))
    process.start()
    return process


def _command(settings: Path, run: Path) -> None:
    torch.set_num_threads(1)  # threads of the parent are not there any more
    sys.argv = [
        "mirrorenv",
        "prefer",
        "train",
        "--config",
        str(settings),
        "--run",
        str(run),
        "--quiet",
    ]
    main()


def prove_resume(
    place: Path, model: Path, kills: int, *, seed: int = 0, say: Callable[[str], None] = print
) -> Proof:
    """Kill and start again until there were so many kills; then let it end, and compare.

    Args:
        place: an empty folder.
        model: a tiny one.
        kills: how many.
        seed: of the moments.
        say: is told of every kill.
    """
    draws, proof = random.Random(seed), Proof()
    settings = place / "settings.json"
    settings.write_text(json.dumps(small_settings(model, *_CHANGES).model_dump(mode="json")))
    _end(_start(settings, place / "whole"))
    run, left = place / "run0", list[str]()
    while proof.kills < kills or (run / "run.json").exists():
        process = _start(settings, run)
        if proof.kills < kills:
            known = _moments(run, draws)
            # every kind once before any comes twice
            left = left or draws.sample(sorted(known), len(known))
            moment = left.pop()
            while process.is_alive() and not known[moment]():
                time.sleep(0.002)
            process.kill()
            process.join()
            if process.exitcode == -signal.SIGKILL:
                proof.moments[moment] += 1
                say(f"kill {proof.kills}: {moment}")
                continue
        _end(process)
        proof.runs += 1
        proof.differences += [f"{run.name}/{name}" for name in differing(place / "whole", run)]
        say(f"{run.name} came to its end")
        run = place / f"run{proof.runs}"
    return proof


def _end(process: BaseProcess) -> None:
    process.join()
    if process.exitcode:
        raise RuntimeError(f"the command ended with exit code {process.exitcode}")
