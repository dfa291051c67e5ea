"""A training run: the algorithm, its run folder, its evaluations and its report, from one settings
object."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from mirrorenv.envs import make_batch, spec
from mirrorenv.envs.account import GivesAccount, PaysByName
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.checks.validation import validated
from mirrorenv.envs.checks.watch import WatchedWorld
from mirrorenv.errors import ConfigError, Interrupted, MirrorError, RunFolderError, TrainingError
from mirrorenv.mirror import Estimate
from mirrorenv.mirror.ideal import NOT_EXCHANGEABLE
from mirrorenv.population.actors.base import ACCOUNTS
from mirrorenv.population.allocator import memory_kept
from mirrorenv.population.checkpoint import clone
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.neighbourhood import check_lineup_size
from mirrorenv.population.objectives.updates import in_order
from mirrorenv.population.population import Population
from mirrorenv.population.reading import play_held_out
from mirrorenv.population.settings import PopulationShape
from mirrorenv.results.report.shown import Time
from mirrorenv.results.runs.accounts import write_accounts
from mirrorenv.results.runs.evaluation import NOT_GIVEN, Evaluation
from mirrorenv.results.runs.lock import only_writer
from mirrorenv.results.runs.run_folder import IfExists, RunFolder
from mirrorenv.results.runs.signals import terminable
from mirrorenv.rllib.checked_settings import settle
from mirrorenv.rllib.resume import resume_run, save_checkpoint
from mirrorenv.rllib.schedule import schedule
from mirrorenv.rllib.settings import RunSettings, config_of, config_today
from mirrorenv.rllib.shown_episodes import keep_episodes
from mirrorenv.rllib.trainer import AGAIN, Trainer

__all__ = ["Progress", "make_worlds", "settled_run", "train"]

Row = dict[str, Any]


@dataclass
class Progress:
    """Called with what a progress bar shows. The default shows nothing.

    Attributes:
        started: once, when nothing of what was asked for has been found wrong, with the steps that
            whole iterations will take.
        iteration: with a row of `metrics.jsonl`.
        evaluation: with every evaluation.
    """

    started: Callable[[int], None] = lambda planned: None
    iteration: Callable[[Row], None] = lambda row: None
    evaluation: Callable[[Evaluation], None] = lambda found: None


def train(
    settings: RunSettings,
    path: Path,
    *,
    if_exists: IfExists = "resume",
    progress: Progress | None = None,
    show: bool = False,
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
        show: keep a few episodes from before and after training for the report; they are played
            apart and change nothing else.

    Returns:
        the finished run folder; its report is not yet written.

    Raises:
        MirrorError: for whatever is wrong with the world, the settings or the folder.
    """
    settings, shape = settled_run(settings)  # before a folder is made
    torch.set_num_threads(1)
    progress = progress or Progress()
    with only_writer(path):
        return _trained(settings, path, shape, if_exists, progress, show)


def settled_run(settings: RunSettings) -> tuple[RunSettings, PopulationShape]:
    """The settings with a population that fits its world, and that population's shape.

    Raises:
        MirrorError: for whatever is wrong with the world, its options or the population.
    """
    settled = settle(make_worlds(settings, 1), settings.population, settings.mirror)
    check_lineup_size(settled.shape.num_agents, settled.population.observer)
    _check_control(settings)
    return settings.model_copy(update={"population": settled.population}), settled.shape


def _trained(
    settings: RunSettings,
    path: Path,
    shape: PopulationShape,
    if_exists: IfExists,
    progress: Progress,
    show: bool,
) -> RunFolder:
    """The run, in a folder that no one else writes to."""
    folder = RunFolder.create(
        path,
        config_of(settings),
        settings.seed,
        device=_device(settings),
        if_exists=if_exists,
        present=config_today,
    )
    if folder.status == "finished":
        return folder
    horizon = make_worlds(settings, 1).horizon
    per_iteration = settings.learning.episodes_per_iteration * horizon
    progress.started(schedule(settings, horizon).iterations * per_iteration)
    trainer: Trainer | None = None
    try:
        with _reasons(folder):
            make = _trainer_of(settings, shape)
            # when Ray is up: its own handler ends the process
            with terminable(AGAIN), memory_kept():
                trainer = make()
                _Loop(settings, folder, trainer, progress, show).run()
    finally:
        if trainer is not None:
            trainer.stop()
    folder.finish()
    return folder


def _trainer_of(settings: RunSettings, shape: PopulationShape) -> Callable[[], Trainer]:
    """What makes the trainer; Ray is started and imported only where something is to run on it."""
    resources = settings.resources
    elsewhere = resources.env_runners or resources.learners or resources.gpus_per_learner
    if not elsewhere and resources.address == "local":
        from mirrorenv.rllib.in_process import InProcess

        return lambda: InProcess(settings, shape)
    from mirrorenv.rllib.on_ray import OnRay, start_ray

    start_ray(settings)
    return lambda: OnRay(settings)


def make_worlds(settings: RunSettings, copies: int) -> ArrayWorld:
    """A batch of the run's world, looked at unless the settings say otherwise."""
    world = make_batch(settings.world, copies, **settings.world_options)
    return validated(world, settings.world) if settings.validate_world else world


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
            mirrored = Interrupted(f"interrupted. {AGAIN}")
        with suppress(MirrorError):  # where nothing can be written, the reason itself says so
            if interrupted:
                folder.interrupt()
            else:
                folder.fail(f"{type(mirrored).__name__}: {mirrored}")
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
        return RunFolderError(f"cannot write to {folder.path}: {error}. Free some space. {AGAIN}")
    if _is_of_ray(error):
        first = str(error).strip().splitlines()[0]
        return TrainingError(
            f"a process of the run was lost ({type(error).__name__}: {first}). {AGAIN}"
        )
    return error


def _is_of_ray(error: BaseException) -> bool:
    """Whether Ray raised it, who is asked only where it is loaded."""
    ray = sys.modules.get("ray.exceptions")
    return ray is not None and isinstance(error, ray.RayError)


class _Loop:
    """The training loop and what it remembers between evaluations."""

    def __init__(
        self,
        settings: RunSettings,
        folder: RunFolder,
        trainer: Trainer,
        progress: Progress,
        show: bool,
    ) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.settings = settings
        self.folder = folder
        self.trainer = trainer
        self.progress = progress
        self.show = show
        self.board = SummaryWriter(str(folder.tensorboard_path))
        world = make_worlds(settings, settings.evaluation.episodes)
        self.world = WatchedWorld(world, settings.world, settings.resources.step_timeout)
        self.schedule = schedule(settings, world.horizon)
        self.world_before_last = self.world
        if self.schedule.before_last < self.schedule.episodes:
            world = make_worlds(settings, self.schedule.before_last)
            self.world_before_last = WatchedWorld(
                world, settings.world, settings.resources.step_timeout
            )
        self.started = time.perf_counter()
        resumed = resume_run(folder, trainer)
        self.previous: Population | None = resumed.population if resumed else None
        self.lagging: Population | None = None  # one iteration before an evaluation
        self.newest: Evaluation | None = resumed.evaluation if resumed else None

    def run(self) -> None:
        plan = self.schedule
        if self.newest is None:
            self._evaluate(0, last=False)
        for iteration in range(self.trainer.iteration + 1, plan.iterations + 1):
            if iteration in plan.due:
                self.lagging = clone(self.trainer.population)
            self._iterate(iteration)
            if iteration in plan.due:
                self._evaluate(iteration, last=iteration == plan.iterations)
        self.board.close()

    @property
    def steps(self) -> int:
        return self.trainer.steps_done

    def _iterate(self, iteration: int) -> None:
        before = self.steps
        began = time.perf_counter()
        learned = NOT_GIVEN if self.newest is None else self.newest.learned
        found = self.trainer.iterate()
        took = time.perf_counter() - began
        row = {
            "iteration": iteration,
            "env_steps": self.steps,
            "seconds": time.perf_counter() - self.started,
            "top1": _value(learned.top1),
            "information": _value(learned.information),
            "return": found.episode_return,
            "mirror_return": found.mirror_return,
            "mirror_weight": found.mirror_weight,
            "env_steps_per_second": (self.steps - before) / took,
            **in_order(found.metrics, self.trainer.population.objectives),
        }
        self.folder.log_metrics(row)
        for name, value in row.items():
            if isinstance(value, float):
                self.board.add_scalar(f"train/{name}", value, self.steps)
        self.progress.iteration(row)

    def _evaluate(self, iteration: int, *, last: bool) -> None:
        population = self.trainer.population
        measured = evaluate(
            population,
            self.world if last else self.world_before_last,
            world_spec=spec(self.settings.world, **self.settings.world_options),
            seed=self.settings.seed,
            previous=self.previous,
            lagging=self.lagging,
            mirror=self.settings.mirror,
            baselines=last and self.settings.evaluation.baselines,
            draws=self.settings.evaluation.draws,
        )
        seconds = time.perf_counter() - self.started
        found = measured.placed(iteration=iteration, env_steps=self.steps, seconds=seconds)
        self.folder.log_evaluation(found.to_dict())
        self._draw_evaluation(found)
        if last:
            self._write_account(population)
        if self.show and (last or iteration == 0):
            when: Time = "before" if iteration == 0 else "after"
            keep_episodes(self.folder.path, when, population, self.settings, self.steps)
        about = {
            "world": self.settings.world,
            "world_options": self.settings.world_options,
            "seed": self.settings.seed,
            "env_steps": self.steps,
            "mirror": self.settings.mirror.model_dump(mode="json"),
            "evaluation": {"draws": self.settings.evaluation.draws},
        }
        save_checkpoint(self.folder, self.trainer, about)
        self.previous = clone(population)
        self.newest = found
        self.progress.evaluation(found)

    def _write_account(self, population: Population) -> None:
        """What the world and its agents tell of held-out episodes, where they tell anything."""
        seed = self.settings.seed
        teller = ACCOUNTS.get(self.settings.population.actor)
        told = [] if teller is None else teller(population, self.world, seed)
        world = self.world.unwrapped
        if isinstance(world, GivesAccount):
            draws = self.settings.evaluation.draws
            play_held_out(population, self.world, seed=seed, draws=draws)
            told += world.account()
        if told:
            write_accounts(self.folder.path, told)

    def _draw_evaluation(self, found: Evaluation) -> None:
        """The curves of TensorBoard."""
        for kind, score in (("learned", found.learned), ("limit", found.limit)):
            for name in ("top1", "information", "joint_information"):
                value = _value(score.figures()[name])
                if value is not None:
                    self.board.add_scalar(f"{kind}/{name}", value, self.steps)
        world = self.world.unwrapped
        if isinstance(world, PaysByName):
            for name, earned in world.earned.items():
                self.board.add_scalar(f"reward/{name}", float(earned.mean()), self.steps)


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
