"""Does memory grow with one game, or with the tournament? Peak of a process of its own for each size.

    python benchmarks/debate_memory.py [--games 10 80] [--rounds 4 16]

Scripted players say 1,000 characters each. What is printed is the peak of memory above that of a process which has
imported everything and played one game: while playing, while scoring, and while writing the pages.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import tempfile
import tracemalloc
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from mirrorenv.debate import AgentCard, load_topics, preset
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.playing import Budget, play_tournament
from mirrorenv.debate.report import Results, write_scores
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.view import write_pages


def design(games: int, rounds: int) -> Tournament:
    """Four talkative players and a judge."""
    text = "something to say, and more of it. " * 30
    cards = tuple(AgentCard(name=f"p{k}", player="constant", options={"text": f"{k}: {text}"[:1000]}) for k in range(4))
    rules = preset("default", {"rounds": rounds})
    judge = AgentCard(name="judge", player="random")
    return Tournament("memory", 0, games, 4, rules, load_topics("neutral"), cards, judge, None, False)


def peak(work: Callable[[], Any]) -> float:
    """Most MiB that Python held at once beyond what it held before."""
    gc.collect()
    tracemalloc.start()
    work()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 2**20


def measure(games: int, rounds: int, pipe: Connection) -> None:
    """Send the peaks of playing, scoring and writing pages."""
    with tempfile.TemporaryDirectory() as folder:
        path, tournament = Path(folder), design(games, rounds)
        one = design(1, 1)
        asyncio.run(play_tournament(one, CallLog(path / "first.jsonl"), Budget()))
        write_scores(Results(path, one, CallLog(path / "first.jsonl")))
        play = peak(lambda: asyncio.run(play_tournament(tournament, CallLog(path / CALLS), Budget())))
        score = peak(lambda: write_scores(Results(path, tournament, CallLog(path / CALLS))))
        pages = peak(lambda: write_pages(Results(path, tournament, CallLog(path / CALLS))))
        pipe.send((play, score, pages, (path / CALLS).stat().st_size / 2**20))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--games", type=int, nargs="+", default=[10, 80])
    parser.add_argument("--rounds", type=int, nargs="+", default=[4, 16])
    options = parser.parse_args()
    print("| games | rounds | log, MiB | playing, MiB | scoring, MiB | pages, MiB |\n|---|---|---|---|---|---|")
    for games, rounds in [
        *((games, options.rounds[0]) for games in options.games),
        (options.games[0], options.rounds[-1]),
    ]:
        ours, theirs = multiprocessing.Pipe()
        child = multiprocessing.get_context("spawn").Process(target=measure, args=(games, rounds, theirs))
        child.start()
        play, score, pages, log = ours.recv()
        child.join()
        print(f"| {games} | {rounds} | {log:.1f} | {play:.2f} | {score:.2f} | {pages:.2f} |", flush=True)


if __name__ == "__main__":
    main()
