"""What a run must remember between rounds, as safetensors and JSON; nothing is unpickled. Needs
torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mirrorenv.errors import CheckpointError, MirrorError
from mirrorenv.preference.classifiers import AuthorClassifiers
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.voices import VoicePopulation, Weights
from mirrorenv.results.runs.files import atomic_write_json, read_json
from mirrorenv.results.runs.manifest import verify_manifest

__all__ = ["OptimiserState", "RoundState", "load_round", "save_round"]

_ADAPTERS = "adapters.safetensors"
_OPTIMISERS = "optimisers.safetensors"
_CLASSIFIERS = "heads.safetensors"
_STATE = "state.json"

OptimiserState = dict[int, dict[str, torch.Tensor]]
"""By number of the weight tensor: AdamW's moments and step."""


@dataclass
class RoundState:
    """How far a run is.

    Attributes:
        betas: KL weight of each player.
        rates: step size of each player.
        round: rounds that were tried.
        version: round whose population is in place: earlier than `round` if all were rolled back.
        versions: round that each player's voice comes from.
        best: round with the best recognition among the useful ones; 0 is the untouched population.
        best_rank: its recognition, what decides where that is equal, and what is recognised of
            fresh texts.
        stale: rounds since.
        reference: usefulness of each player's first texts.
        optimisers: by player, None before its first step.
    """

    betas: list[float]
    rates: list[float]
    round: int = 0
    version: int = 0
    versions: list[int] = field(default_factory=list)
    best: int = 0
    best_rank: list[float] = field(default_factory=list)
    stale: int = 0
    reference: dict[str, dict[str, Any]] = field(default_factory=dict)
    optimisers: list[OptimiserState | None] = field(default_factory=list)

    @classmethod
    def start(cls, settings: PreferenceSettings) -> RoundState:
        """The state before the first round."""
        count = len(settings.names)
        return cls(
            betas=[settings.loss.beta] * count,
            rates=[settings.learning.learning_rate] * count,
            versions=[0] * count,
            optimisers=[None] * count,
        )


def save_round(
    folder: Path, voices: VoicePopulation, classifiers: AuthorClassifiers, state: RoundState
) -> None:
    """Write a checkpoint.

    Args:
        folder: an empty folder.
        voices: whose adapters are saved, one for each player.
        classifiers: of authors, saved likewise.
        state: where the run stands, optimisers' moments among it.
    """
    save_file(_by_player(voices.states), folder / _ADAPTERS)
    save_file(_by_player(classifiers.states), folder / _CLASSIFIERS)
    moments = [_by_player_tensors(optimiser or {}) for optimiser in state.optimisers]
    save_file(_by_player(moments), folder / _OPTIMISERS)
    plain = asdict(state)
    plain.pop("optimisers")
    atomic_write_json(folder / _STATE, plain)


def _by_player(tensors: Sequence[Mapping[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Names `player/name`, as one flat mapping."""
    return {
        f"{player}/{name}": tensor.contiguous()
        for player, own in enumerate(tensors)
        for name, tensor in own.items()
    }


def _by_player_tensors(optimiser: OptimiserState) -> dict[str, torch.Tensor]:
    return {
        f"{index}/{name}": tensor
        for index, moments in optimiser.items()
        for name, tensor in moments.items()
    }


def load_round(folder: Path, voices: VoicePopulation, classifiers: AuthorClassifiers) -> RoundState:
    """Read a checkpoint.

    Args:
        folder: that `save_round` filled.
        voices: whose adapters are replaced, in place, once all was read.
        classifiers: likewise.

    Returns:
        where the run stood.

    Raises:
        CheckpointError: if a byte has changed or it does not fit.
    """
    try:
        verify_manifest(folder)
        plain = read_json(folder / _STATE)
        adapters = load_file(folder / _ADAPTERS)
        states = [_own_weights(adapters, voices, player) for player in range(len(voices))]
        known = _split_by_player(load_file(folder / _CLASSIFIERS), len(voices))
        optimisers = [
            _optimiser(moments)
            for moments in _split_by_player(load_file(folder / _OPTIMISERS), len(voices))
        ]
        state = RoundState(**plain, optimisers=optimisers)
        # older runs took all players back together
        state.versions = state.versions or [state.version] * len(voices)
    except MirrorError as error:
        raise CheckpointError(f"the checkpoint {folder} is damaged: {error}") from error
    except (SafetensorError, LookupError, TypeError, ValueError, OSError) as error:
        raise CheckpointError(
            f"the checkpoint {folder} does not fit this run: {error}; start a new run"
        ) from error
    voices.states = states
    classifiers.states = known
    return state


def _own_weights(
    adapters: Mapping[str, torch.Tensor], voices: VoicePopulation, player: int
) -> Weights:
    return {name: adapters[f"{player}/{name}"] for name in voices.states[player]}


def _split_by_player(tensors: Mapping[str, torch.Tensor], players: int) -> list[Weights]:
    found: list[Weights] = [{} for _ in range(players)]
    for key, tensor in tensors.items():
        player, _, name = key.partition("/")
        found[int(player)][name] = tensor
    return found


def _optimiser(moments: Mapping[str, torch.Tensor]) -> OptimiserState | None:
    """From names `index/name`; None for a player that has made no step."""
    found: OptimiserState = {}
    for key, tensor in moments.items():
        index, _, name = key.partition("/")
        found.setdefault(int(index), {})[name] = tensor
    return found or None
