"""N networks of their own, one for each agent.

Shapes: B batch, T time, N agents, K slots, D observation, H hidden, A policy outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mirrorenv.population.actors.encoders import EncoderFactory
from mirrorenv.population.actors.network import NetworkActor, padded
from mirrorenv.population.settings import PopulationSettings, PopulationShape

__all__ = ["SeparateActor", "of_oneself"]


class SeparateActor(NetworkActor):
    """S = N networks; the rows of each are the episodes."""

    def __init__(
        self,
        shape: PopulationShape,
        settings: PopulationSettings,
        generator: torch.Generator,
        encoder: EncoderFactory,
    ) -> None:
        super().__init__(shape, settings, generator, encoder, stack=shape.num_agents)

    def fold(self, observations: Tensor) -> Tensor:
        """See `NetworkActor.fold`: (B, T, N, D) -> (N, T, B, D)."""
        return padded(observations.permute(2, 1, 0, 3))

    def unfold(self, rows: Tensor, batch: int) -> Tensor:
        """See `NetworkActor.unfold`: (N, T, B, X) -> (B, T, N, X)."""
        return rows.permute(2, 1, 0, 3)

    def own_outputs(self, observations: Tensor) -> Tensor:
        """See `NetworkActor.own_outputs`."""
        batch, time, slots, _ = observations.shape
        agents = self.num_agents
        rows = observations.transpose(0, 1).reshape(1, time, batch * slots, -1)
        # (N, T, B*K, D): the same trajectories for each policy
        hidden = self.trunk.sequence(padded(rows.expand(agents, -1, -1, -1)))
        outputs: Tensor = self.policy(hidden.flatten(1, 2))
        return outputs.view(agents, time, batch, slots, -1).permute(2, 1, 3, 0, 4)

    # -- everybody's history in every network, for policies that are compared while they act -------

    def common_state(self, batch: int) -> Tensor:
        """Empty memory (N, B*N, state) of every network for every agent's history."""
        agents = self.num_agents
        size = self.trunk.state_size
        return torch.zeros(agents, batch * agents, size, device=self.policy.weight.device)

    def step_on_all(
        self, observations: Tensor, state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """One step of every network on every agent's history.

        Args:
            observations: (B, K, D), agent k's.
            state: (N, B*K, state).

        Returns:
            policy outputs (B, K, N, A), each agent's own critics (B, N, 2) and hidden state
            (B, N, H), and the next state.
        """
        batch, agents, _ = observations.shape
        rows = padded(observations.reshape(1, batch * agents, -1))
        hidden, state = self.trunk.step(rows.expand(agents, -1, -1), state)  # (N, B*K, H)
        outputs = self._by_slot(self.policy(hidden), batch)
        values = of_oneself(self._by_slot(self.critics(hidden), batch))
        return outputs, values, of_oneself(self._by_slot(hidden, batch)), state

    def _by_slot(self, rows: Tensor, batch: int) -> Tensor:
        """(N, B*K, X) -> (B, K, N, X)."""
        agents = self.num_agents
        return rows.view(agents, batch, agents, -1).permute(1, 2, 0, 3)


def of_oneself(values: Tensor) -> Tensor:
    """What network n says of agent n: (..., K, N, X) -> (..., N, X)."""
    return values.diagonal(dim1=-3, dim2=-2).movedim(-1, -2)
