"""The same run by workers that Ray Train places. Needs the extras `trl` and `train`.

Ray starts the processes and joins them; what they do together is what processes of any launcher do
(:mod:`mirrorenv.preference.workers`). The run folder must lie where every node sees it.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
from ray.util.queue import Queue

from mirrorenv.errors import MirrorError, TrainingError
from mirrorenv.preference.callbacks import RunCallbacks
from mirrorenv.preference.pairs import PairFile
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.workers import refuse_uneven
from mirrorenv.ray_up import bring_ray_up
from mirrorenv.results.runs.run_folder import IfExists, RunFolder

__all__ = ["train_on_ray"]

_TIMEOUT = 12 * 3600  # seconds; one worker may measure for long
_RESUME = "The same command resumes from the last whole round"


@dataclass(frozen=True)
class _Job:
    """What every worker is told."""

    settings: PreferenceSettings
    path: Path
    pairs: PairFile | None
    if_exists: IfExists
    device: str
    folder: str
    words: Queue


def train_on_ray(
    settings: PreferenceSettings,
    path: Path,
    *,
    workers: int,
    gpus_per_worker: float = 0.0,
    address: str | None = None,
    pairs: PairFile | None = None,
    if_exists: IfExists = "resume",
    callbacks: RunCallbacks,
    device: str = "auto",
) -> RunFolder:
    """Tune a population by several workers; arguments as :func:`mirrorenv.preference.run.train`,
    and:

    Args:
        workers: processes that share every step's pairs.
        gpus_per_worker: GPUs that Ray keeps for each of them; 0 computes on the CPU.
        address: of a Ray cluster; None starts Ray on this machine.

    Returns:
        the folder, finished.

    Raises:
        MirrorError: what a worker says, or that one was lost.
    """
    from ray.train import LoggingConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    refuse_uneven(settings, workers)
    where = path.resolve()
    storage = where.parent / f".{where.name}.ray"
    with _ray(address, workers, gpus_per_worker), _listening(callbacks) as words:
        job = _Job(
            settings,
            where,
            pairs,
            if_exists,
            device if gpus_per_worker else "cpu",
            str(Path.cwd()),
            words,
        )
        trainer = TorchTrainer(
            _work,
            train_loop_config={"job": job},
            torch_config=TorchConfig(
                backend="nccl" if gpus_per_worker else "gloo", timeout_s=_TIMEOUT
            ),
            scaling_config=ScalingConfig(
                num_workers=workers,
                use_gpu=gpus_per_worker > 0,
                resources_per_worker={
                    "CPU": 1,
                    **({"GPU": gpus_per_worker} if gpus_per_worker else {}),
                },
            ),
            run_config=RunConfig(
                storage_path=str(storage), logging_config=LoggingConfig("CRITICAL")
            ),
        )
        try:
            trainer.fit()
        except ray.train.TrainingFailedError as error:
            raise _worker_error(error) from error
        finally:
            shutil.rmtree(storage, ignore_errors=True)
    return RunFolder.open(path)


def _work(config: dict[str, Any]) -> None:
    """What a worker does."""
    from mirrorenv.preference.run import train
    from mirrorenv.preference.workers import join_workers

    job: _Job = config["job"]
    with suppress(OSError):  # on another node there may be no such folder
        os.chdir(job.folder)
    told = RunCallbacks(
        stage=lambda *given: job.words.put(("stage", given)),
        evaluation=lambda *given: job.words.put(("evaluation", given)),
        note=lambda *given: job.words.put(("note", given)),
    )
    train(
        job.settings,
        job.path,
        pairs=job.pairs,
        if_exists=job.if_exists,
        callbacks=told,
        device=job.device,
        workers=join_workers(job.device),
    )


@contextmanager
def _ray(address: str | None, workers: int, gpus_per_worker: float) -> Iterator[None]:
    """Ray, while the block lasts."""
    if ray.is_initialized():
        yield
        return
    bring_ray_up(address, workers)
    try:
        _check_resources(workers, gpus_per_worker)
        yield
    finally:
        ray.shutdown()


def _check_resources(workers: int, gpus_per_worker: float) -> None:
    there = ray.cluster_resources()
    for what, needed in (("CPU", float(workers)), ("GPU", workers * gpus_per_worker)):
        if there.get(what, 0.0) < needed:
            raise TrainingError(
                f"{workers} workers need {needed:g} {what}s, and Ray has {there.get(what, 0.0):g}: "
                "use fewer workers, "
                "or --gpus-per-worker 0"
            )


@contextmanager
def _listening(callbacks: RunCallbacks) -> Iterator[Queue]:
    """A queue into which workers speak, and a thread that passes on what they say."""
    words = Queue(actor_options={"num_cpus": 0})

    def listen() -> None:
        while (said := words.get()) is not None:
            kind, given = said
            getattr(callbacks, kind)(*given)

    thread = threading.Thread(target=listen, name="voices of the workers", daemon=True)
    thread.start()
    try:
        yield words
    finally:
        with suppress(Exception):  # Ray may be gone
            words.put(None)
            thread.join(timeout=10)


def _worker_error(error: Exception) -> MirrorError:
    """What ended the workers: the first error of this package's own that a worker raised."""
    failures: dict[int, BaseException] = getattr(error, "worker_failures", {})
    for _, failure in sorted(failures.items()):
        cause: BaseException | None = failure
        while cause is not None:
            if isinstance(cause, MirrorError):
                return cause
            cause = cause.__cause__
    return TrainingError(f"a worker was lost: {str(error).strip().splitlines()[-1]}. {_RESUME}")
