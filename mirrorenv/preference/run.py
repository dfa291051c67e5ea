"""A run: its folder, its population and how it may end; resumed by the same call. Needs the extra
``trl``."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from mirrorenv.errors import ConfigError, MirrorError
from mirrorenv.llm.weights import load_model
from mirrorenv.preference.full_voices import FullVoices
from mirrorenv.preference.pairs import PairFile
from mirrorenv.preference.rounds import CARD, SILENT, TEXTS, Rounds, Watch, adapted_beta, topics_for
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.voices import Voices
from mirrorenv.preference.workers import ALONE, Workers, on_cpu, refuse_uneven
from mirrorenv.results.runs.files import json_lines
from mirrorenv.results.runs.run_folder import IfExists, RunFolder, first_difference
from mirrorenv.results.runs.signals import terminable

__all__ = [
    "CARD",
    "TEXTS",
    "Watch",
    "adapted_beta",
    "device_for",
    "topics_for",
    "train",
    "voices_for",
]

_AGAIN = "The same command goes on from the last whole round"


def device_for(name: str = "auto") -> str:
    """Where a process computes: its own GPU if it has one, else the CPU.

    Args:
        name: ``cpu``, ``cuda`` or ``auto``.

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
def voices_for(settings: PreferenceSettings, device: str = "auto") -> Iterator[Voices]:
    """The population on its base model, which is left as it was found.

    Args:
        settings: of the run.
        device: ``cpu``, ``cuda`` or ``auto``.
    """
    base, learning = load_model(settings.model, settings.dtype), settings.learning
    before = base.model.device
    base.model.to(device_for(device))
    voices = (
        FullVoices(base, settings.names)
        if learning.weights == "full"
        else Voices(base, settings.names, learning.rank, learning.targets, settings.seed)
    )
    try:
        yield voices
    finally:
        voices.close()
        base.model.to(before)


def train(
    settings: PreferenceSettings,
    path: Path,
    *,
    pairs: PairFile | None = None,
    if_exists: IfExists = "resume",
    watch: Watch = SILENT,
    device: str = "auto",
    workers: Workers = ALONE,
) -> RunFolder:
    """Tune a population, and go on with a run that was cut short.

    Args:
        settings: of the run.
        path: the run folder.
        pairs: first texts from a file; None has the untouched model write them under each player's
            persona.
        if_exists: what to do with a run that is there.
        watch: who is told.
        device: ``cpu``, ``cuda`` or ``auto``.
        workers: this process among those that train together, see
            :func:`~mirrorenv.preference.workers.joined_workers`. All call this with the same
            arguments.

    Returns:
        the folder, finished.

    Raises:
        MirrorError: see the message; the same call goes on where it stopped.
    """
    refuse_uneven(settings, workers.size)
    config, again = _config(settings, pairs), if_exists == "overwrite"
    known = workers.first(lambda: RunFolder.open(path) if (path / "run.json").is_file() else None)
    if (
        known is not None
        and not again
        and known.status == "finished"
        and _same(known, config, settings.seed)
    ):
        return known

    def opened() -> RunFolder:
        if again and known is not None:
            # first, so that no run begins with another's texts
            (path / TEXTS).unlink(missing_ok=True)
        where = device_for(device) + (f", {workers.size} workers" if workers.size > 1 else "")
        return RunFolder.create(path, config, settings.seed, if_exists=if_exists, device=where)

    with ExitStack() as stack:
        # then a model that cannot be loaded leaves no folder behind, and costs no run
        late = known is None or again
        if not late:
            folder = workers.first(opened)
        voices = stack.enter_context(voices_for(settings, device))
        if late:
            folder = workers.first(opened)
        stack.enter_context(_reasons(folder, workers, watch))
        stack.enter_context(terminable(_AGAIN))
        Rounds(settings, folder, voices, pairs, watch, workers).run()
    if workers.leads:
        folder.finish()
    return folder


def _same(known: RunFolder, config: dict[str, Any], seed: int) -> bool:
    return known.info.get("seed") == seed and first_difference(known.config, config) is None


def _config(settings: PreferenceSettings, pairs: PairFile | None) -> dict[str, Any]:
    """What a folder remembers of a run. What came later is left out at its default: older runs can
    be resumed."""
    config = settings.model_dump(mode="json")
    if config["learning"]["weights"] == "adapters":
        del config["learning"]["weights"]
    return {**config, "room": "preference", "first_texts": _digest(pairs)}


@contextmanager
def _reasons(folder: RunFolder, workers: Workers, watch: Watch) -> Iterator[None]:
    """Whatever ends a run early is put down in its folder."""
    try:
        yield
    except (KeyboardInterrupt, MirrorError) as error:
        interrupted = isinstance(error, KeyboardInterrupt)
        if interrupted:
            watch.note(f"interrupted. {_AGAIN}")
        if workers.leads:
            with suppress(MirrorError):  # where nothing can be written, the reason itself says so
                folder.fail(
                    "interrupted from the keyboard"
                    if interrupted
                    else f"{type(error).__name__}: {error}"
                )
        raise


def _digest(pairs: PairFile | None) -> str | None:
    """What first texts a run began with: the hash of a file's texts, None for texts of its own."""
    if pairs is None:
        return None
    return hashlib.sha256(json_lines(one.to_row() for one in pairs.texts).encode()).hexdigest()
