"""The posterior over permutations as a torch loss.

`p(sigma) = exp(sum_k L[k, sigma(k)]) / Z` with log Z the log permanent of exp(L), by dynamic
programming over sets of columns, level by level as in :mod:`mirrorenv.mirror.permutations`, and in
logarithms throughout. Its gradient, by plain backpropagation, is the matrix of permutation
marginals.

Shapes: R lineups, N slots and agents, C sets of k columns.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from mirrorenv.errors import ShapeError

__all__ = ["MAX_EXACT_LOSS", "log_permutation_sum", "permutation_loss"]

MAX_EXACT_LOSS = 8
"""Largest N whose permutations are summed exactly in a loss: 1,024 terms for each lineup."""


def _columns_of(one: int, n: int) -> list[int]:
    """The columns in a set that is written as bits."""
    return [column for column in range(n) if one >> column & 1]


@lru_cache(maxsize=8)
def _levels(n: int) -> tuple[tuple[Tensor, Tensor], ...]:
    """For k = 1..N: each set of k columns without its j-th one, as an index among those of k - 1,
    and that column.

    Both (C, k) int64.
    """
    sizes: list[list[int]] = [[] for _ in range(n + 1)]  # sets as bits, by their size
    for one in range(1 << n):
        sizes[one.bit_count()].append(one)
    rank = {one: index for group in sizes for index, one in enumerate(group)}
    levels = []
    for group in sizes[1:]:
        columns = [_columns_of(one, n) for one in group]
        before = []
        for one, held in zip(group, columns, strict=True):
            before.append([rank[one ^ (1 << column)] for column in held])
        levels.append((torch.tensor(before), torch.tensor(columns)))
    return tuple(levels)


def log_permutation_sum(evidence: Tensor) -> Tensor:
    """Log of the sum over all permutations of exp(sum of chosen evidence), differentiable.

    Args:
        evidence: (..., N, N) finite floats in nats, slot by agent, N <= 8.

    Returns:
        (...) the log normaliser.

    Raises:
        ShapeError: if the matrices are not square or larger than 8.
    """
    n = evidence.shape[-1]
    if evidence.dim() < 2 or evidence.shape[-2] != n or not 0 < n <= MAX_EXACT_LOSS:
        raise ShapeError(
            f"log_permutation_sum needs (..., N, N) with N from 1 to {MAX_EXACT_LOSS}, got "
            f"{tuple(evidence.shape)}"
        )
    rows = evidence.reshape(-1, n, n).permute(1, 2, 0).contiguous()  # (N, N, R), lineups last
    # (C, R): the rows so far fill exactly the columns of the set
    total = rows.new_zeros(1, rows.shape[-1])
    for row, (before, column) in zip(rows, _levels(n), strict=True):
        total = torch.logsumexp(total[before] + row[column], 1)
    return total[0].view(evidence.shape[:-2])


def permutation_loss(evidence: Tensor, authors: Tensor) -> Tensor:
    """Negative log-likelihood of the true permutation, in nats for each trajectory.

    For N <= 8 this is `(log Z - sum_k L[k, sigma(k)]) / N`. Above, the mean of two
    cross-entropies is taken: each slot over the agents, and each agent over the slots. It rewards
    the same evidence, but is no likelihood.

    Args:
        evidence: (..., N, N) in nats.
        authors: (..., N) int64, the true agent of each slot; broadcastable to the leading axes.

    Returns:
        (...) nats, zero or more.
    """
    n = evidence.shape[-1]
    index = authors.expand(evidence.shape[:-1]).unsqueeze(-1)  # (..., N, 1)
    chosen = evidence.gather(-1, index).squeeze(-1)  # (..., N)
    if n <= MAX_EXACT_LOSS:
        return (log_permutation_sum(evidence) - chosen.sum(-1)) / n
    slots = evidence.logsumexp(-1).mean(-1)
    agents = evidence.logsumexp(-2).mean(-1)
    return 0.5 * (slots + agents) - chosen.mean(-1)
