"""Actors that are fed: what an objective makes of one step is part of the next step's input.

The fed numbers are kept in the actor's state while it acts, and recorded with the episodes, so that
a whole sequence is computed from its recorded inputs: it is causal, and no later step is read.

Shapes: B batch, T time, N agents, K slots, D observation, F fed numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mirrorenv.errors import ShapeError
from mirrorenv.population.actors.base import Actor, ActorOutput, State
from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.objectives.base import Objective

__all__ = ["FED", "FedActor"]

FED = "fed"
"""Layer name and column of what agents were fed before a step, (B, T, N, F)."""


class FedActor(Actor):
    """An actor whose observations are followed by what objectives feed back.

    Observers see neither: they read the world's observations.

    Args:
        inner: an actor of D + F numbers.
        feeders: the objectives that feed, in order, and how many numbers each.
    """

    def __init__(self, inner: Actor, feeders: Sequence[tuple[Objective, int]]) -> None:
        super().__init__()
        self.inner = inner
        self.num_agents = inner.num_agents
        self.obeys_masks = inner.obeys_masks
        self.width = sum(width for _, width in feeders)
        self._feeders = tuple(one for one, _ in feeders)  # the population's, not a part of this
        self._widths = tuple(width for _, width in feeders)

    @property
    def fast(self) -> bool:
        """See `Actor.fast`."""
        return self.inner.fast

    @fast.setter
    def fast(self, fast: bool) -> None:
        self.inner.fast = fast

    @property
    def fusable(self) -> bool:
        """See `Actor.fusable`."""
        return self.inner.fusable

    @property
    def mirror_paid(self) -> bool:
        """See `Actor.mirror_paid`."""
        return self.inner.mirror_paid

    @mirror_paid.setter
    def mirror_paid(self, paid: bool) -> None:
        self.inner.mirror_paid = paid

    def initial_state(self, batch: int) -> State:
        """See `Actor.initial_state`: the inner actor's, and zeros to be fed first."""
        device = next(self.parameters()).device
        return self.inner.initial_state(batch), torch.zeros(
            batch, self.num_agents, self.width, device=device
        )

    def step(self, observations: Tensor, state: State) -> tuple[ActorOutput, State]:
        """See `Actor.step`; what was fed is the hidden layer "fed" of the output."""
        memory, fed = state
        output, memory = self.inner.step(torch.cat([observations, fed], -1), memory)
        following = torch.cat([one.feed(output) for one in self._feeders], -1)
        return output._replace(hidden={**output.hidden, FED: fed}), (memory, following.detach())

    def sequence(self, observations: Tensor, mask: Tensor | None = None) -> ActorOutput:
        """See `Actor.sequence`.

        Args:
            observations: (B, T, N, D + F), what was seen and what was fed, as recorded.
            mask: (B, T, N).
        """
        first = self.inner.sequence(observations, mask)
        slopes = self._slopes(first) if torch.is_grad_enabled() else None
        if slopes is None:
            return first
        # The numbers stay those that were recorded; the gradient of a step reaches the step before
        # it through what that fed, and no further: the episode is not unrolled.
        later = torch.cat([torch.zeros_like(slopes[:, :1]), slopes[:, :-1]], 1)
        seen = observations[..., : -self.width]
        fed = observations[..., -self.width :] + (later - later.detach())
        return self.inner.sequence(torch.cat([seen, fed], -1), mask)

    def _slopes(self, output: ActorOutput) -> Tensor | None:
        """(B, T, N, F), what gradients go through; None if there is nothing."""
        each = [one.feed_slope(output) for one in self._feeders]
        if all(one is None for one in each):
            return None
        lead = next(iter(output.hidden.values())).shape[:3]
        parts = [
            torch.zeros(*lead, width, device=next(self.parameters()).device) if one is None else one
            for one, width in zip(each, self._widths, strict=True)
        ]
        return torch.cat(parts, -1)

    def replay(self, observations: Tensor) -> ActionDistribution:
        """See `Actor.replay`: step by step, every policy fed with what it makes of the trajectory
        itself."""
        batch, time, slots, width = observations.shape
        rows = observations.transpose(1, 2).reshape(batch * slots, time, 1, width)
        rows = rows.expand(-1, -1, self.num_agents, -1)  # (B*K, T, N, D)
        state = self.initial_state(batch * slots)
        distributions = []
        for t in range(time):
            output, state = self.step(rows[:, t], state)
            distributions.append(output.distribution)
        if not distributions:
            raise ShapeError("an episode without a step cannot be replayed")
        return _Replayed(distributions, batch)

    def mirror_entries(self) -> list[tuple[nn.Parameter, Any]]:
        """See `Actor.mirror_entries`."""
        return self.inner.mirror_entries()


class _Replayed(ActionDistribution):
    """Distributions (B*K, N) of single steps as one of whole trajectories, (B, T, K, N)."""

    def __init__(self, distributions: Sequence[ActionDistribution], batch: int) -> None:
        self._distributions = distributions
        self._batch = batch

    def sample(self, generator: torch.Generator) -> Tensor:
        """See `ActionDistribution.sample`."""
        return self._by_episode([one.sample(generator) for one in self._distributions])

    def log_probability(self, actions: Tensor) -> Tensor:
        """See `ActionDistribution.log_probability`."""
        rows = actions.transpose(1, 2).flatten(0, 1)  # (B*K, T, N, ...)
        steps = [one.log_probability(rows[:, t]) for t, one in enumerate(self._distributions)]
        return self._by_episode(steps)

    def entropy(self) -> Tensor:
        """See `ActionDistribution.entropy`."""
        return self._by_episode([one.entropy() for one in self._distributions])

    def _by_episode(self, steps: Sequence[Tensor]) -> Tensor:
        """T of (B*K, N, ...) -> (B, T, K, N, ...)."""
        rows = torch.stack(list(steps), 1)
        return rows.view(self._batch, -1, *rows.shape[1:]).transpose(1, 2)
