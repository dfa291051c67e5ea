"""One network for all agents, told who acts by a one-hot index.

The index stands before the trunk or after it. Where observers read through the trunk it stands
after it, so that no observer ever reads it.

Shapes: B batch, T time, N agents, K slots, D observation, H hidden, A policy outputs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mirrorenv.population.actors.encoders import EncoderFactory
from mirrorenv.population.actors.network import NetworkActor, padded
from mirrorenv.population.settings import PopulationSettings, PopulationShape

__all__ = ["IndexAfterTrunk", "IndexBeforeTrunk", "shared_actor"]


class _SharedActor(NetworkActor):
    """S = 1 network; its rows are episodes and agents."""

    def unfold(self, rows: Tensor, batch: int) -> Tensor:
        """See `NetworkActor.unfold`: (1, T, B*N, X) -> (B, T, N, X)."""
        return rows.view(rows.shape[1], batch, self.num_agents, -1).transpose(0, 1)

    def _folded(self, observations: Tensor) -> Tensor:
        """(B, T, N, F) -> (1, T, B*N, F)."""
        batch, time, agents, _ = observations.shape
        return padded(observations.transpose(0, 1).reshape(1, time, batch * agents, -1))

    def _identity(self, batch: int, time: int) -> Tensor:
        """(B, T, N, N) one-hot index of each agent."""
        identity = torch.eye(self.num_agents, device=self.policy.weight.device)
        return identity.expand(batch, time, -1, -1)

    def _in_every_place(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Trajectories as if each agent had seen them: (B, T, K, D) -> rows (N, T, B*K, D) and the
        index (N, T, B*K, N) that goes with them."""
        batch, time, slots, _ = observations.shape
        agents = self.num_agents
        rows = observations.transpose(0, 1).reshape(1, time, batch * slots, -1)
        identity = torch.eye(agents, device=rows.device).view(agents, 1, 1, agents)
        return rows.expand(agents, -1, -1, -1), identity.expand(-1, time, batch * slots, -1)

    def _trunk_of(self, rows: Tensor) -> Tensor:
        """(N, T, R, F) folded through the one trunk: -> (N, T, R, H)."""
        agents, time, count, features = rows.shape
        folded = rows.transpose(0, 1).reshape(1, time, agents * count, features)
        hidden: Tensor = self.trunk.sequence(folded)
        return hidden.view(time, agents, count, -1).transpose(0, 1)

    def _policy_of(self, hidden: Tensor) -> Tensor:
        """(N, T, R, H) folded through the one policy: -> (N, T, R, A)."""
        agents, time, count, width = hidden.shape
        folded = hidden.transpose(0, 1).reshape(1, time, agents * count, width)
        outputs = self.policy(folded.flatten(1, 2)).unflatten(1, folded.shape[1:3])
        unfolded: Tensor = outputs.view(time, agents, count, -1).transpose(0, 1)
        return unfolded


class IndexBeforeTrunk(_SharedActor):
    """The index is read beside the observation."""

    def __init__(
        self,
        shape: PopulationShape,
        settings: PopulationSettings,
        generator: torch.Generator,
        encoder: EncoderFactory,
    ) -> None:
        super().__init__(
            shape, settings, generator, encoder, stack=1, index_before=shape.num_agents
        )

    def fold(self, observations: Tensor) -> Tensor:
        """See `NetworkActor.fold`."""
        batch, time, _, _ = observations.shape
        return self._folded(torch.cat([observations, self._identity(batch, time)], -1))

    def own_outputs(self, observations: Tensor) -> Tensor:
        """See `NetworkActor.own_outputs`."""
        batch, time, slots, _ = observations.shape
        rows, identity = self._in_every_place(observations)
        outputs = self._policy_of(self._trunk_of(padded(torch.cat([rows, identity], -1))))
        return outputs.view(self.num_agents, time, batch, slots, -1).permute(2, 1, 3, 0, 4)


class IndexAfterTrunk(_SharedActor):
    """The index is read beside the hidden state, by policy and critics."""

    def __init__(
        self,
        shape: PopulationShape,
        settings: PopulationSettings,
        generator: torch.Generator,
        encoder: EncoderFactory,
    ) -> None:
        super().__init__(shape, settings, generator, encoder, stack=1, index_after=shape.num_agents)

    def fold(self, observations: Tensor) -> Tensor:
        """See `NetworkActor.fold`."""
        return self._folded(observations)

    def behind_trunk(self, hidden: Tensor, batch: int) -> Tensor:
        """See `NetworkActor.behind_trunk`."""
        _, time, rows, _ = hidden.shape
        identity = self._identity(batch, time).transpose(0, 1).reshape(1, time, rows, -1)
        return torch.cat([hidden, identity], -1)

    def own_outputs(self, observations: Tensor) -> Tensor:
        """See `NetworkActor.own_outputs`."""
        batch, time, slots, _ = observations.shape
        rows, identity = self._in_every_place(observations)
        hidden = torch.cat([self._trunk_of(padded(rows)), identity], -1)
        outputs = self._policy_of(hidden)
        return outputs.view(self.num_agents, time, batch, slots, -1).permute(2, 1, 3, 0, 4)


def shared_actor(
    shape: PopulationShape,
    settings: PopulationSettings,
    generator: torch.Generator,
    encoder: EncoderFactory,
) -> NetworkActor:
    """One network for all, the index where no observer reads it.

    Args:
        shape: of the world.
        settings: the observers' `trunk` says whether they read the actor's.
        generator: source of the initial weights.
        encoder: makes the trunk.
    """
    made = IndexBeforeTrunk if settings.observer.trunk == "separate" else IndexAfterTrunk
    return made(shape, settings, generator, encoder)
