"""A population as a policy: what a world, a recording or a benchmark asks for its next actions.

Shapes: B batch, N agents, A action dimensions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mirrorenv.mirror.arrays import AnyArray, kept_dtype
from mirrorenv.population.actors.base import ActorOutput, State
from mirrorenv.population.columns import as_floats
from mirrorenv.population.population import Population

__all__ = ["Acted", "PopulationPolicy"]


class Acted(NamedTuple):
    """What a population remembers after a step, and what it said there."""

    memory: State
    """Of the actors."""
    actions: Tensor | None = None
    """(B, N, ...) as the population's layout holds them; None before the first step."""
    output: ActorOutput | None = None
    """What the actors said, (B, N, ...)."""


class PopulationPolicy:
    """A population as a pure policy (`mirrorenv.envs.episodes.PurePolicy`).

    Args:
        population: who acts.
        seed: source of the agents' random choices, zero or greater; or the source itself.
    """

    def __init__(self, population: Population, seed: int | torch.Generator = 0) -> None:
        self.population = population
        if isinstance(seed, int):
            seed = torch.Generator().manual_seed(seed)
        self._generator = seed

    def initial_state(self, batch: int) -> Acted:
        """Empty memory for `batch` episodes."""
        return Acted(self.population.actor.initial_state(batch))

    def rows(self, observations: AnyArray) -> Tensor:
        """(B, N, *obs) -> (B, N, D) float32, as actors see them."""
        return as_floats(torch.from_numpy(self.flat(observations)))

    def flat(self, observations: AnyArray) -> AnyArray:
        """(B, N, *obs) -> (B, N, D) as columns hold them: uint8 stays, all else is float32."""
        dtype = kept_dtype(observations.dtype)
        size = self.population.shape.observation_size
        whole = np.ascontiguousarray(observations, dtype)
        return whole.reshape(*observations.shape[:2], size)

    @torch.no_grad()
    def step(self, observations: AnyArray, state: Acted, t: int) -> tuple[AnyArray, Acted]:
        """One joint action.

        Args:
            observations: (B, N, *obs) float32 or uint8.
            state: from `initial_state` or the step before.
            t: steps done; not read.

        Returns:
            actions in the world's bounds, and what is remembered.
        """
        output, memory = self.population.actor.step(self.rows(observations), state.memory)
        actions = output.distribution.sample(self._generator)
        acted = Acted(memory, actions, output)
        return self.population.shape.actions.to_world(actions.numpy()), acted
