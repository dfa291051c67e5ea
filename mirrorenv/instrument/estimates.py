"""Means over trajectories with intervals clustered by episode.

Shape legend: M trajectories, E episodes.
"""

from __future__ import annotations

import math

import numpy as np

from mirrorenv.instrument.record import Lineups
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.bounded import bounded_interval
from mirrorenv.mirror.intervals import Estimate, students_quantile

__all__ = ["mean_nats", "mean_share"]


def mean_nats(values: Floats64, lineups: Lineups, most: float) -> Estimate:
    """Weighted mean with Student's t interval; the standard error is that of episodes, by the
    influence of each (Liang and Zeger 1986).

    Args:
        values: (M,) nats.
        lineups: of the M trajectories.
        most: the largest value there is.
    """
    mean, error, clusters = _mean(values, lineups)
    half = students_quantile(0.95, clusters - 1) * error
    method = f"t on {clusters} episodes"
    return Estimate(mean, mean - half, mean + half, clusters, method).within(-math.inf, most)


def mean_share(values: Floats64, lineups: Lineups) -> Estimate:
    """Weighted mean of numbers in [0, 1], with the interval of shares of this package.

    Args:
        values: (M,) each in [0, 1].
        lineups: of the M trajectories.
    """
    mean, error, clusters = _mean(values, lineups)
    square = mean**2 + error**2 * (clusters - 1)
    return bounded_interval(min(max(mean, 0.0), 1.0), square, clusters)


def _mean(values: Floats64, lineups: Lineups) -> tuple[float, float, int]:
    shares = lineups.shares()
    mean = float(shares @ values)
    centre = np.full(len(values), mean)
    if not lineups.together:  # agents are strata
        sums = np.bincount(lineups.agent, values)
        centre = (sums / np.bincount(lineups.agent))[lineups.agent]
    clusters = lineups.num_episodes
    influence = np.bincount(lineups.episode, shares * (values - centre))  # (E,)
    error = math.sqrt(float(np.square(influence).sum()) * clusters / (clusters - 1))
    return mean, error, clusters
