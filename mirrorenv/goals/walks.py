"""Walks through a graph that have no goal yet.

Shape legend: W walks, L nodes of the longest walk, V nodes of the graph.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror.arrays import Bools, Ints64

__all__ = ["Walks", "wander"]


class Walks(NamedTuple):
    """Where W wanderers were."""

    nodes: Ints64
    """(W, L) from the first on; -1 after a walk's end."""
    lengths: Ints64
    """(W,) nodes of each walk."""
    actions: Ints64 | None = None
    """(W, L) what was done at each node; the last of a walk is not read. None if the action is to
    name the next node."""

    def best(self, rewards: npt.ArrayLike, share: float) -> Walks:
        """The share of walks with the largest rewards, which a curriculum goes on from.

        Args:
            rewards: (W,).
            share: above 0, at most 1.

        Raises:
            ConfigError: for another share.
            ShapeError: if there is not one reward for each walk.
        """
        paid = np.asarray(rewards, np.float64)
        if not 0 < share <= 1:
            raise ConfigError(f"the share of walks to keep lies in (0, 1], got {share}")
        if paid.shape != self.lengths.shape:
            raise ShapeError(f"{len(self.lengths)} walks were given rewards {paid.shape}")
        kept = np.sort(np.argsort(-paid, kind="stable")[: max(1, round(share * len(paid)))])
        actions = None if self.actions is None else self.actions[kept]
        return Walks(self.nodes[kept], self.lengths[kept], actions)


def wander(
    edges: Bools,
    count: int,
    rng: np.random.Generator,
    *,
    longest: int | None = None,
    again: bool = False,
) -> Walks:
    """Walks that take any edge with equal probability, all at once.

    Args:
        edges: (V, V) bool, from row to column.
        count: W.
        rng: source of starts and steps.
        longest: L; V if not given.
        again: whether a walk may come to a node twice. If not, it ends where every way leads back.

    Raises:
        ConfigError: for a walk without a step.
    """
    size = len(edges)
    longest = size if longest is None else longest
    if count < 1 or longest < 2:
        raise ConfigError(f"{count} walks of {longest} nodes: at least 1 of 2 nodes")
    rows = np.arange(count)
    nodes = np.full((count, longest), -1, np.int64)
    nodes[:, 0] = rng.integers(size, size=count)
    lengths = np.ones(count, np.int64)
    # an edge is drawn as the one of the smallest random number
    free = np.ones((count, size), bool)
    free[rows, nodes[:, 0]] = again
    going = rows
    for step in range(1, longest):
        open_ = edges[nodes[going, step - 1]] & free[going]  # (G, V)
        draws = rng.random(open_.shape, dtype=np.float32)
        draws[~open_] = 2.0
        chosen = draws.argmin(axis=1)
        moves = draws[np.arange(len(going)), chosen] < 2.0
        going, chosen = going[moves], chosen[moves]
        if not len(going):
            break
        nodes[going, step] = chosen
        free[going, chosen] = again
        lengths[going] = step + 1
    return Walks(nodes, lengths)
