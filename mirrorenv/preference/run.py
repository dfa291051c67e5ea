"""A run: its folder, its population and how it may end; resumed by the same call. Needs the extra
`trl`."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mirrorenv.errors import ConfigError, Interrupted, MirrorError
from mirrorenv.llm.weights import load_model
from mirrorenv.preference.adapter_voices import AdapterVoices
from mirrorenv.preference.callbacks import SILENT, RunCallbacks
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.full_voices import FullModelVoices
from mirrorenv.preference.pairs import PairFile
from mirrorenv.preference.recorded import config_of, config_today
from mirrorenv.preference.rounds import CARD, TEXTS, Rounds
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.voices import VoicePopulation
from mirrorenv.preference.workers import ALONE, Workers, on_cpu, refuse_uneven
from mirrorenv.results.runs.json_lines import json_lines
from mirrorenv.results.runs.json_values import first_difference
from mirrorenv.results.runs.lock import only_writer
from mirrorenv.results.runs.run_folder import IfExists, RunFolder
from mirrorenv.results.runs.signals import terminable

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["CARD", "TEXTS", "RunCallbacks", "device_for", "train", "voices_for"]

_RESUME = "The same command resumes from the last whole round"


def device_for(name: str = "auto") -> str:
    """Where a process computes: its own GPU if it has one, else the CPU.

    Args:
        name: `cpu`, `cuda` or `auto`.

    Raises:
        ConfigError: for another name, or if a GPU is asked for and there is none.
    """
    import torch

    if name not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device '{name}': must be auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "device 'cuda': torch sees no GPU here; use --device cpu, or a build of torch with CUDA"
        )
    if on_cpu(name):
        return "cpu"
    if given := os.environ.get("ACCELERATE_TORCH_DEVICE"):  # Ray knows which one is this worker's
        return given
    return f"cuda:{int(os.environ.get('LOCAL_RANK') or 0) % torch.cuda.device_count()}"


@contextmanager
def voices_for(settings: PreferenceSettings, device: str = "auto") -> Iterator[VoicePopulation]:
    """The population on its base model, which is left as it was found.

    Args:
        settings: of the run.
        device: `cpu`, `cuda` or `auto`.
    """
    base = load_model(settings.model, settings.dtype)
    before = base.model.device
    base.model.to(device_for(device))
    voices = _voices_on(base, settings)
    try:
        yield voices
    finally:
        voices.close()
        base.model.to(before)


def _voices_on(base: LanguageModel, settings: PreferenceSettings) -> VoicePopulation:
    learning = settings.learning
    if learning.weights == "full":
        return FullModelVoices(base, settings.names)
    return AdapterVoices(base, settings.names, learning.rank, learning.targets, settings.seed)


def train(
    settings: PreferenceSettings,
    path: Path,
    *,
    pairs: PairFile | None = None,
    if_exists: IfExists = "resume",
    callbacks: RunCallbacks = SILENT,
    device: str = "auto",
    workers: Workers = ALONE,
) -> RunFolder:
    """Tune a population; resumes a run that was cut short.

    Args:
        settings: of the run.
        path: the run folder.
        pairs: first texts from a file; None has the untouched model write them under each player's
            persona.
        if_exists: what to do with a run that is there.
        callbacks: what the run reports to.
        device: `cpu`, `cuda` or `auto`.
        workers: this process among those that train together, see
            :func:`~mirrorenv.preference.workers.join_workers`. All call this with the same
            arguments.

    Returns:
        the folder, finished.

    Raises:
        RunFolderError: if another process writes there; it is named.
        MirrorError: see the message; the same call resumes where it stopped.
    """
    refuse_uneven(settings, workers.size)
    return _train(settings, path, pairs, if_exists, callbacks, device, workers)


def _train(
    settings: PreferenceSettings,
    path: Path,
    pairs: PairFile | None,
    if_exists: IfExists,
    callbacks: RunCallbacks,
    device: str,
    workers: Workers,
) -> RunFolder:
    """The same, by the one writer of the folder."""
    replace = if_exists == "overwrite"
    known = workers.on_main(lambda: _known(path))
    config = config_of(settings, _digest(pairs))
    if known is not None and not replace and _finished(known, config, settings.seed):
        return known

    def open_folder() -> RunFolder:
        stack.enter_context(only_writer(path))
        if replace and known is not None:
            # first, so that no run begins with another's texts
            (path / TEXTS).unlink(missing_ok=True)
        where = device_for(device) + (f", {workers.size} workers" if workers.size > 1 else "")
        return RunFolder.create(
            path,
            config,
            settings.seed,
            if_exists=if_exists,
            device=where,
            present=config_today,
        )

    with ExitStack() as stack:
        # the lock comes with the folder: a new one is made after the model, so that a model that
        # cannot be loaded leaves no folder behind, and costs no run
        is_new = known is None or replace
        if not is_new:
            folder = workers.on_main(open_folder)
        voices = stack.enter_context(voices_for(settings, device))
        if is_new:
            folder = workers.on_main(open_folder)
        stack.enter_context(_log_failure(folder, workers))
        stack.enter_context(terminable(_RESUME))
        topics = None if pairs is None else pairs.topics
        context = RunContext.start(settings, voices, topics, workers, callbacks)
        Rounds(context, folder, pairs).run()
    if workers.is_main:
        folder.finish()
    return folder


def _known(path: Path) -> RunFolder | None:
    return RunFolder.open(path) if (path / "run.json").is_file() else None


def _finished(known: RunFolder, config: dict[str, Any], seed: int) -> bool:
    """Whether this very run has come to its end."""
    if known.status != "finished" or known.info.get("seed") != seed:
        return False
    return first_difference(config_today(known.config), config) is None


@contextmanager
def _log_failure(folder: RunFolder, workers: Workers) -> Iterator[None]:
    """Write down in the folder what ended a run early."""
    try:
        yield
    except (KeyboardInterrupt, MirrorError) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        if workers.is_main:
            with suppress(MirrorError):  # where nothing can be written, the reason itself says so
                if interrupted:
                    folder.interrupt()
                else:
                    folder.fail(f"{type(error).__name__}: {error}")
        if interrupted:
            raise Interrupted(f"interrupted. {_RESUME}") from None
        raise


def _digest(pairs: PairFile | None) -> str | None:
    """What first texts a run began with: the hash of a file's texts, None for texts of its own."""
    if pairs is None:
        return None
    return hashlib.sha256(json_lines(one.to_row() for one in pairs.texts).encode()).hexdigest()
