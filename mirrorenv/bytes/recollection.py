"""What agents remember of an episode: the utterances of all of them, found again by likeness.

The same answers as the stores of :mod:`mirrorenv.memory` give, for a whole batch of episodes at
once; kept apart for each of them, so that an episode depends on its own seed alone. A file that
outlives the episode is :class:`SharedRecollection`.

Shape legend: B rows, N agents, L bytes, M memories of a row, D dimensions, k nearest.
"""

from __future__ import annotations

import zlib
from typing import Protocol

import numpy as np
import numpy.typing as npt

from mirrorenv.memory.base import EpisodicStore, Memories
from mirrorenv.memory.stores import store_at
from mirrorenv.mirror.arrays import Bools, Floats32, Ints64

__all__ = ["EMBEDDINGS", "EpisodeRecollection", "Recollection", "SharedRecollection", "embed"]

_WIDTH = 128
Octets = npt.NDArray[np.uint8]


def embed(utterances: Octets) -> Floats32:
    """Bytes as directions: (..., L) -> (..., 128), of length 1.

    Square roots of hashed counts of single bytes and of pairs, so that an inner product is the
    Bhattacharyya coefficient of two utterances (Bhattacharyya 1943) up to collisions.
    """
    rows = utterances.reshape(-1, utterances.shape[-1]).astype(np.int64)
    pairs = (rows[:, :-1] * 40_503 + rows[:, 1:] * 2_654_435 + 97) >> 7
    places = np.concatenate([rows % 64, 64 + pairs % 64], axis=1)
    counts = np.zeros((len(rows), _WIDTH))
    np.add.at(counts, (np.arange(len(rows))[:, None], places), 1.0)
    lengths = np.sqrt(counts.sum(1, keepdims=True))
    directions: Floats32 = (np.sqrt(counts) / lengths).astype(np.float32)
    return directions.reshape(*utterances.shape[:-1], _WIDTH)


def padded_ids(utterances: Octets) -> Floats32:
    """The bytes themselves as a direction, as the origin of this room did: (..., L) -> (..., L).

    Nothing is alike in this space but what is alike place by place and in size.
    """
    ids = utterances.astype(np.float32) + 3.0  # three special tokens come first
    lengths = np.linalg.norm(ids, axis=-1, keepdims=True)
    directions: Floats32 = (ids / lengths).astype(np.float32)
    return directions


EMBEDDINGS = {"ngrams": embed, "ids": padded_ids}
"""Ways to find a memory, by the name that the world's `embedding` takes."""


class Recollection(Protocol):
    """Keeps utterances and finds those most like what an agent has just said."""

    def start(self, seeds: npt.NDArray[np.uint64]) -> None:
        """New episodes begin."""

    def add(self, utterances: Octets, step: int, live: Bools) -> None:
        """Keep everybody's utterance of a step.

        Args:
            utterances: (B, N, L).
            step: of the episode.
            live: (B,) the rows to keep them for.
        """

    def nearest(self, utterances: Octets, k: int, step: int) -> tuple[Octets, Floats32]:
        """The memories most like what was just said.

        Args:
            utterances: (B, N, L) queries.
            k: how many of each.
            step: only memories of earlier steps are found.

        Returns:
            (B, N, k, L) contents, zeros where there are too few, and (B, N, k) likeness, 0 to 1.
        """

    def close(self) -> None:
        """Let go of what is held open."""


class EpisodeRecollection:
    """Memories of the running episodes.

    Args:
        embedding: a name in :data:`EMBEDDINGS`.
    """

    def __init__(self, embedding: str = "ngrams") -> None:
        self._embed = EMBEDDINGS[embedding]
        self._contents: list[Octets] = []  # (B, N, L) of each step
        self._directions: list[Floats32] = []  # (B, N, D)

    def start(self, seeds: npt.NDArray[np.uint64]) -> None:
        """See :meth:`Recollection.start`."""
        self._contents.clear()
        self._directions.clear()

    def add(self, utterances: Octets, step: int, live: Bools) -> None:
        """See :meth:`Recollection.add`."""
        self._contents.append(utterances.copy())
        self._directions.append(self._embed(utterances))

    def nearest(self, utterances: Octets, k: int, step: int) -> tuple[Octets, Floats32]:
        """See :meth:`Recollection.nearest`. Equal likeness: the earlier step first, then the
        order of the contents, which depends on no agent's name."""
        rows, agents, length = utterances.shape
        found = np.zeros((rows, agents, k, length), np.uint8)
        likeness = np.zeros((rows, agents, k), np.float32)
        known = min(step, len(self._contents))
        if not known:
            return found, likeness
        contents = np.concatenate(self._contents[:known], axis=1)  # (B, M, L)
        directions = np.concatenate(self._directions[:known], axis=1).astype(np.float64)
        queries = self._embed(utterances).astype(np.float64)
        close = np.round(np.einsum("bnd,bmd->bnm", queries, directions), 6)  # (B, N, M)
        steps = np.repeat(np.arange(known), agents)  # (M,)
        ranks = _ranks(contents)  # (B, M)
        for row in range(rows):
            for agent in range(agents):
                order = np.lexsort((ranks[row], steps, -close[row, agent]))[:k]
                found[row, agent, : len(order)] = contents[row, order]
                likeness[row, agent, : len(order)] = close[row, agent, order]
        return found, np.clip(likeness, 0.0, 1.0)

    def close(self) -> None:
        """Nothing is held open."""


class SharedRecollection:
    """Memories in a file, or on a server, that episodes, worlds and processes share.

    What is found then depends on what was written before, so that a row is no longer decided by its
    seed. A world looks for memories before it writes those of the step.

    Args:
        place: the file, made if it is not there, or an address: see `store_at`.
        length: L.
        embedding: a name in :data:`EMBEDDINGS`.
    """

    def __init__(self, place: str, length: int, embedding: str = "ngrams") -> None:
        self._embed = EMBEDDINGS[embedding]
        width = self._embed(np.zeros((1, length), np.uint8)).shape[-1]
        self._store: EpisodicStore = store_at(place, width)
        self._episodes = np.zeros(0, np.int64)

    def start(self, seeds: npt.NDArray[np.uint64]) -> None:
        """See :meth:`Recollection.start`: an episode is known by a number made of its seed."""
        self._episodes = np.array([zlib.crc32(seed.tobytes()) for seed in seeds], np.int64)

    def add(self, utterances: Octets, step: int, live: Bools) -> None:
        """See :meth:`Recollection.add`."""
        chosen = utterances[live]  # (R, N, L)
        rows, agents, length = chosen.shape
        flat = chosen.reshape(-1, length)
        self._store.add(
            Memories(
                self._embed(flat),
                [one.tobytes() for one in flat],
                np.tile(np.arange(agents), rows),
                np.repeat(self._episodes[live], agents),
                np.full(len(flat), step, np.int64),
            )
        )

    def nearest(self, utterances: Octets, k: int, step: int) -> tuple[Octets, Floats32]:
        """See :meth:`Recollection.nearest`."""
        rows, agents, length = utterances.shape
        found = np.zeros((rows, agents, k, length), np.uint8)
        likeness = np.zeros((rows, agents, k), np.float32)
        for row in range(rows):
            recall = self._store.search(self._embed(utterances[row]), k)
            for agent, contents in enumerate(recall.contents):
                for place, content in enumerate(contents):
                    said = np.frombuffer(content[:length], np.uint8)
                    found[row, agent, place, : len(said)] = said
            likeness[row] = np.where(recall.ids >= 0, 1.0 - recall.distances, 0.0)
        return found, np.clip(likeness, 0.0, 1.0)

    def close(self) -> None:
        """Close the file."""
        self._store.close()


def _ranks(contents: Octets) -> Ints64:
    """A number for each content that orders equal ones alike: (B, M, L) -> (B, M)."""
    flat = contents.reshape(-1, contents.shape[-1])
    ranks = np.array([zlib.crc32(one.tobytes()) for one in flat], np.int64)
    return ranks.reshape(contents.shape[:-1])
