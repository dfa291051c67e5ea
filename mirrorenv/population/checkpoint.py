"""Populations on disk: weights as safetensors, everything else as JSON, checksums beside both.
Nothing is unpickled."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.errors import CheckpointError, ConfigError, MirrorError
from mirrorenv.named_code import unnamed_code
from mirrorenv.population.experience import population_shape
from mirrorenv.population.migration import (
    VERSION,
    present_weights,
    read_population,
    read_shape,
)
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationSettings, PopulationShape
from mirrorenv.results.runs.files import (
    atomic_write_bytes,
    atomic_write_json,
    read_bytes,
    read_json,
)
from mirrorenv.results.runs.limits import at_most
from mirrorenv.results.runs.manifest import verify_manifest, write_manifest

__all__ = ["check_fits", "clone", "load_population", "save_population", "world_of"]

_WEIGHTS = "population.safetensors"
_CONFIG = "config.json"
LARGEST_OPTION = 100_000
"""No world that is saved has an argument above this."""
_SPARE = 256  # megabytes: what is imported, and what an objective keeps beside its weights


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
        data = read_bytes(folder / _WEIGHTS)
        weights = present_weights(load(data))
        version = config.get("version", 1)
        _refuse_unnamed_code(config)
        shape = PopulationShape(**read_shape(config["shape"], version))
        settings = PopulationSettings(**read_population(config["population"], version))
        with at_most(_SPARE + 4 * (len(data) >> 20)):  # settings can ask for any network
            population = Population(shape, settings)
            population.load_state_dict(weights)
    except MemoryError as error:
        raise CheckpointError(
            f"the checkpoint {folder} is damaged: its settings ask for a network that is larger "
            "than its weights"
        ) from error
    except ConfigError as error:  # of a later version, or of code that is not here
        raise CheckpointError(f"the checkpoint {folder} cannot be used: {error}") from error
    except MirrorError as error:  # it says what to do
        raise CheckpointError(f"the checkpoint {folder} is damaged: {error}") from error
    except (SafetensorError, ValidationError, RuntimeError, KeyError, TypeError, OSError) as error:
        raise CheckpointError(
            f"the checkpoint {folder} is damaged: {error}; take an older one beside it, or train "
            "again"
        ) from error
    about = config.get("run")
    if not isinstance(about, dict):
        raise CheckpointError(
            f"the checkpoint {folder} is damaged: it does not say the run; take an older one "
            "beside it"
        )
    return population.eval(), about


def _refuse_unnamed_code(config: Mapping[str, Any]) -> None:
    """A checkpoint is data: an actor, an observer or an objective at `package.module:Name` is
    taken only if the user has named it, or from a module that this process has imported for another
    reason.

    Raises:
        ConfigError: if a module would have to be imported.
    """
    run = config.get("run")
    learns = run.get("mirror") if isinstance(run, Mapping) else None
    unnamed = unnamed_code([config.get("population"), learns])
    strange = [name for name in unnamed if name.partition(":")[0] not in sys.modules]
    if strange:
        raise ConfigError(
            f"it names code to run: {', '.join(strange)}. It may come from anybody: if that is the "
            f"code you mean, name it (--code {strange[0]}), or import it yourself first"
        )


def world_of(about: dict[str, Any], named: str | None = None) -> tuple[str, dict[str, Any]]:
    """The world that a checkpoint names, and its options.

    A checkpoint is data, but `package.module:Env` is code, and any function could stand there. So
    it is imported only if the caller names the same world; and what the options name, only if the
    user has named that as well.

    Args:
        about: what `load_population` returns.
        named: the world that the user has named, if any.

    Raises:
        CheckpointError: if the checkpoint names code and the user has not, or it is damaged.
    """
    options = about.get("world_options")
    if not isinstance(about.get("world"), str) or not isinstance(options, Mapping):
        raise CheckpointError(
            "the checkpoint is damaged: it does not say its world and the world's options; take "
            "an older one beside it"
        )
    id = about["world"]
    too_large = [
        f"{name} = {value}"
        for name, value in options.items()
        if isinstance(value, int | float) and abs(value) > LARGEST_OPTION
    ]
    if too_large:
        raise CheckpointError(
            f"the checkpoint's world asks for {too_large[0][:80]}, which is out of any range"
        )
    code = unnamed_code([id, options])
    unnamed = [name for name in code if name != named]
    if unnamed:
        hints = [
            f"--world {id} (with rllib: --env {id})" if name == id else f"--code {name}"
            for name in unnamed
        ]
        raise CheckpointError(
            f"the checkpoint names code to run: {', '.join(unnamed)}. It may come from anybody, so "
            f"name it yourself if that is the code you mean: {' '.join(hints)}"
        )
    return id, dict(options)


def check_fits(population: Population, world: ArrayWorld, place: object) -> None:
    """Whether a saved population was made for a world of this shape.

    Args:
        population: as it was loaded.
        world: that it is to act in.
        place: where it was loaded from, for messages.

    Raises:
        CheckpointError: if agents, observations or actions differ.
    """
    wanted = population_shape(world).model_dump()
    held = population.shape.model_dump()
    for name, value in held.items():
        if name == "image":  # where it is not said, networks do not ask
            continue
        if wanted[name] != value:
            raise CheckpointError(
                f"the checkpoint {place} was made for {name} = {value}, and its world has "
                f"{wanted[name]}: it is damaged, or of another version of the world"
            )


def clone(population: Population) -> Population:
    """A copy with the same weights that shares no memory."""
    copy = Population(population.shape, population.settings)
    with torch.no_grad():
        copy.load_state_dict(population.state_dict())
    return copy
