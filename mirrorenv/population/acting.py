"""A population as a policy: what a world, a recording or a benchmark asks for its next actions.

Shapes: B batch, N agents, A action dimensions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mirrorenv.population.experience import to_world
from mirrorenv.population.population import Population

__all__ = ["PopulationPolicy"]


class PopulationPolicy:
    """Lets a population act, its memory carried from step to step and cleared at t = 0.

    Args:
        population: who acts.
        seed: source of the agents' random choices, zero or greater.
    """

    def __init__(self, population: Population, seed: int = 0) -> None:
        self.population = population
        self._generator = torch.Generator().manual_seed(seed)
        self._state = torch.empty(0)

    @torch.no_grad()
    def __call__(self, observations: NDArray[np.float32], t: int) -> NDArray[Any]:
        """(B, N, *obs) -> (B, N) int64 or (B, N, A) float32 in the world's bounds."""
        shape = self.population.shape
        actor = self.population.actor
        # (B, N, D)
        rows = torch.from_numpy(np.ascontiguousarray(observations, np.float32)).flatten(2)
        if t == 0:
            self._state = actor.initial_state(len(rows))
        output, self._state = actor.step(rows, self._state)
        return to_world(output.distribution.sample(self._generator), shape)
