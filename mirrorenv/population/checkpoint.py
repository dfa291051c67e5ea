"""Populations on disk: weights as safetensors, everything else as JSON, checksums beside both.
Nothing is unpickled."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from mirrorenv.errors import CheckpointError, ConfigError, MirrorError
from mirrorenv.population.migration import (
    VERSION,
    present_weights,
    read_population,
    read_shape,
)
from mirrorenv.population.objectives.base import refuse_unnamed_code
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationSettings, PopulationShape
from mirrorenv.results.runs.files import atomic_write_bytes, atomic_write_json, read_json
from mirrorenv.results.runs.manifest import verify_manifest, write_manifest

__all__ = ["clone", "load_population", "save_population", "world_of"]

_WEIGHTS = "population.safetensors"
_CONFIG = "config.json"


def save_population(folder: Path, population: Population, run: dict[str, Any]) -> None:
    """Write a checkpoint.

    Args:
        folder: made if missing.
        population: what to save.
        run: what is needed to play on: the world's id and options, the seed, steps done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in population.state_dict().items()
    }
    atomic_write_bytes(folder / _WEIGHTS, save(weights))
    config = {
        "version": VERSION,
        "shape": population.shape.model_dump(),
        "population": population.settings.model_dump(),
        "run": run,
    }
    atomic_write_json(folder / _CONFIG, config)
    write_manifest(folder, [_WEIGHTS, _CONFIG])


def load_population(folder: Path) -> tuple[Population, dict[str, Any]]:
    """Read a checkpoint.

    Returns:
        the population, and what was saved as `run`.

    Raises:
        CheckpointError: if a file is missing, a byte has changed or the weights do not fit the
            configuration.
    """
    if not (folder / _WEIGHTS).is_file():
        raise CheckpointError(
            f"{folder} is not a checkpoint (no {_WEIGHTS}). "
            "Give one of the folders under a run's checkpoints/, or the run folder itself."
        )
    try:
        verify_manifest(folder)
        config = read_json(folder / _CONFIG)
        weights = present_weights(load((folder / _WEIGHTS).read_bytes()))
        version = config.get("version", 1)
        shape = PopulationShape(**read_shape(config["shape"], version))
        settings = PopulationSettings(**read_population(config["population"], version))
        _check_code(settings.actor)
        refuse_unnamed_code(settings.auxiliaries)
        population = Population(shape, settings)
        population.load_state_dict(weights)
    except ConfigError as error:  # of a later version, or of code that is not here
        raise CheckpointError(f"the checkpoint {folder} cannot be used: {error}") from error
    except MirrorError as error:  # it says what to do
        raise CheckpointError(f"the checkpoint {folder} is damaged: {error}") from error
    except (SafetensorError, ValidationError, RuntimeError, KeyError, TypeError, OSError) as error:
        raise CheckpointError(
            f"the checkpoint {folder} is damaged: {error}; take an older one beside it, or train "
            "again"
        ) from error
    return population.eval(), config["run"]


def _check_code(actor: str) -> None:
    """A checkpoint is data: an actor at ``package.module:Name`` is taken only from a module that
    this process has imported for another reason, such as settings that the user has typed.

    Raises:
        ConfigError: if the module would have to be imported.
    """
    module = actor.partition(":")[0]
    if ":" in actor and module not in sys.modules:
        raise ConfigError(
            f"it names code to run: population.actor = {actor}. It may come from anybody, so "
            f"import {module} yourself first if that is the one you mean"
        )


def world_of(about: dict[str, Any], named: str | None = None) -> tuple[str, dict[str, Any]]:
    """The world that a checkpoint names, and its options.

    A checkpoint is data, but ``package.module:Env`` is code, and any function could stand there. So
    it is imported only if the caller names the same world.

    Args:
        about: what `load_population` returns.
        named: the world that the user has named, if any.

    Raises:
        CheckpointError: if the checkpoint names code and the user has not.
    """
    id = str(about["world"])
    options = dict(about["world_options"])
    code = [text for text in (id, options.get("others")) if isinstance(text, str) and ":" in text]
    if code and named != id:
        raise CheckpointError(
            f"the checkpoint names code to run: {', '.join(code)}. It may come from anybody, so "
            "name the world "
            f"yourself if that is the one you mean: --world {id} (with rllib: --env {id})"
        )
    return id, options


def clone(population: Population) -> Population:
    """A copy with the same weights that shares no memory."""
    copy = Population(population.shape, population.settings)
    with torch.no_grad():
        copy.load_state_dict(population.state_dict())
    return copy
