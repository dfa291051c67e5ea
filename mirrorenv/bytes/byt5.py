"""Agents that speak through one ByT5, each with a low-rank adapter of its own.

The weights of a ByT5 (Xue et al. 2022) come from a folder, are frozen and shared; every agent has
an adapter (LoRA, Hu et al. 2022) on the queries and values of its attention. The encoder reads what
an agent saw, from the first column on and as bytes: its own last utterance and memories, as the
origin's prompt. Adapters begin at zero, so that at first all agents are one.

The base is no part of the module: checkpoints hold the adapters alone, and its weights stay as they
are to the bit.

Shape legend: S adapters (one for each agent), R rows, P bytes of the prompt, H width, L bytes.
"""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from mirrorenv.bytes.speech import Utterances
from mirrorenv.errors import ConfigError, require
from mirrorenv.population.actions import Bytes
from mirrorenv.population.actors.base import Actor, ActorOutput, register_actor
from mirrorenv.population.layers import StackedLinear
from mirrorenv.population.settings import PopulationSettings, PopulationShape
from mirrorenv.strict import StrictModel

__all__ = ["ByT5Actor", "ByT5Settings", "ByT5Speech"]

_FIRST = 3  # ids of ByT5 before the 256 bytes: padding, end, unknown


class ByT5Settings(StrictModel):
    """`population.actor_options` of the actor `byt5`."""

    folder: str
    """Where the weights are, as transformers saves them; nothing is loaded from elsewhere."""
    rank: int = Field(default=16, ge=1, le=256)
    """Of the adapters."""
    alpha: int = Field(default=32, ge=1)
    """Their scale is alpha over rank."""
    prompt: int = Field(default=192, ge=1, le=4096)
    """How many columns of what it saw an agent reads."""


class ByT5Speech(nn.Module):
    """A frozen ByT5 with S adapters, as :class:`Utterances` asks it.

    Args:
        adapters: S.
        length: L.
        options: see `ByT5Settings`.
        generator: source of the adapters' first factors.

    Raises:
        ConfigError: if the folder holds no such model.
        MissingExtraError: if transformers or peft is not installed.
    """

    def __init__(
        self, adapters: int, length: int, options: ByT5Settings, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.length = length
        self.names = [f"agent{number}" for number in range(adapters)]
        self._base = (_tuned(options, self.names),)  # in a tuple: no part of this module
        held = {
            name.replace(".", "/"): parameter
            for name, parameter in self._base[0].named_parameters()
            if "lora_" in name
        }
        for name, parameter in held.items():
            first = "lora_A" in name
            bound = 1 / math.sqrt(parameter.shape[1]) if first else 0.0
            with torch.no_grad():
                drawn = torch.rand(parameter.shape, generator=generator)
                parameter.copy_(bound * (2 * drawn - 1))
        self.adapters = nn.ParameterDict(held)

    def _as(self, number: int) -> Any:
        """The model with one agent's adapter."""
        self._base[0].set_adapter(self.names[number])
        for parameter in self.adapters.values():  # peft switches off those of the others
            parameter.requires_grad_(True)
        return self._base[0].base_model.model

    def encode(self, prompts: Tensor) -> Tensor:
        """(S, R, P) int64 bytes -> (S, R, P, H)."""
        states = [
            self._as(number).encoder(input_ids=rows + _FIRST).last_hidden_state
            for number, rows in enumerate(prompts)
        ]
        return torch.stack(states)

    def logits(self, intent: Tensor, said: Tensor) -> Tensor:
        """See `Speech.logits`: (S, R, P, H) and (S, R, L) -> (S, R, L, 256)."""
        begin = torch.zeros_like(said[..., :1])
        read = torch.cat([begin, said[..., :-1] + _FIRST], -1)
        return torch.stack([self._ask(n, intent, rows, None)[0] for n, rows in enumerate(read)])

    def first(self, intent: Tensor) -> tuple[Tensor, Any]:
        """See `Speech.first`."""
        begin = torch.zeros(*intent.shape[:2], 1, dtype=torch.long, device=intent.device)
        return self._further(begin, intent, [None] * len(intent))

    def next(self, symbol: Tensor, place: int, cache: Any) -> tuple[Tensor, Any]:
        """See `Speech.next`."""
        intent, kept = cache
        return self._further(symbol.unsqueeze(-1) + _FIRST, intent, kept)

    def _further(self, read: Tensor, intent: Tensor, kept: list[Any]) -> tuple[Tensor, Any]:
        asked = [self._ask(n, intent, rows, kept[n]) for n, rows in enumerate(read)]
        logits = torch.stack([found[:, 0] for found, _ in asked])  # (S, R, 256)
        return logits, (intent, [cache for _, cache in asked])

    def _ask(self, number: int, intent: Tensor, read: Tensor, cache: Any) -> tuple[Tensor, Any]:
        """(R, t) ids behind a cache -> (R, t, 256) logits of bytes, and the cache behind them."""
        from transformers.modeling_outputs import BaseModelOutput

        found = self._as(number)(
            encoder_outputs=BaseModelOutput(last_hidden_state=intent[number]),
            decoder_input_ids=read,
            past_key_values=cache,
            use_cache=not torch.is_grad_enabled(),
        )
        return found.logits[..., _FIRST : _FIRST + 256], found.past_key_values

    def merged(self, number: int) -> Any:
        """A model of its own with an agent's adapter added to the weights."""
        whole = copy.deepcopy(self._base[0])
        whole.set_adapter(self.names[number])
        return whole.merge_and_unload(adapter_names=[self.names[number]])

    def base_weights(self) -> dict[str, Tensor]:
        """The frozen weights by name."""
        named = self._base[0].named_parameters()
        return {name: one.detach() for name, one in named if "lora_" not in name}


def _tuned(options: ByT5Settings, names: list[str]) -> Any:
    """The model of a folder with adapters beside its weights."""
    transformers = require("transformers", "trl")
    peft = require("peft", "trl")
    folder = Path(options.folder).expanduser()
    try:
        model = transformers.T5ForConditionalGeneration.from_pretrained(
            str(folder), local_files_only=True
        )
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(
            f"population.actor_options.folder = {options.folder}: no ByT5 as transformers saves "
            f"one ({str(error).splitlines()[0][:200]})"
        ) from error
    if model.config.vocab_size < _FIRST + 256:
        raise ConfigError(
            f"{folder}: a vocabulary of {model.config.vocab_size} has no place for 256 bytes "
            "behind three special tokens; is it a ByT5?"
        )
    chosen = peft.LoraConfig(r=options.rank, lora_alpha=options.alpha, target_modules=["q", "v"])
    tuned = peft.get_peft_model(model.eval(), chosen, adapter_name=names[0])
    for name in names[1:]:
        tuned.add_adapter(name, chosen)
    return tuned.eval()


@register_actor("byt5")
class ByT5Actor(Actor):
    """N agents that speak through one ByT5.

    Args:
        shape: what the world fixes; its action is an utterance.
        settings: `actor_options` are `ByT5Settings`.
        generator: source of the initial weights.

    Raises:
        ConfigError: if the world's action is no utterance, weights are to be shared, or the folder
            holds no ByT5.
    """

    Settings = ByT5Settings

    def __init__(
        self, shape: PopulationShape, settings: PopulationSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        if not isinstance(shape.actions, Bytes) or settings.weights == "shared":
            raise ConfigError(
                "population.actor = byt5 speaks, each agent with an adapter of its own: it needs a "
                "world whose action is MultiDiscrete([256] * length), and weights = separate"
            )
        options = ByT5Settings.checked(settings.actor_options, "population.actor_options")
        self.num_agents = shape.num_agents
        self.prompt = min(options.prompt, max(shape.observation_size, 1))
        self.speech = ByT5Speech(shape.num_agents, shape.actions.length, options, generator)
        width = self.speech._base[0].config.d_model
        self.critics = StackedLinear(shape.num_agents, width, 2, 1.0, generator)

    def initial_state(self, batch: int) -> Tensor:
        """See `Actor.initial_state`: what an agent remembers stands in what it sees."""
        return torch.zeros(batch, 0, device=self.critics.weight.device)

    def step(self, observations: Tensor, state: Tensor) -> tuple[ActorOutput, Tensor]:
        """See `Actor.step`."""
        return self.sequence(observations), state

    def sequence(self, observations: Tensor, mask: Tensor | None = None) -> ActorOutput:
        """See `Actor.sequence`."""
        intent = self._intent(observations)  # (S, R, P, H)
        hidden = intent.mean(2)  # (S, R, H)
        lead = observations.shape[:-1]
        values = self._unfold(self.critics(hidden), lead)  # (..., N, 2)
        mirror_value = values[..., 1]
        if not self.mirror_paid:
            mirror_value = self._unfold(self.critics(hidden.detach()), lead)[..., 1]
        spoken = Utterances(self.speech, intent, lead)
        layers = {"trunk": self._unfold(hidden, lead)}
        return ActorOutput(spoken, values[..., 0], mirror_value, layers)

    def replay(self, observations: Tensor) -> Utterances:
        """See `Actor.replay`."""
        lead = (*observations.shape[:3], self.num_agents)
        every = observations.unsqueeze(3).expand(*lead, observations.shape[-1])
        return Utterances(self.speech, self._intent(every), lead)

    def mirror_entries(self) -> list[tuple[nn.Parameter, object]]:
        """See `Actor.mirror_entries`: the second output of the critics."""
        return [(self.critics.weight, (..., 1)), (self.critics.bias, (..., 1))]

    def _intent(self, observations: Tensor) -> Tensor:
        """(..., N, D) between 0 and 1 -> (S, R, P, H)."""
        seen = observations[..., : self.prompt].reshape(-1, self.num_agents, self.prompt)
        prompts = (seen.transpose(0, 1).clamp(0, 1) * 255).round().long()  # (S, R, P)
        return self.speech.encode(prompts)

    def _unfold(self, rows: Tensor, lead: tuple[int, ...]) -> Tensor:
        """(S, R, X) -> (..., N, X)."""
        return rows.transpose(0, 1).reshape(*lead, rows.shape[-1])
