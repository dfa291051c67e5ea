"""Does memory grow with one game, or with the tournament? Peak of a process of its own for each
size.

    python benchmarks/speed/debate_memory.py [--games 10 80 320] [--rounds 4 16]

Scripted players say 1,000 characters each. What is printed is the peak of memory above that of a
process which has imported everything and played one game: while playing, scoring, rating, writing
the pages and exporting pairs. "Held" is what playing and scoring still hold afterwards, once the
interpreter's free lists (room that Python keeps for small objects, up to a bound of its own) are
emptied: what a larger tournament needs more of.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import tempfile
import tracemalloc
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import _root  # noqa: F401

from benchmarks.shared.runner import Script
from mirrorenv.debate import AgentCard, load_topics, preset
from mirrorenv.debate.calls import Budget
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.output.export import write_pairs
from mirrorenv.debate.output.scores_file import write_scores
from mirrorenv.debate.output.view import write_pages
from mirrorenv.debate.playing import play_tournament
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.tournament import Tournament


def design(games: int, rounds: int) -> Tournament:
    """Four talkative players and a judge."""
    text = "something to say, and more of it. " * 30
    cards = tuple(
        AgentCard(name=f"p{k}", player="constant", options={"text": f"{k}: {text}"[:1000]})
        for k in range(4)
    )
    rules = preset("default", {"rounds": rounds})
    judge = AgentCard(name="judge", player="random")
    return Tournament(
        "memory", 0, games, 4, rules, load_topics("neutral"), cards, judge, None, False
    )


def peak(work: Callable[[], Any]) -> tuple[float, float]:
    """Most MiB that Python held at once beyond what it held before, and how many its result still
    holds."""
    gc.collect()
    tracemalloc.start()
    result = work()
    most = tracemalloc.get_traced_memory()[1]
    gc.collect()  # empties the free lists too
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del result
    return most / 2**20, held / 2**20


def measure(games: int, rounds: int, pipe: Connection) -> None:
    """Send what is held and the peaks, MiB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        tournament = design(games, rounds)
        one = design(1, 1)
        asyncio.run(play_tournament(one, CallLog(path / "first.jsonl"), Budget()))
        write_scores(Results(path, one, CallLog(path / "first.jsonl")))

        def results() -> Results:
            return Results(path, tournament, CallLog(path / CALLS))

        def played() -> Any:
            log = CallLog(path / CALLS)
            return log, asyncio.run(play_tournament(tournament, log, Budget()))

        def scored() -> Any:
            found = results()
            return found, write_scores(found)

        play = peak(played)
        score = peak(scored)
        rate = peak(lambda: results().items().rated(bootstrap=50))
        pages = peak(lambda: write_pages(results()))
        pairs = peak(lambda: write_pairs(results(), path / "pairs.jsonl"))
        sizes = (path / CALLS).stat().st_size / 2**20, play[1], score[1]
        pipe.send((*sizes, *(one[0] for one in (play, score, rate, pages, pairs))))


def main() -> None:
    """Measure and print."""
    script = Script(__doc__)
    script.add_argument("--games", type=int, nargs="+", default=[10, 80, 320])
    script.add_argument("--rounds", type=int, nargs="+", default=[4, 16])
    options = script.parse()
    columns = [
        "log",
        "held by play",
        "held by scores",
        "playing",
        "scoring",
        "rating",
        "pages",
        "pairs",
    ]
    print(f"| games | rounds | {' | '.join(columns)} |\n|{'---|' * (len(columns) + 2)}")
    for games, rounds in [
        *((games, options.rounds[0]) for games in options.games),
        (options.games[0], options.rounds[-1]),
    ]:
        ours, theirs = multiprocessing.Pipe()
        child = multiprocessing.get_context("spawn").Process(
            target=measure, args=(games, rounds, theirs)
        )
        child.start()
        row = ours.recv()
        child.join()
        print(f"| {games} | {rounds} | {' | '.join(f'{size:.3f}' for size in row)} |", flush=True)


if __name__ == "__main__":
    main()
