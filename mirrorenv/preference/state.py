"""What a run must remember between rounds, as safetensors and JSON; nothing is unpickled. Needs
torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from mirrorenv.errors import CheckpointError, MirrorError
from mirrorenv.preference.dpo import OptimiserState
from mirrorenv.preference.heads import Heads
from mirrorenv.preference.voices import State, Voices
from mirrorenv.results.runs.files import atomic_write_json, read_json, verify_manifest

__all__ = ["Progressed", "load_round", "save_round"]

_ADAPTERS, _OPTIMISERS, _STATE = "adapters.safetensors", "optimisers.safetensors", "state.json"
_HEADS = "heads.safetensors"


@dataclass
class Progressed:
    """How far a run is.

    Attributes:
        round: rounds that were tried.
        version: round whose population is in place: earlier than `round` if all were rolled back.
        versions: round that each player's voice comes from.
        betas: KL weight of each player.
        rates: step size of each player.
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


def save_round(folder: Path, voices: Voices, heads: Heads, state: Progressed) -> None:
    """Write a checkpoint into an empty folder."""
    save_file(
        {
            f"{n}/{name}": tensor
            for n, some in enumerate(voices.states)
            for name, tensor in some.items()
        },
        folder / _ADAPTERS,
    )
    save_file(
        {
            f"{n}/{name}": tensor.contiguous()
            for n, some in enumerate(heads.states)
            for name, tensor in some.items()
        },
        folder / _HEADS,
    )
    moments = {
        f"{n}/{index}/{name}": tensor.contiguous()
        for n, optimiser in enumerate(state.optimisers)
        for index, entry in (optimiser or {}).items()
        for name, tensor in entry.items()
    }
    save_file(moments, folder / _OPTIMISERS)
    plain = asdict(state)
    plain.pop("optimisers")
    atomic_write_json(folder / _STATE, plain)


def load_round(folder: Path, voices: Voices, heads: Heads) -> Progressed:
    """Read a checkpoint; weights go into `voices` and `heads`.

    Raises:
        CheckpointError: if a byte has changed or it does not fit.
    """
    try:
        verify_manifest(folder)
        plain, adapters = read_json(folder / _STATE), load_file(folder / _ADAPTERS)
        moments = load_file(folder / _OPTIMISERS)
        states = [
            {name: adapters[f"{n}/{name}"] for name in voices.states[n]} for n in range(len(voices))
        ]
        kept: list[State] = [{} for _ in range(len(voices))]
        for key, tensor in load_file(folder / _HEADS).items():
            player, name = key.split("/")
            kept[int(player)][name] = tensor
        optimisers: list[OptimiserState | None] = []
        for n in range(len(voices)):
            found: OptimiserState = {}
            for key, tensor in moments.items():
                player, index, name = key.split("/")
                if int(player) == n:
                    found.setdefault(int(index), {})[name] = tensor
            optimisers.append(found or None)
        state = Progressed(**plain, optimisers=optimisers)
        # older runs took everybody back together
        state.versions = state.versions or [state.version] * len(voices)
    except MirrorError as error:
        raise CheckpointError(f"the checkpoint {folder} is damaged: {error}") from error
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        raise CheckpointError(
            f"the checkpoint {folder} does not fit this run: {error}; start it anew"
        ) from error
    voices.states, heads.states = states, kept
    return state
