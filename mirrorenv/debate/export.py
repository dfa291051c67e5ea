"""Preference pairs: one's own text chosen, a peer's rejected, on the same topic."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any

from mirrorenv.debate.report import Results
from mirrorenv.debate.texts import exchangeable
from mirrorenv.results.files import atomic_write_text, json_lines

__all__ = ["pairs_of", "write_pairs"]


def pairs_of(results: Results, held_out: float = 0.25) -> list[dict[str, Any]]:
    """Rows ``{prompt, chosen, rejected, split, author, peer, game, round}`` in the conversational form that TRL loads.

    Topics are held out whole, by hash: a topic is either trained on or tested on. Texts that are empty or too alike to
    tell apart make no pair.

    Args:
        results: of a tournament.
        held_out: share of topics whose split is ``test``, in expectation.
    """
    rows = []
    for debate in results.games():
        cards = [results.tournament.cards[card].name for card in results.tournament.seats(debate.game)]
        for number, one in enumerate(debate.rounds):
            group = {n: g for g, members in enumerate(exchangeable(one.texts)) for n in members}
            split = "test" if _share(one.topic) < held_out else "train"
            for author, own in enumerate(one.texts):
                for peer, other in enumerate(one.texts):
                    if not own or not other or group[author] == group[peer]:
                        continue
                    rows.append(
                        {
                            "prompt": [{"role": "user", "content": one.topic}],
                            "chosen": [{"role": "assistant", "content": own}],
                            "rejected": [{"role": "assistant", "content": other}],
                            "split": split,
                            "author": cards[author],
                            "peer": cards[peer],
                            "game": debate.game,
                            "round": number,
                        }
                    )
    return rows


def _share(topic: str) -> float:
    return int.from_bytes(blake2b(topic.encode(), digest_size=8).digest(), "little") / 2.0**64


def write_pairs(results: Results, path: Path, held_out: float = 0.25) -> dict[str, int]:
    """Write the pairs as JSON lines.

    Returns:
        rows by split.
    """
    rows = pairs_of(results, held_out)
    atomic_write_text(path, json_lines(rows))
    return {split: sum(row["split"] == split for row in rows) for split in ("train", "test")}
