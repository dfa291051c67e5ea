"""From beliefs to verdicts: which agents an observer points at, with ties shared out fairly.

A belief without information is a tie between all agents. Breaking ties by index would reward
whoever happens to hold the first slot, so row verdicts split their credit between the tied agents,
and assignments are found on rows shuffled by a fixed hash. Chance then scores 1/N and 1/N! even
where slots are given in author order.

Shape legend: B batch (episodes), J observers, K slots, N agents.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.mirror.lineup import lineup_permutations

__all__ = ["fair_assignment", "in_author_order", "of_true_author", "row_verdicts"]

_TIE = 1e-9  # nats: beliefs this close are a tie, not a verdict


def row_verdicts(log_belief: Floats64) -> Floats64:
    """(..., K, N) credit of each agent as the verdict of its row: 1 for a clear maximum, 1/m for
    each of m tied."""
    best = log_belief >= log_belief.max(axis=-1, keepdims=True) - _TIE
    credit: Floats64 = best / best.sum(axis=-1, keepdims=True)
    return credit


def of_true_author(values: Floats64, permutations: Ints64) -> Floats64:
    """(..., K) the entry of (..., K, N) values that belongs to each slot's true author."""
    picked: Floats64 = np.take_along_axis(values, permutations[..., None], axis=-1)[..., 0]
    return picked


def in_author_order(values: Floats64, permutations: Ints64) -> Floats64:
    """(..., N, N) values with row n the trajectory of agent n, from rows in slot order."""
    slots = np.argsort(permutations, axis=-1)  # (..., N) the slot of each agent
    ordered: Floats64 = np.take_along_axis(values, slots[..., None], axis=-2)
    return ordered


def fair_assignment(solve: Callable[[Floats64], Ints64], matrices: Floats64) -> Ints64:
    """(..., K) assignment of (..., K, N) matrices whose ties do not depend on the order of the
    slots."""
    flat = matrices.reshape(-1, *matrices.shape[-2:])  # (B, K, N)
    # (B, K)
    shuffle = lineup_permutations("assignment ties", np.arange(len(flat)), "slots", flat.shape[1])
    found = solve(np.take_along_axis(flat, shuffle[..., None], axis=1))  # (B, K)
    result = np.empty_like(found)
    np.put_along_axis(result, shuffle, found, axis=1)
    return result.reshape(matrices.shape[:-1])
