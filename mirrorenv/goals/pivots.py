"""Which nodes of a walk are taken as goals in hindsight: its pivots.

Every k-th node; or where a number that belongs to nodes has a peak along the walk: how often each
is visited, how open what follows it is (entropy), or how many best ways lead through it (learned).

Shape legend: W walks, L nodes of the longest walk, V nodes.
"""

from __future__ import annotations

import numpy as np

from mirrorenv.errors import ConfigError
from mirrorenv.goals.walks import Walks
from mirrorenv.mirror.arrays import Bools, Floats64

__all__ = [
    "SCORES",
    "betweenness",
    "ends",
    "every",
    "peaks",
    "score_of_nodes",
    "transition_entropy",
    "visit_counts",
]

Pivots = Bools


def ends(walks: Walks) -> Pivots:
    """(W, L) bool: the last node of every walk."""
    place = np.arange(walks.nodes.shape[1])
    last: Pivots = place == walks.lengths[:, None] - 1
    return last


def every(walks: Walks, k: int) -> Pivots:
    """(W, L) bool: every k-th node and the last.

    Raises:
        ConfigError: if k is below 1.
    """
    if k < 1:
        raise ConfigError(f"a pivot every {k} nodes: k must be at least 1")
    place = np.arange(walks.nodes.shape[1])
    found: Pivots = (place % k == 0) & (walks.nodes >= 0)
    return found | ends(walks)


def peaks(walks: Walks, scores: Floats64) -> Pivots:
    """(W, L) bool: nodes whose score is above that of the node before and not below that of the
    node after, and the last.

    Args:
        walks: whose nodes.
        scores: (V,) one number for each node.
    """
    along = np.where(walks.nodes >= 0, scores[walks.nodes], -np.inf)  # (W, L)
    before = np.roll(along, 1, axis=1)
    after = np.roll(along, -1, axis=1)
    before[:, 0] = np.inf
    after[:, -1] = np.inf
    found: Pivots = (along > before) & (along >= after) & (walks.nodes >= 0)
    return found | ends(walks)


def visit_counts(walks: Walks, num_nodes: int) -> Floats64:
    """(V,) how often each node was visited."""
    return np.bincount(walks.nodes[walks.nodes >= 0], minlength=num_nodes).astype(np.float64)


def transition_entropy(walks: Walks, num_nodes: int) -> Floats64:
    """(V,) nats: the entropy of the next node, by the shares that were seen."""
    following = np.zeros((num_nodes, num_nodes))
    here = walks.nodes[:, :-1]
    there = walks.nodes[:, 1:]
    both = there >= 0
    np.add.at(following, (here[both], there[both]), 1.0)
    total = np.maximum(following.sum(axis=1, keepdims=True), 1.0)
    share = following / total
    logs = np.log(np.where(share > 0, share, 1.0))
    found: Floats64 = -(share * logs).sum(axis=1)
    return found


def betweenness(distances: Floats64) -> Floats64:
    """(V,) share of pairs of nodes between which a node lies on a best way, by learned distances.

    Args:
        distances: (V, V) steps from row to column, infinity where no way is known.
    """
    size = len(distances)
    found = np.zeros(size)
    for node in range(size):
        by_way = distances[:, node, None] + distances[None, node, :]
        on = np.isfinite(distances) & (by_way <= distances + 1e-6)
        on[node] = False
        on[:, node] = False
        found[node] = on.sum()
    return found / max(1, (size - 1) * (size - 2))


SCORES = ("visits", "entropy", "narrow", "learned")
"""Names of scores of nodes that have peaks."""


def score_of_nodes(
    name: str, walks: Walks, num_nodes: int, distances: Floats64 | None = None
) -> Floats64:
    """(V,) the score of that name.

    Args:
        name: one of `SCORES`.
        walks: what was seen.
        num_nodes: V.
        distances: (V, V) learned distances, for "learned".

    Raises:
        ConfigError: for another name, or without distances where they are needed.
    """
    if name == "visits":
        return visit_counts(walks, num_nodes)
    if name == "entropy":
        return transition_entropy(walks, num_nodes)
    if name == "narrow":  # where least can follow: doorways, and corners
        return -transition_entropy(walks, num_nodes)
    if name == "learned" and distances is not None:
        return betweenness(distances)
    raise ConfigError(
        f"scores of nodes: {name!r} is none of {', '.join(SCORES)}, or is 'learned' and was given "
        "no distances"
    )
