"""A training run: the algorithm, its run folder, its evaluations and its report, from one settings
object."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray
import torch
from ray.exceptions import RayError

from mirrorenv.envs import make_batch, spec
from mirrorenv.envs.account import GivesAccount
from mirrorenv.envs.checks.validation import validated
from mirrorenv.envs.checks.watch import WatchedWorld
from mirrorenv.errors import ConfigError, MirrorError, RunFolderError, TrainingError
from mirrorenv.mirror import Estimate
from mirrorenv.mirror.ideal import NOT_EXCHANGEABLE
from mirrorenv.population.checkpoint import clone
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.migration import VERSION, read_run
from mirrorenv.population.neighbourhood import check_lineup_size
from mirrorenv.population.objectives.updates import in_order
from mirrorenv.population.population import Population
from mirrorenv.population.reading import play_held_out
from mirrorenv.ray_up import bring_ray_up
from mirrorenv.results.report.account import write_account
from mirrorenv.results.runs.evaluation import NOT_GIVEN, Evaluation
from mirrorenv.results.runs.run_folder import IfExists, RunFolder
from mirrorenv.results.runs.signals import terminable
from mirrorenv.rllib.algorithm import MirrorPPO, MirrorPPOConfig
from mirrorenv.rllib.learner import OBJECTIVE_METRICS
from mirrorenv.rllib.module import MODULE_ID
from mirrorenv.rllib.resume import resume_run, save_checkpoint
from mirrorenv.rllib.settings import RunSettings

__all__ = ["Progress", "algorithm_config", "default_run_path", "start_ray", "train"]

logger = logging.getLogger(__name__)

Row = dict[str, Any]
_AGAIN = "The same command goes on from the last checkpoint"


@dataclass
class Progress:
    """Called with what a progress bar shows. The default shows nothing.

    Attributes:
        iteration: with a row of ``metrics.jsonl``.
        evaluation: with every evaluation.
    """

    iteration: Callable[[Row], None] = lambda row: None
    evaluation: Callable[[Evaluation], None] = lambda found: None


def default_run_path(settings: RunSettings) -> Path:
    """runs/<world>-seed<seed>, the same for the same command."""
    name = settings.world.split("/")[-1].replace(":", ".")  # no file system minds a dot
    return Path("runs") / f"{name}-seed{settings.seed}"


def algorithm_config(settings: RunSettings) -> MirrorPPOConfig:
    """The RLlib configuration of a run."""
    config: MirrorPPOConfig = MirrorPPOConfig().environment(
        settings.world, env_config=settings.world_options
    )
    config.mirror_settings = settings.mirror
    config.population_settings = settings.population
    config.learning_settings = settings.learning
    config.total_steps = settings.total_steps
    config.validate_world = settings.validate_world
    resources = settings.resources
    config.env_runners(
        num_env_runners=resources.env_runners, sample_timeout_s=resources.sample_timeout
    )
    config.step_timeout = resources.step_timeout
    config.learners(
        num_learners=resources.learners, num_gpus_per_learner=resources.gpus_per_learner
    )
    config.debugging(seed=settings.seed, log_level="ERROR")
    return config


def start_ray(settings: RunSettings) -> None:
    """Start Ray in this process, or join a cluster; does nothing if it is already up."""
    # RLlib's notes on its API stack are not the user's business (its import sets its own level, so
    # this comes after).
    for name in ("ray", "ray.rllib", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if ray.is_initialized():
        return
    address = None if settings.resources.address == "local" else settings.resources.address
    actors = settings.resources.env_runners + settings.resources.learners
    try:
        bring_ray_up(address, actors, show_workers=actors > 0)
    except TrainingError as error:
        raise TrainingError(f"{error} {_AGAIN}") from error


def train(
    settings: RunSettings,
    path: Path,
    *,
    if_exists: IfExists = "resume",
    progress: Progress | None = None,
) -> RunFolder:
    """Train a population and keep everything about it in a run folder.

    A run that was cut short goes on from its last checkpoint and, on a CPU without actors, ends
    with the same weights and metrics as an uninterrupted one. A finished run is returned as it is.

    Args:
        settings: what to do.
        path: the run folder.
        if_exists: "resume" (the same settings only), "refuse" or "overwrite" (see
            `RunFolder.create`).
        progress: called as the run goes on.

    Returns:
        the finished run folder; its report is not yet written.

    Raises:
        MirrorError: for whatever is wrong with the world, the settings or the folder.
    """
    # What is wrong with the world, its options or the population is said before a folder is made.
    config = algorithm_config(settings)
    settled = config.settled()
    check_lineup_size(settled.shape.num_agents, settled.population.observer)
    _check_control(settings)
    settings = settings.model_copy(update={"population": settled.population})
    torch.set_num_threads(1)
    progress = progress or Progress()
    folder = RunFolder.create(
        path,
        {"version": VERSION, **settings.model_dump(mode="json")},
        settings.seed,
        device=_device(settings),
        if_exists=if_exists,
        present=_present,
    )
    if folder.status == "finished":
        return folder
    algorithm: MirrorPPO | None = None
    try:
        with _reasons(folder):
            start_ray(settings)
            with terminable(_AGAIN):  # when Ray is up: its own handler ends the process
                algorithm = config.build_algo()
                _Loop(settings, folder, algorithm, progress).run()
    finally:
        if algorithm is not None:
            algorithm.stop()
    folder.finish()
    return folder


def _present(recorded: dict[str, Any]) -> dict[str, Any]:
    """A recorded configuration as today's run would write it; what is none stays as it is."""
    try:
        settings = RunSettings.checked(read_run(recorded))
    except ConfigError:
        return recorded
    return {"version": VERSION, **settings.model_dump(mode="json")}


def _check_control(settings: RunSettings) -> None:
    known = spec(settings.world, **settings.world_options)
    if settings.mirror.control == "limit" and not known.slot_exchangeable:
        raise ConfigError(
            f"mirror.control = limit pays what the exact limit believes, and {settings.world} has "
            "none: "
            f"{known.leaks or NOT_EXCHANGEABLE}. Use another control or world"
        )


@contextmanager
def _reasons(folder: RunFolder) -> Iterator[None]:
    """Whatever ends the run early is put down in its folder, and is an error of ours if others
    raised it."""
    try:
        yield
    except BaseException as error:
        mirrored = _as_ours(error, folder)
        interrupted = isinstance(error, KeyboardInterrupt)
        if interrupted:
            logger.warning("interrupted. %s", _AGAIN)
        with suppress(MirrorError):  # where nothing can be written, the reason itself says so
            folder.fail(
                "interrupted from the keyboard"
                if interrupted
                else f"{type(mirrored).__name__}: {mirrored}"
            )
        if mirrored is error:
            raise
        raise mirrored from error


def _as_ours(error: BaseException, folder: RunFolder) -> BaseException:
    """What Ray, TensorBoard and the disk raise, as an error that says what to do."""
    if isinstance(error, OSError | RunFolderError) and not folder.path.is_dir():
        return RunFolderError(
            f"{folder.path} is gone: it was removed while the run wrote to it. Start the run again"
        )
    if isinstance(error, MirrorError):
        return error
    if isinstance(error, OSError):
        return RunFolderError(f"cannot write to {folder.path}: {error}. Free some space. {_AGAIN}")
    if isinstance(error, RayError):
        first = str(error).strip().splitlines()[0]
        return TrainingError(
            f"a process of the run was lost ({type(error).__name__}: {first}). {_AGAIN}"
        )
    return error


class _Loop:
    """The training loop and what it remembers between evaluations."""

    def __init__(
        self, settings: RunSettings, folder: RunFolder, algorithm: MirrorPPO, progress: Progress
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.settings = settings
        self.folder = folder
        self.algorithm = algorithm
        self.progress = progress
        self.board = SummaryWriter(str(folder.tensorboard_path))
        world = make_batch(settings.world, settings.evaluation.episodes, **settings.world_options)
        world = validated(world, settings.world) if settings.validate_world else world
        self.world = WatchedWorld(world, settings.world, settings.resources.step_timeout)
        self.started = time.perf_counter()
        resumed = resume_run(folder, algorithm)
        self.previous: Population | None = resumed.population if resumed else None
        self.lagging: Population | None = None  # one iteration before an evaluation
        self.newest: Evaluation | None = resumed.evaluation if resumed else None

    def run(self) -> None:
        settings = self.settings
        per_iteration = settings.learning.episodes_per_iteration * self.world.horizon
        iterations = max(1, -(-settings.total_steps // per_iteration))
        checkpoints = min(settings.evaluation.checkpoints, iterations)
        due = {round(iterations * k / checkpoints) for k in range(1, checkpoints + 1)}
        if self.newest is None:
            self._evaluate(0, last=False)
        for iteration in range(self.algorithm.iteration + 1, iterations + 1):
            if iteration in due:
                self.lagging = clone(self.algorithm.population)
            self._iterate(iteration)
            if iteration in due:
                self._evaluate(iteration, last=iteration == iterations)
        self.board.close()

    @property
    def steps(self) -> int:
        return self.algorithm.steps_done

    def _iterate(self, iteration: int) -> None:
        before = self.steps
        began = time.perf_counter()
        learned = NOT_GIVEN if self.newest is None else self.newest.learned
        result = self.algorithm.train()
        took = time.perf_counter() - began
        runner = result.get("env_runners", {})
        losses = result.get("learners", {}).get(MODULE_ID, {}).get(OBJECTIVE_METRICS, {})
        row = {
            "iteration": iteration,
            "env_steps": self.steps,
            "seconds": time.perf_counter() - self.started,
            "top1": _value(learned.top1),
            "information": _value(learned.information),
            "return": runner.get("episode_return_mean"),
            "mirror_return": runner.get("mirror_return_mean"),
            "mirror_weight": runner.get("mirror_weight"),
            "env_steps_per_second": (self.steps - before) / took,
            **in_order(
                {name: float(value) for name, value in losses.items()},
                self.algorithm.population.objectives,
            ),
        }
        self.folder.log_metrics(row)
        for name, value in row.items():
            if isinstance(value, float):
                self.board.add_scalar(f"train/{name}", value, self.steps)
        self.progress.iteration(row)

    def _evaluate(self, iteration: int, *, last: bool) -> None:
        population = self.algorithm.population
        measured = evaluate(
            population,
            self.world,
            world_spec=spec(self.settings.world, **self.settings.world_options),
            seed=self.settings.seed,
            previous=self.previous,
            lagging=self.lagging,
            mirror=self.settings.mirror,
            baselines=last and self.settings.evaluation.baselines,
        )
        seconds = time.perf_counter() - self.started
        found = measured.placed(iteration=iteration, env_steps=self.steps, seconds=seconds)
        self.folder.log_evaluation(found.to_dict())
        self._draw_evaluation(found)
        if last:
            self._write_account(population)
        about = {
            "world": self.settings.world,
            "world_options": self.settings.world_options,
            "seed": self.settings.seed,
            "env_steps": self.steps,
            "mirror": self.settings.mirror.model_dump(mode="json"),
        }
        save_checkpoint(self.folder, self.algorithm, about)
        self.previous = clone(population)
        self.newest = found
        self.progress.evaluation(found)

    def _write_account(self, population: Population) -> None:
        """What the world tells of held-out episodes, where it tells anything."""
        world = self.world.unwrapped
        if isinstance(world, GivesAccount):
            play_held_out(population, self.world, seed=self.settings.seed)
            write_account(self.folder.path, world.account())

    def _draw_evaluation(self, found: Evaluation) -> None:
        """The curves of TensorBoard."""
        for kind, score in (("learned", found.learned), ("limit", found.limit)):
            for name in ("top1", "information", "joint_information"):
                value = _value(score.figures()[name])
                if value is not None:
                    self.board.add_scalar(f"{kind}/{name}", value, self.steps)


def _value(found: Estimate | None) -> float | None:
    return None if found is None else found.value


def _device(settings: RunSettings) -> str:
    resources = settings.resources
    if (
        resources.gpus_per_learner
        and not torch.cuda.is_available()
        and resources.address == "local"
    ):
        raise TrainingError(
            "resources.gpus_per_learner is set, but PyTorch sees no GPU here. Leave it at 0."
        )
    kind = f"{resources.gpus_per_learner} GPU per learner" if resources.gpus_per_learner else "cpu"
    return (
        f"{kind}; {resources.env_runners} env runners, {resources.learners} learners; ray "
        f"{resources.address}"
    )
