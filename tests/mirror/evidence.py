"""Evidence that leans towards the truth, for tests of what it is worth.

Shapes: B batch, T time, J observers, K slots, N agents.
"""

from __future__ import annotations

import numpy as np

from mirrorenv.mirror import cumulative_evidence, lineup_permutations
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64
from tests.mirror.simulated_agents import log_probabilities, play

__all__ = ["B", "J", "N", "in_time", "noisy", "shuffles"]

B = 30
J = 4
N = 4


def shuffles(batch: int = B, observers: int = J, agents: int = N) -> Ints64:
    """(B, J, K) every observer its own lineup."""
    return np.stack(
        [lineup_permutations("t", np.arange(batch), j, agents) for j in range(observers)], axis=1
    )


def noisy(seed: int = 0, strength: float = 1.5) -> tuple[Floats64, Ints64]:
    """Evidence (B, J, K, N) that leans towards the truth, and the truth."""
    truth = shuffles()
    noise = np.random.default_rng(seed).normal(size=(B, J, N, N))
    return noise + strength * (truth[..., None] == np.arange(N)), truth


def in_time(seed: int = 0, steps: int = 20) -> tuple[Floats64, Ints64, Bools]:
    """Evidence over time (B, T, J, K, N) of the exact limit, shown to each observer in its own
    order."""
    rng = np.random.default_rng(seed)
    policies = rng.dirichlet(np.ones(4), size=N)
    lengths = rng.integers(steps // 2, steps + 1, size=(B, N))
    mask = np.arange(steps)[None, :, None] < lengths[:, None]  # (B, T, N)
    logs = log_probabilities(policies, play(rng, policies, B, steps))
    authors = cumulative_evidence(logs, mask)  # (B, T, N, N) in author order
    truth = shuffles()
    shown = np.stack(
        [np.take_along_axis(authors, truth[:, None, j, :, None], axis=2) for j in range(J)], axis=2
    )
    alive = np.stack(
        [np.take_along_axis(mask, truth[:, None, j], axis=2) for j in range(J)], axis=2
    )
    return shown, truth, alive
