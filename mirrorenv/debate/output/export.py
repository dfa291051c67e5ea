"""Preference pairs: one's own text chosen, a peer's rejected, on the same topic."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.texts import exchangeable
from mirrorenv.results.runs.files import atomic_write_parts
from mirrorenv.results.runs.json_lines import json_lines

__all__ = ["pairs_of", "write_pairs"]


def pairs_of(results: Results, held_out: float = 0.25) -> Iterator[dict[str, Any]]:
    """Rows `{prompt, chosen, rejected, split, author, peer, game, round}` in the conversational
    form that TRL loads.

    Topics are held out whole, by hash: a topic is either trained on or tested on. Texts that are
    empty or too alike to tell apart make no pair. One game is held at a time.

    Args:
        results: of a tournament.
        held_out: share of topics whose split is `test`, in expectation.
    """
    for debate in results.games():
        seats = results.tournament.seats(debate.game)
        yield from _pairs(debate, [results.tournament.cards[card].name for card in seats], held_out)


def _pairs(debate: Debate, cards: list[str], held_out: float) -> Iterator[dict[str, Any]]:
    """The rows of one game; `cards` are the names of its seats."""
    for number, one in enumerate(debate.rounds):
        group = {n: g for g, members in enumerate(exchangeable(one.texts)) for n in members}
        split = "test" if _share(one.topic) < held_out else "train"
        for author, own in enumerate(one.texts):
            for peer, other in enumerate(one.texts):
                if not own or not other or group[author] == group[peer]:
                    continue
                yield {
                    "prompt": [{"role": "user", "content": one.topic}],
                    "chosen": [{"role": "assistant", "content": own}],
                    "rejected": [{"role": "assistant", "content": other}],
                    "split": split,
                    "author": cards[author],
                    "peer": cards[peer],
                    "game": debate.game,
                    "round": number,
                }


def _share(topic: str) -> float:
    return int.from_bytes(blake2b(topic.encode(), digest_size=8).digest(), "little") / 2.0**64


def write_pairs(results: Results, path: Path, held_out: float = 0.25) -> dict[str, int]:
    """Write the pairs as JSON lines.

    Args:
        results: of a tournament whose games are finished.
        path: file to write; it appears whole or not at all.
        held_out: share of topics, in [0, 1], whose pairs become the split `test`.

    Returns:
        rows by split.
    """
    counts = {"train": 0, "test": 0}

    def lines() -> Iterator[bytes]:
        for row in pairs_of(results, held_out):
            counts[row["split"]] += 1
            yield json_lines([row]).encode("ascii")

    atomic_write_parts(path, lines())
    return counts
