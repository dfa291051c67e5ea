"""The weights of a population as the file that a result holds, and the machine it was computed on.

Safetensors, never a pickle. The same weights give the same bytes, so that their hash names them.
"""

from __future__ import annotations

import hashlib
import platform

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from mirrorenv.errors import ResultError
from mirrorenv.population.population import Population
from mirrorenv.results.folders.schema import Machine, Weights

__all__ = ["LARGEST", "put_weights", "this_machine", "weight_bytes", "weights_of"]

LARGEST = 100_000
"""Bytes of a file of weights that a result holds; a larger one is named by its hash only."""


def weight_bytes(population: Population) -> bytes:
    """The file, as a checkpoint holds it."""
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in population.state_dict().items()
    }
    return save(weights)


def weights_of(population: Population) -> Weights:
    """What a result says of the weights."""
    data = weight_bytes(population)
    return Weights(
        sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), held=len(data) < LARGEST
    )


def put_weights(population: Population, data: bytes, place: str) -> None:
    """Put weights from anybody into a population.

    Args:
        population: of the right shape.
        data: a safetensors file.
        place: where it is from, for messages.

    Raises:
        ResultError: if it is none, or its tensors are not those of the population.
    """
    try:
        weights = load(data)
        held = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in weights.items()}
        wanted = {
            name: (tensor.dtype, tuple(tensor.shape))
            for name, tensor in population.state_dict().items()
        }
        if held != wanted:
            strange = sorted(
                name for name in {*held, *wanted} if held.get(name) != wanted.get(name)
            )
            raise ResultError(
                f"{place}: '{strange[0]}' is {held.get(strange[0])} where the settings of the run "
                f"make {wanted.get(strange[0])}"
            )
        if save(weights) != data:  # notes in its header, or a name that is there twice
            raise ResultError(f"{place} holds more than weights, or not as we write them")
        population.load_state_dict(weights)
    except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ResultError):
            raise
        raise ResultError(f"{place} holds no weights ({error}); get a fresh copy") from error


def this_machine() -> Machine:
    """What decides the last bit here."""
    return Machine(
        processor=torch.backends.cpu.get_cpu_capability(),
        architecture=platform.machine() or "unknown",
        torch=str(torch.__version__),
        threads=torch.get_num_threads(),
    )
