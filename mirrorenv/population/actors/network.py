"""The actors: N policies with two critics each, acting on what each agent sees.

Shapes: B batch, T time, N agents, K slots, D observation, H hidden, A policy outputs, S stack (N
separate networks, or 1 shared), R rows of one network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from mirrorenv.population.actors.base import Actor, ActorOutput, register_actor
from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.diversity import CommonPolicy
from mirrorenv.population.layers import StackedGRU, StackedLinear, StackedMLP
from mirrorenv.population.settings import PopulationSettings, PopulationShape

__all__ = ["NetworkActor"]


@register_actor("mlp")
@register_actor("gru")
class NetworkActor(Actor):
    """N actors: a trunk, a policy head and two critics (environment, mirror).

    With shared weights the agents' index enters as a one-hot input. If observers read through the
    trunk (`observer.trunk` is not "separate"), it enters after the trunk instead, so that no
    observer ever reads it. With `diversity`, policies are deviations from a common one
    (:mod:`mirrorenv.population.diversity`).
    """

    def __init__(
        self, shape: PopulationShape, settings: PopulationSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        agents = self.num_agents = shape.num_agents
        self.trunk_width = settings.hidden
        self.shared = settings.weights == "shared"
        self.stack = 1 if self.shared else agents
        self.id_after_trunk = self.shared and settings.observer.trunk != "separate"
        self.id_before_trunk = self.shared and not self.id_after_trunk
        features = shape.observation_size + agents * self.id_before_trunk
        trunk = StackedGRU if settings.actor == "gru" else StackedMLP
        self.trunk = trunk(self.stack, max(features, 1), settings.hidden, generator)
        width = settings.hidden + agents * self.id_after_trunk
        self.policy = StackedLinear(
            self.stack, width, shape.policy_outputs, settings.initial_gain, generator
        )
        self.critics = StackedLinear(self.stack, width, 2, 1.0, generator)
        self.common: CommonPolicy | None = None
        if settings.diversity is not None:
            self.common = CommonPolicy(shape, settings, max(features, 1), generator)
        self.log_std: nn.Parameter | None = None
        if not shape.num_actions:
            # deviations are of means: one spread for all
            laws = self.stack if self.common is None else 1
            self.log_std = nn.Parameter(
                torch.full((laws, 1, shape.action_size), settings.initial_log_std)
            )

    # -- acting ------------------------------------------------------------------------------------

    def initial_state(self, batch: int) -> Tensor:
        """Zero memory (S, R, state) for `batch` episodes."""
        # every network remembers everybody's history, and so does the common one
        if self.common is not None:
            return torch.zeros(self.num_agents + 1, batch * self.num_agents, self.trunk.state_size)
        rows = batch * self.num_agents // self.stack
        return torch.zeros(self.stack, rows, self.trunk.state_size)

    def step(self, observations: Tensor, state: Tensor) -> tuple[ActorOutput, Tensor]:
        """One step of every agent: observations (B, N, D) -> outputs shaped (B, N, ...), next
        memory."""
        if self.common is not None:
            return self._step_with_common(self.common, observations, state)
        batch = observations.shape[0]
        rows = self._fold(observations.unsqueeze(1)).squeeze(1)  # (S, R, D')
        hidden, state = self.trunk.step(rows, state)
        output = self._heads(hidden.unsqueeze(1), batch)
        distribution = ActionDistribution(
            output.distribution.outputs[:, 0], output.distribution.log_std
        )
        return ActorOutput(
            distribution,
            output.environment_value[:, 0],
            output.mirror_value[:, 0],
            {name: layer[:, 0] for name, layer in output.hidden.items()},
        ), state

    def _step_with_common(
        self, common: CommonPolicy, observations: Tensor, state: Tensor
    ) -> tuple[ActorOutput, Tensor]:
        batch, agents, _ = observations.shape
        rows = _padded(observations.reshape(1, batch * agents, -1))  # everybody's, for each network
        hidden, own = self.trunk.step(rows.expand(agents, -1, -1), state[:-1])  # (N, B*N, H)
        outputs = common.apart(
            self.policy(hidden).view(agents, batch, agents, -1).permute(1, 2, 0, 3)
        )  # (B, K, N, A)
        shared, memory = common.step(rows, state[-1:])
        distribution = ActionDistribution(
            shared.view(batch, agents, -1) + common.scale * _everybodys_own(outputs),
            self._log_std(),
        )
        critics = self.critics(hidden).view(agents, batch, agents, 2).permute(1, 2, 0, 3)
        values = _everybodys_own(critics)  # (B, N, 2)
        trunk = _everybodys_own(hidden.view(agents, batch, agents, -1).permute(1, 2, 0, 3))
        output = ActorOutput(distribution, values[..., 0], values[..., 1], {"trunk": trunk})
        return output, torch.cat([own, memory])

    # -- learning ----------------------------------------------------------------------------------

    def sequence(self, observations: Tensor, mask: Tensor | None = None) -> ActorOutput:
        """Whole episodes: observations (B, T, N, D) -> outputs shaped (B, T, N, ...).

        Args:
            observations: what was seen.
            mask: (B, T, N) of the steps that happened. With it, policies whose distance is set
                (`diversity`) are measured on these histories, and scaled by what is found.
        """
        hidden = self.trunk.sequence(self._fold(observations))  # (S, T, R, H)
        output = self._heads(hidden, observations.shape[0])
        if self.common is None:
            return output
        own = self.common.apart(self._own_outputs(observations))  # (B, T, K, N, A)
        scale, diversity = self.common.scale, None
        if mask is not None:
            scale, diversity = self.common.follow(own, mask)
        outputs = self._with_common(observations, scale * _everybodys_own(own))
        return output._replace(
            distribution=ActionDistribution(outputs, output.distribution.log_std),
            metrics={} if diversity is None else {"diversity": diversity},
        )

    # -- reading -----------------------------------------------------------------------------------

    def replay(self, observations: Tensor) -> ActionDistribution:
        """Every policy n on every trajectory k, its own memory replayed: (B, T, K, D) ->
        distribution over (B, T, K, N, A)."""
        outputs = self._own_outputs(observations)
        if self.common is not None:
            outputs = self._with_common(
                observations, self.common.scale * self.common.apart(outputs)
            )
        return ActionDistribution(outputs, self._log_std())

    def _own_outputs(self, observations: Tensor) -> Tensor:
        """(B, T, K, D) -> (B, T, K, N, A) of every policy's own network on every trajectory."""
        batch, time, slots, _ = observations.shape
        agents = self.num_agents
        rows = observations.transpose(0, 1).reshape(1, time, batch * slots, -1)
        identity = (
            torch.eye(agents, device=rows.device)
            .view(agents, 1, 1, agents)
            .expand(-1, time, batch * slots, -1)
        )
        # (N, T, B*K, D): the same trajectories for each policy
        rows = rows.expand(agents, -1, -1, -1)
        if self.id_before_trunk:
            rows = torch.cat([rows, identity], -1)
        hidden = self._through(self.trunk.sequence, _padded(rows))
        if self.id_after_trunk:
            hidden = torch.cat([hidden, identity], -1)
        outputs = self._through(
            lambda x: self.policy(x.flatten(1, 2)).unflatten(1, x.shape[1:3]), hidden
        )
        return outputs.view(agents, time, batch, slots, -1).permute(2, 1, 3, 0, 4)

    def _with_common(self, observations: Tensor, own: Tensor) -> Tensor:
        """The common policy with everybody's deviation: (B, T, K, D), own (B, T, K, ..., A) -> as
        own."""
        assert self.common is not None
        batch, time, slots, _ = observations.shape
        rows = _padded(observations.transpose(0, 1).reshape(time, batch * slots, -1))
        # (B, T, K, A)
        shared = self.common.sequence(rows).view(time, batch, slots, -1).transpose(0, 1)
        return shared.reshape(batch, time, slots, *[1] * (own.dim() - 4), -1) + own

    def read(self, observations: Tensor) -> Tensor:
        """Each observer's trunk on every trajectory: (B, T, K, D) -> hidden (J, T, B*K, H), J = 1
        for shared weights.

        The reader is told no index: with shared weights this needs the index after the trunk.
        """
        batch, time, slots, _ = observations.shape
        rows = (
            observations.transpose(0, 1)
            .reshape(1, time, batch * slots, -1)
            .expand(self.stack, -1, -1, -1)
        )
        hidden: Tensor = self.trunk.sequence(_padded(rows))
        return hidden

    # -- internals ---------------------------------------------------------------------------------

    def _through(self, network: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """(N, T, R, F) through N networks, or folded through the shared one: -> (N, T, R,
        outputs)."""
        if not self.shared:
            return network(rows)
        agents, time, count, features = rows.shape
        folded = rows.transpose(0, 1).reshape(1, time, agents * count, features)
        return network(folded).view(time, agents, count, -1).transpose(0, 1)

    def _log_std(self) -> Tensor | None:
        # (N, A)
        return None if self.log_std is None else self.log_std.expand(self.num_agents, 1, -1)[:, 0]

    def _fold(self, observations: Tensor) -> Tensor:
        """(B, T, N, D) -> (S, T, R, D'), R = B rows per separate network or B*N rows of the shared
        one."""
        batch, time, agents, _ = observations.shape
        if self.id_before_trunk:
            observations = torch.cat([observations, self._identity(batch, time)], -1)
        if self.shared:
            return _padded(observations.transpose(0, 1).reshape(1, time, batch * agents, -1))
        return _padded(observations.permute(2, 1, 0, 3))

    def _identity(self, batch: int, time: int) -> Tensor:
        return torch.eye(self.num_agents, device=self.policy.weight.device).expand(
            batch, time, -1, -1
        )

    def _heads(self, hidden: Tensor, batch: int) -> ActorOutput:
        """(S, T, R, H) -> policy and critics shaped (B, T, N, ...)."""
        stack, time, rows, _ = hidden.shape
        layers = {"trunk": self._unfold(hidden, batch)}  # (B, T, N, H)
        if self.id_after_trunk:
            identity = self._identity(batch, time).transpose(0, 1).reshape(1, time, rows, -1)
            hidden = torch.cat([hidden, identity], -1)
        flat = hidden.reshape(stack, time * rows, -1)
        outputs = self._unfold(self.policy(flat).view(stack, time, rows, -1), batch)
        values = self._unfold(self.critics(flat).view(stack, time, rows, 2), batch)
        mirror_value = values[..., 1]
        if not self.mirror_paid:
            apart = self.critics(flat.detach()).view(stack, time, rows, 2)
            mirror_value = self._unfold(apart, batch)[..., 1]
        return ActorOutput(
            ActionDistribution(outputs, self._log_std()), values[..., 0], mirror_value, layers
        )

    def mirror_entries(self) -> list[tuple[nn.Parameter, Any]]:
        """See `Actor.mirror_entries`: the second output of the critics."""
        return [(self.critics.weight, (..., 1)), (self.critics.bias, (..., 1))]

    def _unfold(self, rows: Tensor, batch: int) -> Tensor:
        """(S, T, R, X) -> (B, T, N, X)."""
        if self.shared:
            return rows.view(rows.shape[1], batch, self.num_agents, -1).transpose(0, 1)
        return rows.permute(2, 1, 0, 3)


def _everybodys_own(values: Tensor) -> Tensor:
    """What network n says of agent n: (..., K, N, X) -> (..., N, X)."""
    return values.diagonal(dim1=-3, dim2=-2).movedim(-1, -2)


def _padded(rows: Tensor) -> Tensor:
    """A world without observations still needs one input column."""
    return rows if rows.shape[-1] else rows.new_zeros(*rows.shape[:-1], 1)
