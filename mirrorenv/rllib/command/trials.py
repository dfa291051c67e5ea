"""An experiment of the `rllib` command, run by Ray Tune, and what became of each trial."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import create_scheduler

from mirrorenv.errors import ConfigError, RunFolderError, TrainingError
from mirrorenv.results.runs.files import atomic_write_json, read_json
from mirrorenv.rllib.command.config import ALGORITHMS, algorithm_config, is_search, variants
from mirrorenv.rllib.command.experiments import Experiment, Notice
from mirrorenv.rllib.register import register_worlds

__all__ = ["TrialOutcome", "require_good", "run_experiment"]

_RECORD = "mirrorenv_experiment.json"


@dataclass(frozen=True)
class TrialOutcome:
    """What became of one trial."""

    env: str
    folder: str
    status: str
    iterations: int
    env_steps: int
    episode_return_mean: float | None
    mirror_return_mean: float | None
    checkpoint: str | None
    error: str | None

    @property
    def good(self) -> bool:
        """Whether it ran to its end and every iteration had samples."""
        return self.status == "TERMINATED" and self.error is None and self.env_steps > 0


class _Lines(tune.Callback):
    """A line for every iteration of every trial."""

    def __init__(self, report: Notice) -> None:
        self.report = report

    def on_trial_result(
        self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any
    ) -> None:
        """Called by Tune."""
        runners = result.get("env_runners", {})
        returns = {
            "return": runners.get("episode_return_mean"),
            "mirror return": runners.get("mirror_return_mean"),
        }
        shown = "".join(
            f"  {name} {value:.3f}" for name, value in returns.items() if value is not None
        )
        steps = int(runners.get("num_env_steps_sampled_lifetime", 0))
        self.report(
            f"{trial}  iteration {result['training_iteration']:>4}  {steps:>9,} steps{shown}"
        )


def run_experiment(
    experiment: Experiment,
    *,
    resume: bool = False,
    verbose: int = 0,
    report: Notice = lambda line: None,
) -> list[TrialOutcome]:
    """Train with Ray Tune; Ray must be up.

    Args:
        experiment: what to train.
        resume: go on with the experiment of this name where it stopped.
        verbose: Tune's own output, 0 to 2.
        report: given a line for every iteration.

    Raises:
        RunFolderError: if there is nothing to resume, or it is another experiment.
    """
    register_worlds()
    folder = experiment.folder
    record = asdict(experiment)
    if resume:
        _check_same(folder, record)
    elif folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write_json(folder / _RECORD, record)
    score = experiment.checkpoint_score_attr
    analysis = tune.run(
        ALGORITHMS[experiment.algorithm],
        name=experiment.name,
        config=_search_space(experiment),
        stop=experiment.stop,
        num_samples=experiment.num_samples,
        storage_path=experiment.storage_path if folder is None else str(folder.parent),
        checkpoint_config=tune.CheckpointConfig(
            checkpoint_frequency=experiment.checkpoint_freq,
            checkpoint_at_end=experiment.checkpoint_at_end,
            num_to_keep=experiment.keep_checkpoints_num,
            checkpoint_score_attribute=score.removeprefix("min-"),
            checkpoint_score_order="min" if score.startswith("min-") else "max",
        ),
        restore=experiment.restore,
        resume="AUTO+ERRORED" if resume else False,
        scheduler=create_scheduler(experiment.scheduler, **experiment.scheduler_config),
        callbacks=[_Lines(report)],
        raise_on_failed_trial=False,
        verbose=verbose,
    )
    return [_outcome(trial, experiment.env) for trial in analysis.trials]


def _check_same(folder: Path | None, record: dict[str, Any]) -> None:
    if folder is None:
        return
    if not (folder / _RECORD).is_file():
        raise RunFolderError(
            f"--resume: {folder} holds no experiment of this command. Start it without --resume, "
            "or name another "
            "with --experiment-name and --storage-path"
        )
    before = read_json(folder / _RECORD)
    wanted = json.loads(json.dumps(record))
    differing = sorted(key for key in wanted if before.get(key) != wanted[key])
    if differing:
        listed = "; ".join(
            f"{key} was {before.get(key)!r}, now {wanted[key]!r}" for key in differing
        )
        raise RunFolderError(
            f"--resume: {folder} is another experiment ({listed}). Give the same options, or start "
            "a new one with "
            "--experiment-name NAME --restore CHECKPOINT"
        )


def _search_space(experiment: Experiment) -> dict[str, Any]:
    """RLlib's dictionary of the first variant, with the searches put back in."""
    first = next(variants(experiment.config))
    built = algorithm_config(experiment.algorithm, experiment.env, first.pop("env_config"), first)
    space: dict[str, Any] = built.to_dict()
    for key, value in experiment.config.items():
        if is_search(value):
            if key in ("policies", "total_steps"):
                raise ConfigError(
                    f"--config '{key}' cannot be searched: start one experiment for each value"
                )
            space["_model_config" if key == "model_config" else key] = value
    return space


def _reason(text: str) -> str:
    """The last exception of a traceback that says something; RLlib raises a bare RuntimeError over
    a world's own."""
    said = re.findall(r"^(?:\w+\.)*(\w*(?:Error|Exception)\b(?:\(.*?\))?: .+)$", text, re.MULTILINE)
    last: str = said[-1] if said else (text.strip().splitlines() or [""])[-1]
    return last


def _outcome(trial: Trial, env: str) -> TrialOutcome:
    last = trial.last_result or {}
    runners = last.get("env_runners", {})
    error = None
    if trial.status == Trial.ERROR:
        error = _reason(str(trial.get_error() or "")) or f"see {trial.error_file}"
    returns = [runners.get(name) for name in ("episode_return_mean", "mirror_return_mean")]
    return TrialOutcome(
        env=env,
        folder=str(trial.path),
        status=trial.status,
        iterations=int(last.get("training_iteration", 0)),
        env_steps=int(runners.get("num_env_steps_sampled_lifetime", 0)),
        episode_return_mean=None if returns[0] is None else float(returns[0]),
        mirror_return_mean=None if returns[1] is None else float(returns[1]),
        checkpoint=trial.checkpoint.path if trial.checkpoint else None,
        error=error,
    )


def require_good(outcomes: list[TrialOutcome]) -> None:
    """Say so if anything did not end well.

    Raises:
        TrainingError: if a trial failed, was interrupted, or took no sample.
    """
    bad = [outcome for outcome in outcomes if not outcome.good]
    if bad or not outcomes:
        shown = "\n".join(
            f"  {one.folder}: {one.error or f'{one.status.lower()}, {one.env_steps} steps'}"
            for one in bad
        )
        raise TrainingError(
            f"{len(bad)} of {len(outcomes)} trials did not end well:\n{shown}\n"
            "The same command with --resume goes on from the last checkpoint."
        )
