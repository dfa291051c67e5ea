"""Which agents are near which over an episode.

Shape legend: B episodes, T time, N agents, K candidates.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ShapeError
from mirrorenv.mirror._checks import float_array, mask_array
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.mirror.lineup import lineup_permutations

__all__ = ["distance_array", "mean_distance", "nearest_agents"]


def mean_distance(positions: npt.ArrayLike, mask: npt.ArrayLike) -> Floats64:
    """How far apart agents were: the mean Euclidean distance over the steps that both were alive.

    Args:
        positions: (B, T, N, P) where agents were, in any unit.
        mask: (B, T, N) bool, the steps that happened.

    Returns:
        (B, N, N) float64, symmetric, 0 to oneself, infinite for two that never lived at the same
        time.

    Raises:
        ShapeError: if shapes disagree or a live position is not finite.
    """
    places = float_array("positions", positions, ndim=4)
    alive = mask_array("mask", mask, places.shape[:3])
    places = np.where(alive[..., None], places, 0.0)
    if not np.isfinite(places).all():
        raise ShapeError("positions must be finite where the mask is True")
    batch, time, agents, _ = places.shape
    total = np.zeros((batch, agents, agents))
    count = np.zeros((batch, agents, agents))
    for t in range(time):  # a loop keeps memory at (B, N, N, P)
        both = alive[:, t, :, None] & alive[:, t, None, :]
        gap = np.linalg.norm(places[:, t, :, None] - places[:, t, None, :], axis=-1)
        total += np.where(both, gap, 0.0)
        count += both
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(count > 0, total / count, np.inf)
    mean[:, np.arange(agents), np.arange(agents)] = 0.0
    return mean


def nearest_agents(
    distance: npt.ArrayLike, k: int, *, run: int | str, episodes: npt.ArrayLike
) -> Ints64:
    """Which agents each observer is shown: itself and the k nearest others.

    Args:
        distance: (B, N, N), from observer (row) to agent (column), 0 or more; infinity allowed. The
            diagonal is not read.
        k: neighbours, 1 to N - 1.
        run: name or seed of the run; with episode and observer it decides between agents equally
            near.
        episodes: (B,) integer ids.

    Returns:
        (B, J, K) int64, ascending in every row: the order says nothing about who is near.

    Raises:
        ShapeError: if shapes disagree, a distance is negative or NaN, or k is out of range.
    """
    gaps = distance_array(distance)
    batch, agents = gaps.shape[:2]
    if isinstance(k, bool) or not 1 <= k <= agents - 1:
        raise ShapeError(f"nearest_agents: k must be 1 to N - 1 = {agents - 1}, got {k}")
    ids = np.asarray(episodes)
    if ids.shape != (batch,):
        raise ShapeError(f"nearest_agents: episodes must have shape {(batch,)}, got {ids.shape}")
    chosen = np.empty((batch, agents, k + 1), np.int64)
    for observer in range(agents):
        lot = lineup_permutations(run, ids, f"neighbours of {observer}", agents)  # (B, N)
        row = gaps[:, observer].copy()
        row[:, observer] = -1.0  # oneself first, whatever the others' distance
        order = np.lexsort((lot, row), axis=-1)
        chosen[:, observer] = np.sort(order[:, : k + 1], axis=-1)
    return chosen


def distance_array(distance: npt.ArrayLike) -> Floats64:
    """Distances (B, N, N) between agents, checked: zero or greater, square.

    Raises:
        ShapeError: for another shape or a value that is no distance.
    """
    gaps = float_array("distance", distance, ndim=3)
    if gaps.shape[1] != gaps.shape[2] or np.isnan(gaps).any() or (gaps < 0).any():
        raise ShapeError(
            f"distance must be (B, N, N), 0 or more and never NaN, got shape {gaps.shape}"
        )
    return gaps
