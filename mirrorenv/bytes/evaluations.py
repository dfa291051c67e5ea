"""Self-evaluation kept in memory: what a thought was worth is remembered and not asked again.

Where a scorer is slow or costs something (a judge, a language model), agents that share a store
share what they found.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

import numpy as np

from mirrorenv.bytes.recollection import embed
from mirrorenv.bytes.thoughts import Score
from mirrorenv.errors import ConfigError
from mirrorenv.memory.base import EpisodicStore, Memories

__all__ = ["DIMENSIONS", "RememberedScore"]

DIMENSIONS = embed(np.zeros((1, 2), np.uint8)).shape[-1]
"""D of a store of evaluations."""
_WORTH = struct.Struct("<d")


class RememberedScore:
    """A score that looks into a store first, and writes into it what it had to find out.

    Args:
        score: asked about what is not remembered.
        store: of `DIMENSIONS` numbers, shared by agents and processes if it is a file.
        agent: who evaluates.
        likeness: from which cosine on a thought counts as one that is known; 1 asks for the very
            same text.

    Raises:
        ConfigError: if the store has other dimensions, or the likeness is not between 0 and 1.
    """

    def __init__(
        self, score: Score, store: EpisodicStore, *, agent: int = 0, likeness: float = 1.0
    ) -> None:
        if store.dimensions != DIMENSIONS:
            raise ConfigError(
                f"evaluations need a store of {DIMENSIONS} numbers, not {store.dimensions}"
            )
        if not 0.0 <= likeness <= 1.0:
            raise ConfigError(f"evaluations: likeness = {likeness} is not between 0 and 1")
        self._score = score
        self._store = store
        self._agent = agent
        self._likeness = likeness
        self.asked = 0
        """How many texts the scorer had to be asked about."""

    def __call__(self, texts: Sequence[bytes]) -> list[float]:
        """What texts are worth."""
        known = [self._remembered(text) for text in texts]
        fresh = list(
            dict.fromkeys(t for t, worth in zip(texts, known, strict=True) if worth is None)
        )
        found: dict[bytes, float] = {}
        if fresh:
            found = dict(zip(fresh, map(float, self._score(fresh)), strict=True))
            self.asked += len(fresh)
            self._keep(found)
        return [
            found[text] if worth is None else worth
            for text, worth in zip(texts, known, strict=True)
        ]

    def _remembered(self, text: bytes) -> float | None:
        recall = self._store.search(_direction(text), 1)
        content = recall.contents[0][0]
        if len(content) < _WORTH.size:
            return None
        same = content[_WORTH.size :] == text
        alike = 1.0 - float(recall.distances[0, 0]) >= self._likeness and self._likeness < 1.0
        (worth,) = _WORTH.unpack_from(content)
        return float(worth) if (same or alike) and math.isfinite(worth) else None

    def _keep(self, found: dict[bytes, float]) -> None:
        count = len(found)
        self._store.add(
            Memories(
                np.concatenate([_direction(text) for text in found]),
                [_WORTH.pack(worth) + text for text, worth in found.items()],
                np.full(count, self._agent, np.int64),
                np.zeros(count, np.int64),
                np.zeros(count, np.int64),
            )
        )


def _direction(text: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """(1, D); a short text is padded, since pairs are counted."""
    return embed(np.frombuffer(text.ljust(2, b"\0"), np.uint8)[None])
