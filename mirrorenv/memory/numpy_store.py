"""A store in this process, by brute force: the reference that the others are compared with."""

from __future__ import annotations

import numpy as np

from mirrorenv.errors import ConfigError
from mirrorenv.memory.base import (
    EVERYTHING,
    EpisodicStore,
    Memories,
    Recall,
    Scope,
)
from mirrorenv.mirror.arrays import Bools, Floats32, Floats64, Ints64

__all__ = ["NumpyStore", "nearest"]


def nearest(distances: Floats64, origin: Ints64, k: int) -> Ints64:
    """Rows of the k smallest distances; equal ones in the order of episode, step, agent, row.

    Args:
        distances: (M,).
        origin: (M, 3) episode, step and agent.
        k: at least 1.

    Returns:
        (min(k, M),) row numbers.
    """
    # Float noise must not decide between equal memories: distances count to 1e-6.
    rounded = np.round(distances, 6)
    order = np.lexsort((np.arange(len(rounded)), origin[:, 2], origin[:, 1], origin[:, 0], rounded))
    return order[:k]


class NumpyStore(EpisodicStore):
    """Everything in arrays; every query looks at every memory."""

    def __init__(self, dimensions: int) -> None:
        super().__init__(dimensions)
        self._directions = np.zeros((0, dimensions))  # (M, D) of length 1
        self._origin = np.zeros((0, 3), np.int64)  # (M, 3) episode, step, agent
        self._contents: list[bytes] = []

    def add(self, memories: Memories) -> Ints64:
        """See :meth:`EpisodicStore.add`; a killed process takes them along, though."""
        self._check_vectors(memories.vectors, "vectors")
        first = len(self)
        origin = np.stack([memories.episodes, memories.steps, memories.agents], axis=1)
        self._directions = np.concatenate([self._directions, _directions(memories.vectors)])
        self._origin = np.concatenate([self._origin, origin])
        self._contents += [bytes(content) for content in memories.contents]
        return np.arange(first, len(self), dtype=np.int64)

    def search(self, queries: Floats32, k: int, scope: Scope = EVERYTHING) -> Recall:
        """See :meth:`EpisodicStore.search`."""
        self._check_vectors(queries, "queries")
        if k < 1:
            raise ConfigError(f"search: k = {k} must be at least 1")
        allowed = np.flatnonzero(self._in(scope))
        ids = np.full((len(queries), k), -1, np.int64)
        distances = np.full((len(queries), k), np.inf, np.float32)
        agents = np.full((len(queries), k), -1, np.int64)
        contents = [[b""] * k for _ in queries]
        far = 1.0 - _directions(queries) @ self._directions[allowed].T  # (Q, M)
        for query, row in enumerate(far):
            chosen = nearest(row, self._origin[allowed], k)
            found = allowed[chosen]
            ids[query, : len(found)] = found
            distances[query, : len(found)] = row[chosen]
            agents[query, : len(found)] = self._origin[found, 2]
            for place, memory in enumerate(found):
                contents[query][place] = self._contents[memory]
        return Recall(ids, distances, agents, contents)

    def close(self) -> None:
        """Nothing is held open."""

    def __len__(self) -> int:
        """How many memories there are."""
        return len(self._contents)

    def _in(self, scope: Scope) -> Bools:
        allowed = np.ones(len(self), np.bool_)
        if scope.agents is not None:
            allowed &= np.isin(self._origin[:, 2], sorted(scope.agents))
        if scope.before is not None:
            episode, step = scope.before
            same = (self._origin[:, 0] == episode) & (self._origin[:, 1] < step)
            allowed &= (self._origin[:, 0] < episode) | same
        return allowed


def _directions(vectors: Floats32) -> Floats64:
    rows = vectors.astype(np.float64)
    directions: Floats64 = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return directions
