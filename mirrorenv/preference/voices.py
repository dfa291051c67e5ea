"""N voices on one base model: each a low-rank adapter, one of them in the model at a time.

Needs torch, transformers and peft. Adapters are kept as plain tensors and copied in and out; the untouched model is the
same module with its adapters switched off.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from mirrorenv.debate.local.model import LanguageModel
from mirrorenv.errors import ConfigError

__all__ = ["ADAPTER", "State", "Voices", "derived_seed"]

ADAPTER = "default"  # the only name that TRL trains
State = dict[str, torch.Tensor]


def derived_seed(*parts: object) -> int:
    """A seed that belongs to what it is named after, below 2^31."""
    digest = blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % (1 << 31)


class Voices:
    """A population of adapters.

    Args:
        base: the untouched model; adapters are put into it until :meth:`close`.
        players: names of the N voices.
        rank: of the adapters; alpha is twice the rank.
        targets: which linear layers, by the end of their names.
        seed: of the adapters' first weights.

    Raises:
        ConfigError: if the model has no such layers.
    """

    def __init__(
        self, base: LanguageModel, players: Sequence[str], rank: int, targets: Sequence[str], seed: int
    ) -> None:
        self.base, self.players = base, tuple(players)
        config = LoraConfig(
            r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=list(targets), task_type="CAUSAL_LM"
        )
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)  # peft asks by a name that transformers has changed
                self.peft: Any = get_peft_model(base.model, config, adapter_name=ADAPTER)
        except ValueError as error:
            raise ConfigError(
                f"learning.targets: the model '{base.name}' has no linear layers named {', '.join(targets)} ({error}); "
                "name the layers of its attention"
            ) from error
        self.states: list[State] = [self._fresh(derived_seed(seed, "adapter", name)) for name in self.players]
        self._present: int | None = None

    def __len__(self) -> int:
        return len(self.players)

    def close(self) -> None:
        """Take the adapters out of the base model again."""
        vars(self.peft.get_base_model()).pop("forward", None)
        self.base.model = self.peft.unload().eval()

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """The adapter's weights that are in the model now, by name."""
        return {name: p for name, p in self.peft.named_parameters() if f".{ADAPTER}." in name}

    def _fresh(self, seed: int) -> State:
        """First weights: A uniform as for a linear layer, B zero, so that every voice begins as the untouched model."""
        draws = torch.Generator().manual_seed(seed)
        state = {}
        for name, weights in self.parameters().items():
            bound = 0.0 if "lora_B" in name else 1 / math.sqrt(weights.shape[-1])
            state[name] = (torch.rand(weights.shape, generator=draws) * 2 - 1) * bound
        return state

    def put_in(self, player: int) -> None:
        """Make the model speak as a player."""
        for name, weights in self.parameters().items():
            weights.data.copy_(self.states[player][name])

    def take_out(self, player: int) -> None:
        """Keep the weights in the model as the player's."""
        self.states[player] = {name: weights.detach().cpu().clone() for name, weights in self.parameters().items()}

    @contextmanager
    def speaking(self, player: int | None) -> Iterator[LanguageModel]:
        """The model as a player, or untouched for None. What it has read is forgotten afterwards."""
        model = self.peft
        if player is None:
            with model.disable_adapter():
                yield LanguageModel(model, self.base.tokenizer, self.base.name)
        else:
            self.put_in(player)
            yield LanguageModel(model, self.base.tokenizer, self.base.name)
