"""What all network actors are: a trunk, a policy head and two critics (environment, mirror).

How N agents share weights, or do not, is a subclass each: `separate`, `shared`, and around one of
them `common`. What the trunk is, is an encoder.

Shapes: B batch, T time, N agents, K slots, D observation, F what a network reads, H hidden, A
policy outputs, S stack (N separate networks, or 1 shared), R rows of one network.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mirrorenv.population.actors.base import Actor, ActorOutput
from mirrorenv.population.actors.encoders import EncoderFactory, sequence_layers, step_layers
from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.fused import tanh_network
from mirrorenv.population.layers import StackedLinear, StackedMLP
from mirrorenv.population.settings import PopulationSettings, PopulationShape

__all__ = ["NetworkActor", "allowed_to_each", "padded"]


class NetworkActor(Actor):
    """N actors on a stack of S networks.

    Args:
        shape: what the world fixes.
        settings: width and scale of the layers.
        generator: source of the initial weights.
        encoder: makes the trunk.
        stack: S.
        index_before: columns of the agents' index that the trunk reads.
        index_after: columns of it that policy and critics read.
    """

    obeys_masks = True

    def __init__(
        self,
        shape: PopulationShape,
        settings: PopulationSettings,
        generator: torch.Generator,
        encoder: EncoderFactory,
        *,
        stack: int,
        index_before: int = 0,
        index_after: int = 0,
    ) -> None:
        super().__init__()
        self.num_agents = shape.num_agents
        self.stack = stack
        self.layout = shape.actions
        self.allowed = shape.allowed
        self.trunk_width = settings.hidden
        features = shape.observation_size + index_before
        width = settings.hidden + index_after
        self.trunk: Any = encoder(stack, max(features, 1), settings.hidden, generator)
        self.policy = StackedLinear(
            stack, width, self.layout.policy_outputs, settings.initial_gain, generator
        )
        self.critics = StackedLinear(stack, width, 2, 1.0, generator)
        self.log_std: nn.Parameter | None = None
        if self.layout.spreads:
            spread = torch.full((stack, 1, self.layout.spreads), settings.initial_log_std)
            self.log_std = nn.Parameter(spread)

    # -- what a subclass gives ---------------------------------------------------------------------

    def fold(self, observations: Tensor) -> Tensor:
        """What each network reads: (B, T, N, D) -> (S, T, R, F)."""
        raise NotImplementedError

    def unfold(self, rows: Tensor, batch: int) -> Tensor:
        """(S, T, R, X) -> (B, T, N, X)."""
        raise NotImplementedError

    def behind_trunk(self, hidden: Tensor, batch: int) -> Tensor:
        """What policy and critics read: (S, T, R, H) -> (S, T, R, H or more)."""
        return hidden

    def own_outputs(self, observations: Tensor) -> Tensor:
        """Outputs of every policy on every trajectory: (B, T, K, D) -> (B, T, K, N, A)."""
        raise NotImplementedError

    # -- acting and learning -----------------------------------------------------------------------

    def initial_state(self, batch: int) -> Tensor:
        """See `Actor.initial_state`: zeros (S, R, state)."""
        rows = batch * self.num_agents // self.stack
        size = self.trunk.state_size
        return torch.zeros(self.stack, rows, size, device=self.policy.weight.device)

    def step(self, observations: Tensor, state: Tensor) -> tuple[ActorOutput, Tensor]:
        """See `Actor.step`."""
        if self.fusable:
            outputs, layers = self._fused(observations.unsqueeze(1))
            now = {name: layer[:, 0] for name, layer in layers.items()}
            return self._said(outputs[:, 0], now, observations), state
        rows = self.fold(observations.unsqueeze(1)).squeeze(1)  # (S, R, F)
        layers, state = step_layers(self.trunk, rows, state)
        every = {name: layer.unsqueeze(1) for name, layer in layers.items()}
        outputs, value, mirror_value, _ = self.heads(every["trunk"], observations.shape[0])
        batch = observations.shape[0]
        now = {name: self.unfold(layer, batch)[:, 0] for name, layer in every.items()}
        distribution = self.distribution(outputs[:, 0], self.allowed(observations))
        return ActorOutput(distribution, value[:, 0], mirror_value[:, 0], now), state

    def sequence(self, observations: Tensor, mask: Tensor | None = None) -> ActorOutput:
        """See `Actor.sequence`."""
        if self.fusable:
            return self._said(*self._fused(observations), observations)
        batch = observations.shape[0]
        layers = sequence_layers(self.trunk, self.fold(observations))  # (S, T, R, H) each
        outputs, value, mirror_value, _ = self.heads(layers["trunk"], batch)
        hidden = {name: self.unfold(layer, batch) for name, layer in layers.items()}
        distribution = self.distribution(outputs, self.allowed(observations))
        return ActorOutput(distribution, value, mirror_value, hidden)

    def distribution(self, outputs: Tensor, allowed: Tensor | None = None) -> ActionDistribution:
        """How every agent acts: outputs (..., N, A), within what is allowed (..., N or 1, A)."""
        if self.log_std is None:
            return self.layout.distribution(outputs, allowed=allowed)
        spread = self.log_std.expand(self.num_agents, 1, -1)[:, 0]  # (N, spreads)
        return self.layout.distribution(outputs, spread, allowed)

    def heads(self, hidden: Tensor, batch: int) -> tuple[Tensor, Tensor, Tensor, dict[str, Tensor]]:
        """(S, T, R, H) -> policy outputs (B, T, N, A), both values (B, T, N), hidden by name."""
        stack, time, rows, _ = hidden.shape
        layers = {"trunk": self.unfold(hidden, batch)}  # (B, T, N, H)
        flat = self.behind_trunk(hidden, batch).reshape(stack, time * rows, -1)
        outputs = self.unfold(self.policy(flat).view(stack, time, rows, -1), batch)
        values = self.unfold(self.critics(flat).view(stack, time, rows, 2), batch)
        mirror_value = values[..., 1]
        if not self.mirror_paid:
            apart = self.critics(flat.detach()).view(stack, time, rows, 2)
            mirror_value = self.unfold(apart, batch)[..., 1]
        return outputs, values[..., 0], mirror_value, layers

    @property
    def fusable(self) -> bool:
        """Whether the fast path knows these networks: two tanh layers with the heads behind."""
        plain_heads = type(self).behind_trunk is NetworkActor.behind_trunk
        return self.fast and plain_heads and type(self.trunk) is StackedMLP

    def acting_weights(self) -> tuple[Tensor, ...]:
        """Weights and biases of the same networks with sigmoids in the place of tanh, since
        `tanh x = 2 sigmoid(2 x) - 1`: hidden layers (S, F, H), (S, 1, H), (S, H, H), (S, 1, H),
        then policy and critics side by side, transposed, (S, O, H) and (S, O, 1)."""
        first = self.trunk.first
        second = self.trunk.second
        last = torch.cat([self.policy.weight, self.critics.weight], 2)  # (S, H, O)
        bias = torch.cat([self.policy.bias, self.critics.bias], 2)  # (S, 1, O)
        weights = (
            2.0 * first.weight,
            2.0 * first.bias,
            4.0 * second.weight,
            2.0 * (second.bias - second.weight.sum(1, keepdim=True)),
            (2.0 * last).transpose(1, 2),
            (bias - last.sum(1, keepdim=True)).transpose(1, 2),
        )
        return tuple(one.detach() for one in weights)

    def _fused(self, observations: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """By hand-shaped products: (B, T, N, D) -> outputs of policy and both critics side by side
        (B, T, N, A + 2), hidden states by name (B, T, N, H)."""
        rows = self.fold(observations)  # (S, T, R, F)
        stack, time, count, features = rows.shape
        trunk = self.trunk
        outputs, *hidden = tanh_network(
            rows.reshape(stack, time * count, features),
            (trunk.first.weight, trunk.first.bias),
            (trunk.second.weight, trunk.second.bias),
            (
                torch.cat([self.policy.weight, self.critics.weight], 2),
                torch.cat([self.policy.bias, self.critics.bias], 2),
            ),
            self.layout.policy_outputs + (2 if self.mirror_paid else 1),
        )  # (S, O, T*R), (S, T*R, H) twice
        batch = observations.shape[0]
        by_step = outputs.view(stack, -1, time, count).permute(0, 2, 3, 1)  # (S, T, R, O)
        layers = {
            name: self.unfold(layer.view(stack, time, count, -1), batch)
            for name, layer in zip(("first", "trunk"), hidden, strict=True)
        }
        return self.unfold(by_step, batch), layers

    def _said(self, outputs: Tensor, layers: dict[str, Tensor], seen: Tensor) -> ActorOutput:
        """Outputs side by side (..., N, A + 2), on what was seen (..., N, D), as what the actors
        say."""
        policy, value, mirror_value = torch.split(outputs, [outputs.shape[-1] - 2, 1, 1], -1)
        distribution = self.distribution(policy, self.allowed(seen))
        return ActorOutput(distribution, value.squeeze(-1), mirror_value.squeeze(-1), layers)

    # -- reading -----------------------------------------------------------------------------------

    def replay(self, observations: Tensor) -> ActionDistribution:
        """See `Actor.replay`."""
        return self.distribution(
            self.own_outputs(observations), allowed_to_each(self.allowed(observations))
        )

    def read(self, observations: Tensor) -> Tensor:
        """See `Actor.read`."""
        batch, time, slots, _ = observations.shape
        rows = (
            observations.transpose(0, 1)
            .reshape(1, time, batch * slots, -1)
            .expand(self.stack, -1, -1, -1)
        )
        hidden: Tensor = self.trunk.sequence(padded(rows))
        return hidden

    def mirror_entries(self) -> list[tuple[nn.Parameter, Any]]:
        """See `Actor.mirror_entries`: the second output of the critics."""
        return [(self.critics.weight, (..., 1)), (self.critics.bias, (..., 1))]


def allowed_to_each(allowed: Tensor | None) -> Tensor | None:
    """What was allowed on trajectories (B, T, K, A), for every policy on them: (B, T, K, 1, A)."""
    return None if allowed is None else allowed.unsqueeze(-2)


def padded(rows: Tensor) -> Tensor:
    """A world without observations still needs one input column."""
    return rows if rows.shape[-1] else rows.new_zeros(*rows.shape[:-1], 1)
