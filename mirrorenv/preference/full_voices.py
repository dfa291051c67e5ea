"""N voices that are whole models: one of them in memory's working copy at a time, the untouched
model beside it.

Needs torch and transformers. Weights are kept in float32 whatever the untouched model computes in:
at the small steps that whole models take, bfloat16 would round every update away.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

from mirrorenv.errors import TrainingError
from mirrorenv.llm.model import LanguageModel
from mirrorenv.preference.voices import VoicePopulation, Weights

__all__ = ["FullModelVoices", "bytes_needed", "free_bytes"]

_FLOAT = 4  # bytes of a float32


class FullModelVoices(VoicePopulation):
    """A population of whole models.

    Args:
        base: the untouched model, which stays as it is.
        players: names of the N voices.

    Raises:
        TrainingError: if memory will not suffice.
    """

    whole_models = True

    def __init__(self, base: LanguageModel, players: Sequence[str]) -> None:
        self.base = base
        self.players = tuple(players)
        refuse_too_large(base, len(self.players))
        self.model = copy.deepcopy(base.model).float().eval()
        self.model.requires_grad_(True)
        self.states = [self._copied_weights() for _ in self.players]

    def _copied_weights(self) -> Weights:
        return {name: weights.detach().cpu().clone() for name, weights in self.parameters().items()}

    def close(self) -> None:
        """Let the working copy go."""
        del self.model

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """A voice's weights that are in the model now, by name."""
        return dict(self.model.named_parameters())

    def remove_trainer_patches(self) -> None:
        """Take TRL's forward away, which it would wrap again and again."""
        vars(self.model).pop("forward", None)

    def remove_reference_copy(self) -> None:
        """Do nothing: TRL adds no copy to a whole model whose reference is precomputed."""

    def save(self, player: int, folder: Path) -> None:
        """Write a voice as transformers loads it."""
        self.load(player)
        self.model.save_pretrained(str(folder))
        self.base.tokenizer.save_pretrained(str(folder))

    @contextmanager
    def untouched(self) -> Iterator[LanguageModel]:
        """The base model, which is another module."""
        yield LanguageModel(self.base.model, self.base.tokenizer, self.base.name)


def bytes_needed(weights: int, players: int) -> int:
    """Memory beside the untouched model and activations: working copy, gradients, a copy on the
    move, and of each player its weights and AdamW's two moments.

    Args:
        weights: numbers in the model.
        players: N.
    """
    return _FLOAT * weights * (3 + 3 * players)


def free_bytes() -> int:
    """Memory that this process can still take: what the machine has, or the control group
    allows."""
    import psutil

    free = int(psutil.virtual_memory().available)
    with suppress(OSError, ValueError):  # no such files, or "max"
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.current").read_text())
        kept = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        # what was read from disk can be given up
        free = min(free, limit - used + int(kept.get("inactive_file", 0)))
    return free


def refuse_too_large(base: LanguageModel, players: int) -> None:
    """Check that whole models fit, before any is made.

    Raises:
        TrainingError: with what is needed and what there is.
    """
    weights = sum(p.numel() for p in base.model.parameters())
    needs = [(bytes_needed(weights, players), free_bytes(), "memory")]
    if base.model.device.type == "cuda":  # the working copy, gradients and one player's moments
        needs.append(
            (
                4 * _FLOAT * weights,
                torch.cuda.mem_get_info(base.model.device)[0],
                "memory of the GPU",
            )
        )
    for needed, free, what in needs:
        if needed > free:
            raise TrainingError(
                f"learning.weights = full: {players} whole models of '{base.name}' need "
                f"{needed / 1e9:.1f} GB of "
                f"{what} beside the untouched one, and {free / 1e9:.1f} GB are free. Train fewer "
                "players, a smaller "
                "model, or learning.weights=adapters"
            )
