"""Going on with a run: the newest checkpoint that is whole, and everything logged up to it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mirrorenv.errors import CheckpointError
from mirrorenv.population.checkpoint import load_population, save_population
from mirrorenv.population.migration import present_state
from mirrorenv.population.population import Population
from mirrorenv.results.runs.evaluation import Evaluation
from mirrorenv.results.runs.run_folder import RunFolder
from mirrorenv.rllib.state import load_state, save_state
from mirrorenv.rllib.trainer import Trainer

__all__ = ["ResumePoint", "resume_run", "save_checkpoint"]

logger = logging.getLogger(__name__)

_STATE = "training"  # folder of the state within a checkpoint


@dataclass(frozen=True)
class ResumePoint:
    """Where a run goes on.

    Attributes:
        population: as it was at the checkpoint.
        evaluation: the one logged with it.
    """

    population: Population
    evaluation: Evaluation


def save_checkpoint(folder: RunFolder, trainer: Trainer, about: dict[str, Any]) -> None:
    """Write a checkpoint, whole or not at all: the population to exchange, and what only this run
    needs to go on.

    Args:
        folder: of the run.
        trainer: whose population and state.
        about: further facts for the population's description, ready for JSON.
    """
    with folder.new_checkpoint(trainer.steps_done) as path:
        save_population(path, trainer.population, about)
        save_state(path / _STATE, trainer.get_state())


def resume_run(folder: RunFolder, trainer: Trainer) -> ResumePoint | None:
    """Put the trainer where the newest whole checkpoint was, and forget what was logged after it.

    A checkpoint that is damaged, or whose rows of metrics or evaluations are missing, is passed
    over with a warning and the one before it is taken.

    Args:
        folder: the run.
        trainer: freshly built.

    Returns:
        where the run goes on, or None if it starts from the beginning.
    """
    for checkpoint in reversed(folder.checkpoints()):
        try:
            resumed, state = _read(folder, checkpoint)
        except CheckpointError as error:
            logger.warning("%s; going on from the checkpoint before it", error)
            continue
        trainer.set_state(state)
        folder.rewind(trainer.steps_done)
        logger.warning("%s was cut short; going on after %d steps", folder.path, trainer.steps_done)
        return resumed
    if folder.metrics() or folder.evaluations():
        logger.warning(
            "%s was cut short before it had a whole checkpoint; starting again from the beginning",
            folder.path,
        )
    folder.rewind(-1)
    return None


def _read(folder: RunFolder, checkpoint: Path) -> tuple[ResumePoint, dict[str, Any]]:
    """A checkpoint and its evaluation.

    Raises:
        CheckpointError: if a byte or a row is missing.
    """
    population, _ = load_population(checkpoint)
    state: dict[str, Any] = present_state(load_state(checkpoint / _STATE))
    steps = state["mirror_counters"]["steps"]
    done = state["training_iteration"]
    logged = [row["iteration"] for row in folder.metrics() if row["env_steps"] <= steps]
    if logged != list(range(1, done + 1)):
        raise CheckpointError(
            f"metrics.jsonl lacks rows of the {done} iterations before {checkpoint}"
        )
    evaluation = [row for row in folder.evaluations() if row["env_steps"] == steps]
    if not evaluation:
        raise CheckpointError(f"evaluations.jsonl lacks the row of {checkpoint}")
    return ResumePoint(population, Evaluation.from_dict(evaluation[-1])), state
