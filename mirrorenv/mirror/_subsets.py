"""Sums over all permutations by dynamic programming over subsets of columns: the inner loops.

`forward[k][S]` sums over the ways the first k rows can fill the column set S (k elements),
`backward[k][S]` over the ways the remaining rows can fill the other columns. A permutation's
weight is the product of its entries, so the permanent is `forward[N][all]` and the weight of all
permutations that send row k to column n is `M[k, n] * sum over S without n of forward[k][S] *
backward[k + 1][S + n]` (Bellman 1962 and Held & Karp 1962 for the recursion; Ryser 1963 for
permanents). N * 2**(N-1) terms a pass instead of N!.

Everything is level by level and vectorised over the batch, which is the last and contiguous axis.
Shape legend: B batch, N rows and columns, C column sets of one size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.mirror.arrays import Floats64

__all__ = ["forward_sums", "linear_marginals", "log_marginals"]

_Index = npt.NDArray[np.intp]


@dataclass(frozen=True)
class _Level:
    """Column sets of size k and how they are reached from size k - 1 and left towards size k +
    1."""

    before: _Index  # (C, k) the set without its j-th column, as an index into the level below
    before_column: _Index  # (C, k) that column
    # (C, N - k) the set with its j-th missing column, as an index into the level above
    after: _Index
    after_column: _Index  # (C, N - k) that column
    without: _Index  # (N, C') for each column n: the sets of this level without n
    joined: _Index  # (N, C') the same sets with n, as an index into the level above


@lru_cache(maxsize=8)
def _levels(n: int) -> tuple[_Level, ...]:
    sets = np.arange(1 << n)
    inside = ((sets[:, None] >> np.arange(n)) & 1).astype(bool)  # (2**N, N)
    size = inside.sum(axis=1)
    rank = np.zeros(1 << n, dtype=np.intp)
    members = [np.flatnonzero(size == k) for k in range(n + 1)]
    for group in members:
        rank[group] = np.arange(len(group))
    levels = []
    for k, group in enumerate(members):
        inner = np.nonzero(inside[group])[1].reshape(len(group), k)
        outer = np.nonzero(~inside[group])[1].reshape(len(group), n - k)
        lacking = [group[~inside[group, column]] for column in range(n)] if k < n else []
        levels.append(
            _Level(
                before=rank[group[:, None] ^ (1 << inner)] if k else np.zeros((1, 0), np.intp),
                before_column=inner,
                after=rank[group[:, None] | (1 << outer)] if k < n else np.zeros((1, 0), np.intp),
                after_column=outer,
                without=np.array([rank[group] for group in lacking], np.intp),
                joined=np.array(
                    [rank[group | (1 << column)] for column, group in enumerate(lacking)], np.intp
                ),
            )
        )
    return tuple(levels)


def _products(first: Floats64, second: Floats64) -> Floats64:
    result: Floats64 = np.einsum("cjb,cjb->cb", first, second)
    return result


def forward_sums(weights: Floats64) -> list[Floats64]:
    """`forward[k]` (C, B) for k = 0..N, from weights (N, N, B)."""
    n, _, batch = weights.shape
    sums = [np.ones((1, batch))]
    for row, level in enumerate(_levels(n)[1:]):
        sums.append(_products(sums[-1][level.before], weights[row][level.before_column]))
    return sums


def linear_marginals(weights: Floats64) -> tuple[Floats64, Floats64]:
    """Permanent (B,) and marginals (N, N, B) of non-negative weights (N, N, B), in the linear
    domain."""
    n, _, batch = weights.shape
    forward = forward_sums(weights)
    backward = np.ones((1, batch))
    marginals = np.empty_like(weights)
    for row in range(n - 1, -1, -1):
        level = _levels(n)[row]
        marginals[row] = np.einsum(
            "ncb,ncb->nb", forward[row][level.without], backward[level.joined]
        )
        if row:
            backward = _products(backward[level.after], weights[row][level.after_column])
    marginals *= weights
    total = forward[n][0]
    marginals /= total
    return total, marginals


def log_marginals(logs: Floats64) -> Floats64:
    """Log marginals (N, N, B) of log weights (N, N, B): the same recursion where linear numbers
    would underflow."""
    n, _, batch = logs.shape
    forward = [np.zeros((1, batch))]
    for row, level in enumerate(_levels(n)[1:]):
        forward.append(_log_sum(forward[-1][level.before] + logs[row][level.before_column], axis=1))
    backward = np.zeros((1, batch))
    marginals = np.empty_like(logs)
    for row in range(n - 1, -1, -1):
        level = _levels(n)[row]
        marginals[row] = _log_sum(forward[row][level.without] + backward[level.joined], axis=1)
        if row:
            backward = _log_sum(backward[level.after] + logs[row][level.after_column], axis=1)
    marginals += logs
    marginals -= forward[n][0]
    return marginals


def _log_sum(values: Floats64, axis: int) -> Floats64:
    top = values.max(axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    # a set that cannot be filled weighs nothing: log 0 = -inf is the answer
    with np.errstate(divide="ignore"):
        result: Any = np.log(np.exp(values - top).sum(axis=axis)) + np.squeeze(top, axis)
    return np.asarray(result, dtype=np.float64)
