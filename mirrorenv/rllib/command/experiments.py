"""What one experiment of the `rllib` command is, and whether it can be run at all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mirrorenv.errors import ConfigError
from mirrorenv.rllib.command.config import algorithm_config, current_names, variants

__all__ = ["Experiment", "Notice"]

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

        Args:
            notice: called with each thing a person should know, such as a setting under an old
                name.
            config: settings of the algorithm; `env` and `env_config` may stand among them.
            env: name of a world or `package.module:Env`; None where `config` has it.
            rest: further attributes; `algorithm` must be among them, `stop` may be.

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
