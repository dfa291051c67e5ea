"""Low-rank adapters, loaded whole or refused: never the untouched model in the place of a voice."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from mirrorenv.errors import ConfigError

__all__ = ["with_adapter"]

WEIGHTS = "adapter_model.safetensors"


def with_adapter(model: Any, adapter: str, name: str) -> Any:
    """The model with an adapter beside its weights.

    Args:
        model: a transformers model of the adapter's kind; it is changed.
        adapter: folder, as peft saves one.
        name: of the model, for messages.

    Raises:
        ConfigError: if a file is missing or damaged, a number is not finite, or any tensor of the
            file found no place in the model or any place no tensor.
    """
    import torch
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors.torch import load_file

    folder = Path(adapter).expanduser()
    file = folder / WEIGHTS
    if not file.is_file():
        raise ConfigError(f"adapter '{adapter}': {WEIGHTS} is missing; copy the folder again")
    try:
        given = load_file(file)
    except Exception as error:  # safetensors has an error of its own for each kind of damage
        raise ConfigError(f"{file} is damaged ({error}); copy the folder again") from error
    if not given:
        raise ConfigError(f"{file} holds no weights; copy the folder again")
    spoilt = [key for key, tensor in given.items() if not bool(torch.isfinite(tensor).all())]
    if spoilt:
        raise ConfigError(
            f"{file}: {len(spoilt)} tensors hold numbers that are not finite, the first is "
            f"{spoilt[0]}; the training went wrong"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is missing is found below, and is an error
            tuned = PeftModel.from_pretrained(model, str(folder), local_files_only=True)
    except Exception as error:  # peft fails in as many ways as there are configurations
        why = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"adapter '{adapter}' does not fit the local model '{name}': {why}"
        ) from error
    found = get_peft_model_state_dict(tuned)
    unused = sorted(given.keys() - found.keys())
    missing = sorted(found.keys() - given.keys())
    other = [key for key in given.keys() & found.keys() if not _same(given[key], found[key])]
    if unused or missing or other:
        raise ConfigError(
            f"adapter '{adapter}' does not fit the local model '{name}': of its {len(given)} "
            f"tensors {len(unused)} found no place, {len(missing)} places got none and "
            f"{len(other)} differ (the first: {[*unused, *missing, *sorted(other)][0]}); it was "
            "made for another model or by another tool"
        )
    return tuned


def _same(given: Any, found: Any) -> bool:
    """Whether a tensor of the file is what the model holds, in the model's type."""
    import torch

    return given.shape == found.shape and torch.equal(given.to(found.dtype), found.cpu())
