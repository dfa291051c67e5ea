"""Experiments that stand in a file: YAML, or a Python file that sets `config`."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig

from mirrorenv.errors import ConfigError
from mirrorenv.named_code import code_in, name_code
from mirrorenv.rllib.command.config import algorithm_name, settings_of
from mirrorenv.rllib.command.experiments import Experiment, Notice
from mirrorenv.strict import parse_yaml, read_settings_text

__all__ = ["read_experiments"]

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


def read_experiments(
    path: Path, notice: Notice, env: str | None = None, **defaults: Any
) -> list[Experiment]:
    """The experiments of a YAML file (by name: run, env, stop, config, ...), or of a Python file's
    `config`.

    Args:
        path: a `.yaml`, `.yml` or `.py` file. A Python file is run: it is the user's own.
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
        experiments = parse_yaml(read_settings_text(path), str(path))
    except ConfigError as error:
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
    for code in code_in(given):  # a file that the user has written and named
        name_code(code)
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
