"""Agents that speak byte after byte: a causal transformer over an utterance.

What an agent saw becomes one vector, in whose place the utterance begins; every byte is then drawn
given that vector and the bytes before it. The log probability of an utterance is exact, the sum
over its bytes, and any utterance can be replayed under any agent's weights: the exact limit rests
on that.

Shape legend: S stack of networks (N, or 1 when shared), R rows, B batch, T time, N agents, K slots,
D observation, H width, L bytes, V symbols of the vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mirrorenv.bytes.speech import Speech, Utterances
from mirrorenv.errors import ConfigError
from mirrorenv.population.actions import Bytes, Choices
from mirrorenv.population.actors.base import Actor, ActorOutput, register_actor
from mirrorenv.population.layers import StackedLinear
from mirrorenv.population.settings import PopulationSettings, PopulationShape

__all__ = ["ByteTransformer"]


@register_actor("byte_transformer")
class ByteTransformer(Actor):
    """N byte transformers with weights of their own, or one that is told who speaks.

    Args:
        shape: what the world fixes; its action is an utterance.
        settings: `hidden` is the width, `weights` whether there are N of them.
        generator: source of the initial weights.

    Raises:
        ConfigError: if the world's action is no utterance.
    """

    def __init__(
        self, shape: PopulationShape, settings: PopulationSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        layout = shape.actions
        if not isinstance(layout, Bytes | Choices) or len(set(layout.parts)) != 1:
            raise ConfigError(
                "population.actor = byte_transformer speaks: it needs a world whose action is an "
                f"utterance, MultiDiscrete([256] * length), not {layout}"
            )
        self.num_agents = shape.num_agents
        self.layout = layout
        self.shared = settings.weights == "shared"
        self.stack = 1 if self.shared else shape.num_agents
        self.trunk_width = width = settings.hidden
        features = max(shape.observation_size, 1)
        self.look = StackedLinear(self.stack, features, width, 1.0, generator)
        told = shape.num_agents if self.shared else 0
        self.intend = StackedLinear(self.stack, width + told, width, 1.0, generator)
        self.critics = StackedLinear(self.stack, width + told, 2, 1.0, generator)
        self.speech = Speech(
            self.stack,
            width,
            length=len(layout.parts),
            symbols=layout.parts[0],
            gain=settings.initial_gain,
            generator=generator,
        )

    # -- acting and learning ---------------------------------------------------------------------

    def initial_state(self, batch: int) -> Tensor:
        """See `Actor.initial_state`: what an agent remembers stands in what it sees."""
        return torch.zeros(batch, 0, device=self.look.weight.device)

    def step(self, observations: Tensor, state: Tensor) -> tuple[ActorOutput, Tensor]:
        """See `Actor.step`."""
        return self._output(observations), state

    def sequence(self, observations: Tensor, mask: Tensor | None = None) -> ActorOutput:
        """See `Actor.sequence`."""
        return self._output(observations)

    def _output(self, observations: Tensor) -> ActorOutput:
        """(..., N, D) -> outputs (..., N)."""
        hidden = self._hidden(observations)  # (S, R, H)
        behind = self._with_identity(hidden)
        lead = observations.shape[:-1]
        values = self._unfold(self.critics(behind), lead)  # (..., N, 2)
        mirror_value = values[..., 1]
        if not self.mirror_paid:
            mirror_value = self._unfold(self.critics(behind.detach()), lead)[..., 1]
        spoken = Utterances(self.speech, self.intend(behind), lead)
        layers = {"trunk": self._unfold(hidden, lead)}
        return ActorOutput(spoken, values[..., 0], mirror_value, layers)

    # -- reading ---------------------------------------------------------------------------------

    def replay(self, observations: Tensor) -> Utterances:
        """See `Actor.replay`."""
        lead = (*observations.shape[:3], self.num_agents)
        every = observations.unsqueeze(3).expand(*lead, observations.shape[-1])
        return Utterances(self.speech, self.intend(self._with_identity(self._hidden(every))), lead)

    def read(self, observations: Tensor) -> Tensor:
        """See `Actor.read`."""
        batch, time, slots, _ = observations.shape
        rows = _seen(observations.transpose(0, 1).reshape(1, time * batch * slots, -1))
        hidden = torch.tanh(self.look(rows.expand(self.stack, -1, -1)))
        return hidden.view(self.stack, time, batch * slots, -1)

    def mirror_entries(self) -> list[tuple[torch.nn.Parameter, object]]:
        """See `Actor.mirror_entries`: the second output of the critics."""
        return [(self.critics.weight, (..., 1)), (self.critics.bias, (..., 1))]

    # -- networks --------------------------------------------------------------------------------

    def _hidden(self, observations: Tensor) -> Tensor:
        """(..., N, D) -> (S, R, H)."""
        flat = _seen(observations.reshape(-1, self.num_agents, observations.shape[-1]))
        rows = flat.reshape(1, -1, flat.shape[-1]) if self.shared else flat.transpose(0, 1)
        return torch.tanh(self.look(rows))

    def _with_identity(self, hidden: Tensor) -> Tensor:
        """Who speaks, beside the hidden state, where one network serves all."""
        if not self.shared:
            return hidden
        rows = hidden.shape[1] // self.num_agents
        identity = torch.eye(self.num_agents, device=hidden.device).repeat(rows, 1)  # (R, N)
        return torch.cat([hidden, identity.unsqueeze(0)], -1)

    def _unfold(self, rows: Tensor, lead: tuple[int, ...]) -> Tensor:
        """(S, R, X) -> (..., N, X)."""
        by_agent = rows if self.shared else rows.transpose(0, 1)
        return by_agent.reshape(*lead, rows.shape[-1])


def _seen(observations: Tensor) -> Tensor:
    """A world without observations still needs one input column."""
    if observations.shape[-1]:
        return observations
    return observations.new_zeros(*observations.shape[:-1], 1)
