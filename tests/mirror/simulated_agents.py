"""Small worlds with a known truth: memoryless agents over a few actions, and everything about them
enumerated."""

from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def play(rng: np.random.Generator, policies: FloatArray, episodes: int, steps: int) -> IntArray:
    """(B, T, N) actions of N agents with action laws (N, A)."""
    ladder = policies.cumsum(axis=1)  # (N, A)
    drawn = rng.random((episodes, steps, len(policies), 1))
    return (drawn > ladder).sum(axis=-1).clip(max=policies.shape[1] - 1)


def log_probabilities(policies: FloatArray, actions: IntArray) -> FloatArray:
    """(B, T, K, N) log probability under every policy of the actions (B, T, K)."""
    return np.log(policies.T[actions])


def every_trajectory(num_actions: int, steps: int) -> IntArray:
    """(A**T, T) every sequence of actions."""
    return np.array(list(product(range(num_actions), repeat=steps)), dtype=np.int64)
