"""Sums over all N! permutations, one by one: slow, obvious, and independent of the package."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

FloatArray = npt.NDArray[np.float64]


def all_orders(n: int) -> npt.NDArray[np.int64]:
    """(N!, N) every permutation."""
    return np.array(list(permutations(range(n))), dtype=np.int64)


def log_weights(logs: FloatArray) -> FloatArray:
    """(N!,) summed evidence of every permutation of one (N, N) matrix."""
    n = len(logs)
    return logs[np.arange(n), all_orders(n)].sum(axis=1)


def log_sum(logs: FloatArray) -> float:
    """Log permanent of exp(logs)."""
    return float(logsumexp(log_weights(logs)))


def log_marginals(logs: FloatArray) -> FloatArray:
    """(N, N) log probability that slot k is agent n."""
    n = len(logs)
    orders, weights = all_orders(n), log_weights(logs)
    total = logsumexp(weights)
    result = np.empty((n, n))
    for slot in range(n):
        for agent in range(n):
            result[slot, agent] = logsumexp(weights[orders[:, slot] == agent]) - total
    return result


def ryser_permanent(matrix: FloatArray) -> float:
    """Permanent by inclusion and exclusion over column sets (Ryser): no recursion shared with the
    package."""
    n = len(matrix)
    total = 0.0
    for chosen in range(1, 1 << n):
        columns = [j for j in range(n) if chosen >> j & 1]
        total += (-1) ** (n - len(columns)) * float(matrix[:, columns].sum(axis=1).prod())
    return total
