"""N voices on one base model: each a low-rank adapter, one of them in the model at a time.

Needs torch, transformers and peft. Adapters are kept as plain tensors and copied in and out; the
untouched model is the same module with its adapters switched off. Voices that are whole models are
in :mod:`mirrorenv.preference.full_voices`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from mirrorenv.errors import ConfigError
from mirrorenv.llm.model import LanguageModel

__all__ = ["ADAPTER", "State", "Voices", "derived_seed"]

ADAPTER = "default"  # the only name that TRL trains
State = dict[str, torch.Tensor]


def derived_seed(*parts: object) -> int:
    """A seed that belongs to what it is named after, below 2^31."""
    digest = blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % (1 << 31)


class Voices:
    """A population of adapters.

    Attributes:
        whole: whether a voice is a whole model.
        base: the untouched model.
        players: names of the N voices.
        model: what is trained, with one voice in it at a time.
        states: the weights of every voice, on the CPU.

    Args:
        base: the untouched model; adapters are put into it until :meth:`close`.
        players: names of the N voices.
        rank: of the adapters; alpha is twice the rank.
        targets: which linear layers, by the end of their names.
        seed: of the adapters' first weights.

    Raises:
        ConfigError: if the model has no such layers.
    """

    whole = False

    def __init__(
        self,
        base: LanguageModel,
        players: Sequence[str],
        rank: int,
        targets: Sequence[str],
        seed: int,
    ) -> None:
        self.base, self.players = base, tuple(players)
        config = LoraConfig(
            r=rank,
            lora_alpha=2 * rank,
            lora_dropout=0.0,
            target_modules=list(targets),
            task_type="CAUSAL_LM",
        )
        try:
            with warnings.catch_warnings():
                # peft asks by a name that transformers has changed
                warnings.simplefilter("ignore", FutureWarning)
                self.model: Any = get_peft_model(base.model, config, adapter_name=ADAPTER)
        except ValueError as error:
            raise ConfigError(
                f"learning.targets: the model '{base.name}' has no linear layers named "
                f"{', '.join(targets)} ({error}); "
                "name the layers of its attention"
            ) from error
        self.states: list[State] = [
            self._fresh(derived_seed(seed, "adapter", name)) for name in self.players
        ]
        self._present: int | None = None

    def __len__(self) -> int:
        return len(self.players)

    def close(self) -> None:
        """Take the adapters out of the base model again."""
        self.unpatch()
        self.base.model = self.model.unload().eval()

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        found: torch.device = self.model.device
        return found

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """A voice's weights that are in the model now, by name."""
        return {name: p for name, p in self.model.named_parameters() if f".{ADAPTER}." in name}

    def unpatch(self) -> None:
        """Take TRL's forward away, which it would wrap again and again."""
        vars(self.model.get_base_model()).pop("forward", None)

    def only_voice(self) -> None:
        """Undo what a trainer of TRL adds: a copy of the adapter to compare with; ours is the
        untouched model."""
        if "ref" in self.model.peft_config:
            self.model.delete_adapter("ref")
        self.model.set_adapter(ADAPTER)

    def save(self, player: int, folder: Path) -> None:
        """Write a voice as peft loads it."""
        self.put_in(player)
        self.model.save_pretrained(str(folder))

    def _fresh(self, seed: int) -> State:
        """First weights: A uniform as for a linear layer, B zero, so that every voice begins as the
        untouched model."""
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
        self.states[player] = {
            name: weights.detach().cpu().clone() for name, weights in self.parameters().items()
        }

    @contextmanager
    def speaking(self, player: int | None) -> Iterator[LanguageModel]:
        """The model as a player, or untouched for None. What it has read is forgotten
        afterwards."""
        if player is None:
            with self.model.disable_adapter():
                yield LanguageModel(self.model, self.base.tokenizer, self.base.name)
        else:
            self.put_in(player)
            yield LanguageModel(self.model, self.base.tokenizer, self.base.name)
