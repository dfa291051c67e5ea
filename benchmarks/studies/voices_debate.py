"""Tuned voices at the table: adapters play debate-unshuffle against the untuned model under the
same personas.

    python benchmarks/studies/voices_debate.py --voices runs/voices/main/seed2/voices
        [--games 24] [--json FILE]

Rules of the preset `local`: three players, four rounds, on twelve questions that no voice was
trained on; readers are given every text's likelihood in each player's context. Untuned players are
SmolLM2-135M-Instruct under a persona. Tuned ones are the adapters of
`benchmarks/studies/voices.py`, told nothing but the neutral sentence that they were trained under.
Three arms, with the same topics and the same seed:

* `mixed`: all six, three to a game, drawn evenly;
* `untuned`: the three personas among themselves;
* `tuned`: the three voices among themselves.

Hits are the credit for a peer's text (chance 1/2 where the own text is known), by kind of reader
and of author; intervals are clustered by game. The rating is a crossed logistic model of who reads
well and who is read easily, in logits. Everything is kept in the folder: the same command goes on
where it was stopped.
"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import Script

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from mirrorenv.debate import AgentCard, load_topics, preset
from mirrorenv.debate.calls import Budget
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.output.scores_file import write_scores
from mirrorenv.debate.output.view import write_pages
from mirrorenv.debate.playing import play_tournament
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.tournament import Tournament
from mirrorenv.llm.personas import PERSONAS
from mirrorenv.mirror import Estimate, rate_interval, t_interval
from mirrorenv.preference.settings import DataSettings
from mirrorenv.results.runs.lock import only_writer

ARMS = ("mixed", "untuned", "tuned")
TOGETHER = 8  # games side by side
KINDS = ("untuned", "tuned")


def card(name: str, kind: str, voices: Path, dtype: str) -> AgentCard:
    """A persona, or the voice that was tuned from it."""
    persona, temperature = PERSONAS[name]
    options: dict[str, Any] = {"temperature": temperature, "dtype": dtype}
    if kind == "tuned":
        persona = DataSettings().neutral
        options = {**options, "adapter": str(voices / name)}
    return AgentCard(
        name=f"{kind}-{name}", player="local", reader="likelihood", persona=persona, options=options
    )


def tournament(arm: str, games: int, voices: Path, dtype: str) -> Tournament:
    """One arm."""
    kinds = KINDS if arm == "mixed" else (arm,)
    names = [player.name for player in DataSettings().players]
    cards = tuple(card(name, kind, voices, dtype) for kind in kinds for name in names)
    rules = preset("local")
    judge = AgentCard(name="style-judge", player="stylometric")
    topics = load_topics(rules.topics)
    return Tournament(
        f"voices_debate_{arm}", 1, games, TOGETHER, rules, topics, cards, judge, None, False
    )


def play(design: Tournament, path: Path, until: float) -> Results:
    """Play games, some together, as long as there is time."""
    design.folder(path)
    with only_writer(path):
        games = 0
        while games < design.games and time.monotonic() < until:
            games = min(design.games, games + TOGETHER)
            began = time.monotonic()
            asyncio.run(
                play_tournament(replace(design, games=games), CallLog(path / CALLS), Budget())
            )
            print(f"{design.name}: {games} games, {time.monotonic() - began:.0f} s", flush=True)
        results = Results(path, design, CallLog(path / CALLS))
        write_scores(results)
        write_pages(results)
    return results


def hits(results: Results) -> dict[str, Estimate]:
    """Credit for peers' texts by kind of reader and of author, intervals over games."""
    found: dict[str, list[float]] = {}
    for sheet in results.sheets():
        game: dict[str, list[float]] = {}
        seats = sheet.readers[: sheet.num_players]
        for j, reader in enumerate(seats):
            for n, author in enumerate(seats):
                if j != n:
                    pair = f"{reader.partition('-')[0]} reads {author.partition('-')[0]}"
                    game.setdefault(pair, []).append(float(sheet.naming[:, j, n, n].mean()))
        for pair, credits in game.items():
            found.setdefault(pair, []).append(float(np.mean(credits)))
    return {
        pair: rate_interval(values) for pair, values in sorted(found.items()) if len(values) > 1
    }


def _players(results: Results) -> list[dict[str, Any]]:
    kept = ("peer_hits", "peer_hits_joint", "nats", "self_hits", "legibility")
    rows = []
    for one in results.scores():
        plain = {key: getattr(one, key) for key in kept}
        rows.append(
            {
                "name": one.name,
                "judge": one.judge,
                "games": one.games,
                **{key: value and value.to_dict() for key, value in plain.items()},
            }
        )
    return rows


def arm_figures(results: Results) -> dict[str, Any]:
    """All figures of an arm."""
    return {
        "games": results.finished,
        "hits": {pair: value.to_dict() for pair, value in hits(results).items()},
        "players": _players(results),
        "rating": results.items().rated(seed=results.tournament.seed).to_json(),
    }


def paired(arms: dict[str, Results]) -> Estimate | None:
    """Peer hits in the tuned arm minus those in the untuned arm, game by game: same topics, same
    orders."""
    means: dict[str, dict[int, float]] = {}
    for kind in KINDS:
        if kind in arms:
            means[kind] = {sheet.game: _mean_hits(sheet) for sheet in arms[kind].sheets()}
    both = set.intersection(*(set(one) for one in means.values())) if len(means) == 2 else set()
    return (
        t_interval([means["tuned"][game] - means["untuned"][game] for game in sorted(both)])
        if both
        else None
    )


def _mean_hits(sheet: Any) -> float:
    count = sheet.num_players
    # (R, J, N) credit on each author
    own = np.einsum("rjnn->rjn", sheet.naming[:, :count, :count, :count])
    return float(own[:, ~np.eye(count, dtype=bool)].mean())


def show(arm: str, results: Results) -> None:
    """Print one arm."""
    print(f"\n{arm}: {results.finished} games")
    for pair, value in hits(results).items():
        print(f"  {pair:26} {value}")
    print(f"  {'player':22} {'peer hits':22} {'legibility':22} {'nats':24} self")
    for one in results.scores():
        print(
            f"  {one.name:22} {one.peer_hits!s:22} {one.legibility!s:22} {one.nats!s:24} "
            f"{one.self_hits}"
        )
    rating = results.items().rated(seed=results.tournament.seed)
    for row in rating.rows():
        print("  rated  " + " | ".join(row))


def main() -> None:
    """Play and print."""
    script = Script(__doc__, json=True, minutes=True, threads=None)
    script.add_argument(
        "--voices", type=Path, default=Path("runs/voices/main/seed2/voices"), help="their folder"
    )
    script.add_argument("--games", type=int, default=24)
    script.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    script.add_argument("--dtype", choices=("float32", "bfloat16"), default="bfloat16")
    script.add_argument(
        "--out", type=Path, default=Path("runs/voices_debate"), help="folder of the tournaments"
    )
    script.add_argument("--table", action="store_true", help="play nothing; print what is there")
    given = script.parse()
    arms: dict[str, Results] = {}
    for arm in given.arms:
        design = tournament(arm, given.games, given.voices, given.dtype)
        path = given.out / arm
        if given.table and not (path / CALLS).exists():
            continue
        results = (
            Results(path, design, CallLog(path / CALLS))
            if given.table
            else play(design, path, given.until)
        )
        if results.finished > 1:
            arms[arm] = results
            show(arm, results)
    difference = paired(arms)
    if difference is not None:
        print(f"\ntuned minus untuned, peer hits, game by game: {difference}")
    if arms:
        found = {arm: arm_figures(results) for arm, results in arms.items()}
        paired_by_game = None if difference is None else difference.to_dict()
        script.save({"dtype": given.dtype, "arms": found, "paired": paired_by_game})


if __name__ == "__main__":
    main()
