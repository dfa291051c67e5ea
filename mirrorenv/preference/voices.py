"""N voices of one language model, of which one is in the working model at a time. Needs torch.

A voice is what one player has learned: weights that are kept as plain tensors and copied into the
working model and out of it. What those weights are is a matter of the kind of population: low-rank
adapters (:mod:`mirrorenv.preference.adapter_voices`) or whole models
(:mod:`mirrorenv.preference.full_voices`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

import torch

from mirrorenv.llm.model import LanguageModel

__all__ = ["VoicePopulation", "Weights", "derived_seed"]

Weights = dict[str, torch.Tensor]
"""Weight tensors by name, on the CPU."""


def derived_seed(*parts: object) -> int:
    """A seed from the names of what it is for, below 2^31."""
    digest = blake2b("|".join(map(str, parts)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") % (1 << 31)


class VoicePopulation(ABC):
    """N voices of one model.

    Attributes:
        whole_models: whether a voice is a whole model.
        base: the untouched model.
        players: names of the N voices.
        model: what is trained, with one voice in it at a time.
        states: the weights of every voice.
    """

    whole_models: ClassVar[bool]
    base: LanguageModel
    players: tuple[str, ...]
    model: Any  # a transformers model, or peft's wrapper of one
    states: list[Weights]

    def __len__(self) -> int:
        return len(self.players)

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        found: torch.device = self.model.device
        return found

    @abstractmethod
    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """A voice's weights that are in the model now, by name."""

    @abstractmethod
    def untouched(self) -> AbstractContextManager[LanguageModel]:
        """The model as it was before any voice was tuned."""

    @abstractmethod
    def save(self, player: int, folder: Path) -> None:
        """Write a voice into a folder, in the form that its library loads."""

    @abstractmethod
    def close(self) -> None:
        """Leave the base model as it was found."""

    @abstractmethod
    def remove_trainer_patches(self) -> None:
        """Undo what TRL's trainers put on the model's forward pass."""

    @abstractmethod
    def remove_reference_copy(self) -> None:
        """Undo the copy of a voice that TRL adds to compare with; ours is the untouched model."""

    def load(self, player: int) -> None:
        """Copy a player's weights into the model."""
        for name, weights in self.parameters().items():
            weights.data.copy_(self.states[player][name])

    def store(self, player: int) -> None:
        """Keep the weights that are in the model as the player's."""
        self.states[player] = {
            name: weights.detach().cpu().clone() for name, weights in self.parameters().items()
        }

    @contextmanager
    def speaking(self, player: int | None) -> Iterator[LanguageModel]:
        """The model as a player, or untouched for None. What it has read is forgotten
        afterwards."""
        if player is None:
            with self.untouched() as model:
                yield model
        else:
            self.load(player)
            yield LanguageModel(self.model, self.base.tokenizer, self.base.name)
