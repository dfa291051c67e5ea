"""RLlib's state of a run as safetensors and JSON, so that going on with a run unpickles nothing.

A state is a tree of dicts, lists, tuples, numbers, strings and arrays: weights, optimisers,
counters. Arrays go into one safetensors file by number; the rest is JSON, in which every container
says what it is, since JSON has neither tuples nor keys that are numbers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from mirrorenv.errors import CheckpointError, MirrorError
from mirrorenv.results.runs.files import atomic_write_bytes, atomic_write_json, read_json
from mirrorenv.results.runs.manifest import verify_manifest, write_manifest

__all__ = ["load_state", "save_state"]

_ARRAYS = "state.safetensors"
_TREE = "state.json"

Arrays = dict[str, NDArray[Any]]


def save_state(folder: Path, state: Any) -> None:
    """Write a state.

    Args:
        folder: made if missing.
        state: dicts (keys: strings or integers), lists, tuples, None, bools, numbers, strings,
            arrays and tensors.

    Raises:
        CheckpointError: if it holds anything else.
        RunFolderError: if the disk refuses.
    """
    arrays: Arrays = {}
    tree = _encode(state, arrays, "state")
    folder.mkdir(parents=True, exist_ok=True)
    atomic_write_bytes(folder / _ARRAYS, save(arrays))
    atomic_write_json(folder / _TREE, {"tree": tree})
    write_manifest(folder, [_ARRAYS, _TREE])


def load_state(folder: Path) -> Any:
    """Read a state.

    Raises:
        CheckpointError: if a file is missing, cut short or changed.
    """
    try:
        verify_manifest(folder)
        arrays = load((folder / _ARRAYS).read_bytes())
        return _decode(read_json(folder / _TREE)["tree"], arrays)
    except (MirrorError, SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"the training state in {folder} is damaged: {error}") from error


def _encode(value: Any, arrays: Arrays, where: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return {"float": value.hex()}  # exact, and knows infinity
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        name = str(len(arrays))
        arrays[name] = np.array(value, order="C")
        return {"array": name}
    if isinstance(value, dict) and all(isinstance(key, str | int) for key in value):
        return {
            "dict": [[key, _encode(item, arrays, f"{where}.{key}")] for key, item in value.items()]
        }
    if isinstance(value, list | tuple):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return {kind: [_encode(item, arrays, f"{where}[{i}]") for i, item in enumerate(value)]}
    raise CheckpointError(
        f"{where} is a {type(value).__name__}, which is not kept: a training state holds plain "
        "values"
    )


def _decode(value: Any, arrays: Arrays) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "float":
        return float.fromhex(content)
    if kind == "array":
        return arrays[content]
    if kind == "dict":
        return {key: _decode(item, arrays) for key, item in content}
    items = [_decode(item, arrays) for item in content]
    if kind not in ("list", "tuple"):
        raise ValueError(f"unknown kind {kind!r}")
    return tuple(items) if kind == "tuple" else items
