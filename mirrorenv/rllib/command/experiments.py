"""Experiments of the `rllib` command: from options or a file, through Ray Tune, to an honest
end."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ray import tune
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.tune.experiment import Trial
from ray.tune.schedulers import create_scheduler

from mirrorenv.errors import ConfigError, RunFolderError, TrainingError
from mirrorenv.results import atomic_write_json, read_json
from mirrorenv.rllib.command.config import (
    ALGORITHMS,
    algorithm_config,
    algorithm_name,
    current_names,
    is_search,
    settings_of,
    variants,
)
from mirrorenv.rllib.command.stock import register_worlds

__all__ = ["Experiment", "Outcome", "read_experiments", "require_good", "run_experiment"]

_RECORD = "mirrorenv_experiment.json"
_STOP_NAMES = {  # in results of Ray 2.40 and before -> in results of Ray 2.60
    "episode_reward_mean": "env_runners/episode_return_mean",
    "episode_return_mean": "env_runners/episode_return_mean",
    "sampler_results/episode_reward_mean": "env_runners/episode_return_mean",
    "mirror_return_mean": "env_runners/mirror_return_mean",
    "timesteps_total": "env_runners/num_env_steps_sampled_lifetime",
    "num_env_steps_sampled_lifetime": "env_runners/num_env_steps_sampled_lifetime",
}
_STOPS = {
    *_STOP_NAMES.values(),
    "training_iteration",
    "time_total_s",
    "iterations_since_restore",
    "time_since_restore",
}
_FILE_KEYS = {
    "run",
    "env",
    "config",
    "stop",
    "num_samples",
    "storage_path",
    "restore",
    "checkpoint_config",
}

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Experiment:
    """One experiment: what is trained, until when, and what is kept. Holds nothing that JSON
    cannot."""

    name: str
    algorithm: str
    env: str
    config: dict[str, Any] = field(default_factory=dict)
    """Today's keys of the algorithm, `env_config` among them; values may be grid searches."""
    stop: dict[str, Any] = field(default_factory=dict)
    num_samples: int = 1
    checkpoint_freq: int = 0
    checkpoint_at_end: bool = True
    keep_checkpoints_num: int | None = None
    checkpoint_score_attr: str = "training_iteration"
    storage_path: str = "~/ray_results"
    restore: str | None = None
    scheduler: str = "FIFO"
    scheduler_config: dict[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path | None:
        """Where its results lie, or None if that is no local path."""
        return (
            None
            if "://" in self.storage_path
            else Path(self.storage_path).expanduser().resolve() / self.name
        )

    @classmethod
    def checked(
        cls, notice: Notice, *, config: Mapping[str, Any], env: str | None, **rest: Any
    ) -> Experiment:
        """An experiment whose world, settings and stopping criteria are known to exist.

        Raises:
            ConfigError: if something is missing, means nothing any more, or cannot be built.
        """
        config = dict(config)
        inside = config.pop("env", None)
        env = env or inside
        if not isinstance(env, str):
            raise ConfigError(
                "no environment given: --env mirrorenv/ants-v0 (mirrorenv worlds lists them), or "
                "package.module:Env"
            )
        env_config = config.pop("env_config", {})
        config = current_names(rest["algorithm"], config, notice)
        for one in variants({"env_config": env_config, **config}):
            algorithm_config(rest["algorithm"], env, one.pop("env_config"), one)
        stop = {_stop_name(key, notice): value for key, value in rest.pop("stop", {}).items()}
        if not stop:
            notice(
                "no --stop: training goes on until it is interrupted (Ctrl-C), and can be resumed "
                "with --resume"
            )
        return cls(env=env, config={"env_config": env_config, **config}, stop=stop, **rest)


def _stop_name(key: str, notice: Notice) -> str:
    name = _STOP_NAMES.get(key, key)
    if name not in _STOPS:
        raise ConfigError(f"--stop '{key}' is never reported; known: {', '.join(sorted(_STOPS))}")
    if name != key and key != "num_env_steps_sampled_lifetime":
        notice(f"--stop '{key}' is reported as '{name}' in Ray 2.60")
    return name


def read_experiments(
    path: Path, notice: Notice, env: str | None = None, **defaults: Any
) -> list[Experiment]:
    """The experiments of a YAML file (by name: run, env, stop, config, ...), or of a Python file's
    `config`.

    Args:
        path: a ``.yaml``, ``.yml`` or ``.py`` file. A Python file is run: it is the user's own.
        notice: told about renamed keys.
        env: replaces the file's environment.
        **defaults: fields of :class:`Experiment` for what the file does not say.

    Raises:
        ConfigError: if the file cannot be read, or says something unknown.
    """
    if ":/" in str(path):  # a Path folds the slashes of a URL
        raise ConfigError(
            f"{path}: files are not fetched. Download it, look at it, and name the local file"
        )
    if path.suffix == ".py":
        return [_from_python(path, notice, env, **defaults)]
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"{path}: an experiment file ends in .yaml, .yml or .py")
    try:
        experiments = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from None
    if not isinstance(experiments, dict) or not all(
        isinstance(one, dict) for one in experiments.values()
    ):
        raise ConfigError(
            f"{path} holds no experiments: expected a name with run, env, stop and config under it"
        )
    return [
        _from_yaml(path, name, one, notice, env, **defaults) for name, one in experiments.items()
    ]


def _from_yaml(
    path: Path, name: str, given: dict[str, Any], notice: Notice, env: str | None, **rest: Any
) -> Experiment:
    unknown = set(given) - _FILE_KEYS
    if unknown:
        raise ConfigError(
            f"{path}, {name}: unknown {sorted(unknown)}. Known: {', '.join(sorted(_FILE_KEYS))}"
        )
    if rest.pop("stop", None):
        raise ConfigError(
            f"{path}: --stop goes with Python files; here write it under {name}: stop:"
        )
    keep = given.get("checkpoint_config", {})
    names = {
        "checkpoint_frequency": "checkpoint_freq",
        "checkpoint_at_end": "checkpoint_at_end",
        "num_to_keep": "keep_checkpoints_num",
        "checkpoint_score_attribute": "checkpoint_score_attr",
    }
    if set(keep) - set(names):
        raise ConfigError(
            f"{path}, {name}: checkpoint_config knows {', '.join(names)}, got {sorted(keep)}"
        )
    rest |= {names[key]: value for key, value in keep.items()}
    rest |= {key: given[key] for key in ("num_samples", "restore", "storage_path") if key in given}
    if "run" not in given:
        raise ConfigError(f"{path}, {name}: no algorithm. Write run: MirrorPPO, or run: PPO")
    return Experiment.checked(
        notice,
        name=name,
        algorithm=given["run"],
        env=env or given.get("env"),
        config=given.get("config") or {},
        stop=given.get("stop") or {},
        **rest,
    )


def _from_python(path: Path, notice: Notice, env: str | None, **rest: Any) -> Experiment:
    """A file with `config`, an AlgorithmConfig, and perhaps `stop`: what differs from the defaults
    is taken over."""
    if not path.is_file():
        raise ConfigError(f"cannot read {path}: there is no such file")
    found = runpy.run_path(str(path))
    config = found.get("config")
    if not isinstance(config, AlgorithmConfig):
        raise ConfigError(
            f"{path} must set 'config' to an AlgorithmConfig, for example MirrorPPOConfig()"
        )
    algorithm = algorithm_name(config)
    if not isinstance(env or config.env, str):
        raise ConfigError(
            f"{path}: name the environment by its id or as package.module:Env, not by "
            f"{config.env!r}"
        )
    stop = rest.pop("stop", None) or found.get("stop", {})
    said = settings_of(config, algorithm)
    return Experiment.checked(
        notice,
        name=path.stem,
        algorithm=algorithm,
        env=env or config.env,
        config=said,
        stop=stop,
        **rest,
    )


@dataclass(frozen=True)
class Outcome:
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
        told = "".join(
            f"  {name} {value:.3f}" for name, value in returns.items() if value is not None
        )
        steps = int(runners.get("num_env_steps_sampled_lifetime", 0))
        self.report(
            f"{trial}  iteration {result['training_iteration']:>4}  {steps:>9,} steps{told}"
        )


def run_experiment(
    experiment: Experiment,
    *,
    resume: bool = False,
    verbose: int = 0,
    report: Notice = lambda line: None,
) -> list[Outcome]:
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
    folder, record = experiment.folder, asdict(experiment)
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


def _outcome(trial: Trial, env: str) -> Outcome:
    last = trial.last_result or {}
    runners = last.get("env_runners", {})
    error = None
    if trial.status == Trial.ERROR:
        error = _reason(str(trial.get_error() or "")) or f"see {trial.error_file}"
    returns = [runners.get(name) for name in ("episode_return_mean", "mirror_return_mean")]
    return Outcome(
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


def require_good(outcomes: list[Outcome]) -> None:
    """Say so if anything did not end well.

    Raises:
        TrainingError: if a trial failed, was interrupted, or took no sample.
    """
    bad = [outcome for outcome in outcomes if not outcome.good]
    if bad or not outcomes:
        told = "\n".join(
            f"  {one.folder}: {one.error or f'{one.status.lower()}, {one.env_steps} steps'}"
            for one in bad
        )
        raise TrainingError(
            f"{len(bad)} of {len(outcomes)} trials did not end well:\n{told}\n"
            "The same command with --resume goes on from the last checkpoint."
        )
