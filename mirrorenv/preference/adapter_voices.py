"""Voices that are low-rank adapters on one model, which itself stays as it is. Needs torch,
transformers and peft."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model

from mirrorenv.errors import ConfigError
from mirrorenv.llm.model import LanguageModel
from mirrorenv.preference.voices import VoicePopulation, Weights, derived_seed

__all__ = ["ADAPTER", "AdapterVoices"]

ADAPTER = "default"  # the only name that TRL trains


class AdapterVoices(VoicePopulation):
    """A population of low-rank adapters; the untouched model is the same module with its adapters
    switched off.

    Args:
        base: the untouched model; adapters are put into it until :meth:`close`.
        players: names of the N voices.
        rank: of the adapters; alpha is twice the rank.
        targets: which linear layers, by the end of their names.
        seed: of the adapters' first weights.

    Raises:
        ConfigError: if the model has no such layers.
    """

    whole_models = False

    def __init__(
        self,
        base: LanguageModel,
        players: Sequence[str],
        rank: int,
        targets: Sequence[str],
        seed: int,
    ) -> None:
        self.base = base
        self.players = tuple(players)
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
                f"{', '.join(targets)} ({error}); name the layers of its attention"
            ) from error
        self.states = [self._first_weights(derived_seed(seed, "adapter", p)) for p in self.players]

    def close(self) -> None:
        """Take the adapters out of the base model again."""
        self.remove_trainer_patches()
        self.base.model = self.model.unload().eval()

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """A voice's weights that are in the model now, by name."""
        return {name: p for name, p in self.model.named_parameters() if f".{ADAPTER}." in name}

    def remove_trainer_patches(self) -> None:
        """Take TRL's forward away, which it would wrap again and again."""
        vars(self.model.get_base_model()).pop("forward", None)

    def remove_reference_copy(self) -> None:
        """Remove the second adapter that TRL adds to compare with."""
        if "ref" in self.model.peft_config:
            self.model.delete_adapter("ref")
        self.model.set_adapter(ADAPTER)

    def save(self, player: int, folder: Path) -> None:
        """Write a voice as peft loads it."""
        self.load(player)
        self.model.save_pretrained(str(folder))

    @contextmanager
    def untouched(self) -> Iterator[LanguageModel]:
        """The model with its adapters switched off."""
        with self.model.disable_adapter():
            yield LanguageModel(self.model, self.base.tokenizer, self.base.name)

    def _first_weights(self, seed: int) -> Weights:
        """A uniform as for a linear layer, B zero (Hu et al. 2022), so that every voice begins as
        the untouched model."""
        draws = torch.Generator().manual_seed(seed)
        weights: Weights = {}
        for name, parameter in self.parameters().items():
            bound = 0.0 if "lora_B" in name else 1 / math.sqrt(parameter.shape[-1])
            weights[name] = (torch.rand(parameter.shape, generator=draws) * 2 - 1) * bound
        return weights
