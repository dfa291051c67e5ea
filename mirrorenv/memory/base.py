"""What an episodic store is, whoever keeps it.

A memory is a vector (what it is found by), a content (bytes, what it says) and its origin: the
agent that made it, the episode and the step. Stores answer with the nearest memories in a fixed
order, so that a run repeats itself: by distance, then by episode, step and agent, then by the order
of writing.

Shape legend: Q queries, M memories, D dimensions, k nearest.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror.arrays import Floats32, Ints64

__all__ = [
    "EpisodicStore",
    "Memories",
    "Recall",
    "Scope",
]


@dataclass(frozen=True)
class Memories:
    """M things to be remembered."""

    vectors: Floats32
    """(M, D), what each is found by; no row may be all zeros, since likeness is an angle."""
    contents: Sequence[bytes]
    """M contents."""
    agents: Ints64
    """(M,) who made it, zero or greater."""
    episodes: Ints64
    """(M,) in which episode."""
    steps: Ints64
    """(M,) at which step."""

    def __post_init__(self) -> None:
        """Check the shapes.

        Raises:
            ShapeError: if the parts do not belong together.
        """
        count = len(self.contents)
        if self.vectors.ndim != 2 or len(self.vectors) != count:
            raise ShapeError(f"memories: vectors {self.vectors.shape} for {count} contents")
        for name in ("agents", "episodes", "steps"):
            if getattr(self, name).shape != (count,):
                raise ShapeError(f"memories: {name} {getattr(self, name).shape}, not ({count},)")


@dataclass(frozen=True)
class Recall:
    """The k nearest memories to each of Q queries, nearest first; fewer where there are fewer."""

    ids: Ints64
    """(Q, k) of the store; -1 where there is no memory."""
    distances: Floats32
    """(Q, k) 1 - cosine, between 0 and 2; infinity where there is no memory."""
    agents: Ints64
    """(Q, k) who made it; -1 where there is no memory."""
    contents: Sequence[Sequence[bytes]]
    """(Q, k) contents; empty where there is no memory."""


@dataclass(frozen=True)
class Scope:
    """Which memories may be found.

    Attributes:
        agents: only those of these agents; everybody's if not given.
        before: only those of earlier (episode, step), so that what others write at the same time
            changes nothing; all if not given.
    """

    agents: frozenset[int] | None = None
    before: tuple[int, int] | None = None


EVERYTHING = Scope()


class EpisodicStore(abc.ABC):
    """Keeps memories, and finds those nearest to a query. Use it as a context manager.

    Args:
        dimensions: D, length of a vector.
    """

    def __init__(self, dimensions: int) -> None:
        if dimensions < 1:
            raise ConfigError(f"a store needs vectors of at least 1 number, not {dimensions}")
        self.dimensions = dimensions

    @abc.abstractmethod
    def add(self, memories: Memories) -> Ints64:
        """Remember; when this returns, a killed process loses nothing of it.

        Returns:
            (M,) ids.

        Raises:
            ShapeError: if the vectors have another length.
            StoreError: if the store cannot be written; nothing of these memories is then kept.
        """

    @abc.abstractmethod
    def search(self, queries: Floats32, k: int, scope: Scope = EVERYTHING) -> Recall:
        """The k nearest memories by cosine.

        Args:
            queries: (Q, D).
            k: at least 1.
            scope: which memories may be found.
        """

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many memories there are, everybody's."""

    @abc.abstractmethod
    def close(self) -> None:
        """Let go of what is held open; the memories stay where they are kept."""

    def __enter__(self) -> Self:
        """The store itself."""
        return self

    def __exit__(self, *problem: object) -> None:
        """Close it."""
        self.close()

    def _check_vectors(self, vectors: Floats32, name: str) -> None:
        if vectors.ndim != 2 or vectors.shape[1] != self.dimensions:
            raise ShapeError(f"{name} {vectors.shape}: this store has {self.dimensions} dimensions")
        if not np.isfinite(vectors).all() or not vectors.any(axis=1).all():
            raise ShapeError(f"{name}: a row is not finite, or all zeros, which has no direction")
