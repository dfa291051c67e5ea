"""What `--config` of the `rllib` command may say for each algorithm, and what RLlib's old names are
called today.

RLlib sets unknown keys without a word and ignores most keys of its old API. Here every key is
known, renamed with a notice, or refused with a remedy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.ppo import PPO, PPOConfig

from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.rllib.algorithm import MirrorPPO, MirrorPPOConfig
from mirrorenv.rllib.command.stock import StockPPO, stock_config
from mirrorenv.rllib.ignored import LEARNING_NAMES

__all__ = [
    "ALGORITHMS",
    "algorithm_config",
    "algorithm_name",
    "current_names",
    "is_search",
    "settings_of",
    "variants",
]

ALGORITHMS: dict[str, type] = {"MirrorPPO": MirrorPPO, "PPO": StockPPO}
"""What `--algo` may name."""

_RESOURCES = {
    *(
        "num_env_runners",
        "num_cpus_per_env_runner",
        "num_gpus_per_env_runner",
        "custom_resources_per_env_runner",
    ),
    *("num_learners", "num_cpus_per_learner", "num_gpus_per_learner", "num_cpus_for_main_process"),
    *(
        "sample_timeout_s",
        "restart_failed_env_runners",
        "ignore_env_runner_failures",
        "max_num_env_runner_restarts",
    ),
    *(
        "delay_between_env_runner_restarts_s",
        "env_runner_health_probe_timeout_s",
        "env_runner_restore_timeout_s",
    ),
    *("placement_strategy", "seed", "log_level"),
}
_PPO = {
    *(
        "lr",
        "gamma",
        "lambda_",
        "use_critic",
        "use_gae",
        "use_kl_loss",
        "kl_coeff",
        "kl_target",
        "vf_loss_coeff",
    ),
    *(
        "entropy_coeff",
        "clip_param",
        "vf_clip_param",
        "grad_clip",
        "grad_clip_by",
        "num_epochs",
        "minibatch_size",
    ),
    *(
        "train_batch_size_per_learner",
        "shuffle_batch_per_epoch",
        "num_envs_per_env_runner",
        "rollout_fragment_length",
    ),
    *(
        "batch_mode",
        "explore",
        "normalize_actions",
        "clip_actions",
        "count_steps_by",
        "restart_failed_sub_environments",
    ),
    *(
        "min_time_s_per_iteration",
        "min_sample_timesteps_per_iteration",
        "metrics_num_episodes_for_smoothing",
    ),
}
_OURS = {"mirror", "population", "learning", "total_steps", "step_timeout"}
_KNOWN = {"PPO": _RESOURCES | _PPO | {"policies", "model_config"}, "MirrorPPO": _RESOURCES | _OURS}

_RENAMED = {  # of Ray 2.40 and before -> of Ray 2.60
    "num_workers": "num_env_runners",
    "num_rollout_workers": "num_env_runners",
    "num_envs_per_worker": "num_envs_per_env_runner",
    "num_cpus_per_worker": "num_cpus_per_env_runner",
    "num_gpus_per_worker": "num_gpus_per_env_runner",
    "num_learner_workers": "num_learners",
    "num_cpus_per_learner_worker": "num_cpus_per_learner",
    "num_gpus_per_learner_worker": "num_gpus_per_learner",
    "num_cpus_for_driver": "num_cpus_for_main_process",
    "recreate_failed_workers": "restart_failed_env_runners",
    "recreate_failed_env_runners": "restart_failed_env_runners",
    "ignore_worker_failures": "ignore_env_runner_failures",
    "lambda": "lambda_",
    "num_sgd_iter": "num_epochs",
    "sgd_minibatch_size": "minibatch_size",
    "train_batch_size": "train_batch_size_per_learner",
    "model": "model_config",
}
_GONE = {
    "num_gpus": "learners have the GPUs now: num_gpus_per_learner",
    "horizon": "the world sets the length of an episode: env_config with horizon, where the world "
    "knows it",
    "multiagent": 'policies take their place: "policies": ["shared"], or a name for each agent',
    "eager_tracing": "TensorFlow is gone from RLlib",
    "tf_session_args": "TensorFlow is gone from RLlib",
    "enable_rl_module_and_learner": "there is one API stack, the new one: leave it out",
    "enable_env_runner_and_connector_v2": "there is one API stack, the new one: leave it out",
    "evaluation_interval": "evaluate a checkpoint afterwards: rllib evaluate CHECKPOINT",
}
_MIRROR_PLACE = {  # stock name -> where MirrorPPO has it
    "lr": "learning.learning_rate",
    "gamma": "learning.gamma",
    "lambda_": "learning.gae_lambda",
    "clip_param": "learning.clip",
    "entropy_coeff": "learning.entropy",
    "vf_loss_coeff": "learning.value_weight",
    "grad_clip": "learning.grad_norm",
    "num_epochs": "learning.epochs",
    "minibatch_size": "learning.minibatch_episodes",
    "train_batch_size_per_learner": "learning.episodes_per_iteration",
    "model_config": "population.hidden and population.actor",
    "policies": "population.weights",
}

Notice = Callable[[str], None]


def current_names(algorithm: str, config: Mapping[str, Any], notice: Notice) -> dict[str, Any]:
    """`config` with today's keys.

    Args:
        algorithm: "MirrorPPO" or "PPO".
        config: what was given as `--config`, without `env` and `env_config`.
        notice: told about every key that has another name today.

    Raises:
        ConfigError: for a key that means nothing any more, or nothing to this algorithm; it says
            what to use.
        UnknownNameError: for an unknown key, with the nearest ones.
    """
    _check_algorithm(algorithm)
    known = _KNOWN[algorithm]
    today = dict[str, Any]()
    for key, value in config.items():
        name = _RENAMED.get(key, key)
        if key in _GONE:
            raise ConfigError(f"--config '{key}' means nothing in Ray 2.60: {_GONE[key]}")
        if key == "framework":
            _check_framework(value)
            continue
        if name not in known and algorithm == "MirrorPPO" and name in _MIRROR_PLACE:
            raise ConfigError(f"--config '{key}': MirrorPPO has it as {_MIRROR_PLACE[name]}")
        if name not in known and algorithm == "PPO" and name in _OURS:
            raise ConfigError(f"--config '{key}' belongs to MirrorPPO: --algo MirrorPPO")
        if name not in known:
            raise unknown_name(
                f"setting of {algorithm} in --config", key, known | {"env", "env_config"}
            )
        if name != key:
            notice(f"--config '{key}' is called '{name}' in Ray 2.60")
        today[name] = value
    return today


def _check_algorithm(name: str) -> None:
    if name not in ALGORITHMS:
        raise ConfigError(
            f"--algo {name}: this command drives {' and '.join(ALGORITHMS)}. For other algorithms "
            "of RLlib use its "
            "Python API: mirrorenv.rllib.register_worlds() makes every world known to it by its id"
        )


def _check_framework(value: Any) -> None:
    if value not in (None, "torch"):
        raise ConfigError(f"framework '{value}': RLlib has only torch since Ray 2.42; leave it out")


def algorithm_config(
    algorithm: str, env: str, env_config: Mapping[str, Any], config: Mapping[str, Any]
) -> Any:
    """The configuration of an algorithm, checked as far as can be without starting it.

    Args:
        algorithm: "MirrorPPO" or "PPO".
        env: a registered id, or `"package.module:Env"`.
        env_config: arguments of the world.
        config: today's keys, without search spaces.

    Raises:
        ConfigError: if a value is wrong; UnknownNameError, WorldError: if the world cannot be made.
    """
    rest = dict(config)
    try:
        if algorithm == "PPO":
            policies = rest.pop("policies", None)
            model = rest.pop("model_config", None)
            built: AlgorithmConfig = stock_config(
                env, env_config, policies=policies, model_config=model, settings=rest
            )
        else:
            built = MirrorPPOConfig().environment(env, env_config=dict(env_config))
            total = rest.pop("total_steps", None)
            built.update_from_dict(rest)
            built.learning(total_steps=total)
        built.copy(copy_frozen=False).validate()
    except (ValueError, TypeError, AttributeError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"--config: {error}") from error
    return built


def algorithm_name(config: AlgorithmConfig) -> str:
    """The name in `--algo` of a configuration's algorithm, or what its class is called."""
    names = {cls: name for name, cls in ALGORITHMS.items()} | {PPO: "PPO"}
    return str(names.get(config.algo_class, getattr(config.algo_class, "__name__", "?")))


def settings_of(config: AlgorithmConfig, algorithm: str) -> dict[str, Any]:
    """What a configuration says beyond the defaults, as `--config` would say it.

    Raises:
        ConfigError: if it says something that `--config` cannot, such as code of its own.
    """
    _check_algorithm(algorithm)
    default = PPOConfig() if algorithm == "PPO" else MirrorPPOConfig()
    before = vars(default)
    now = vars(config)
    skipped = {
        "env",
        "env_config",
        "algo_class",
        "policies",
        "policy_mapping_fn",
        "_model_config",
        "_is_frozen",
    }
    skipped |= {"mirror_settings", "population_settings", "learning_settings"}
    if algorithm == "MirrorPPO":  # said under `learning`, by other names
        skipped |= set(LEARNING_NAMES)
    changed = {
        key: value for key, value in now.items() if key not in skipped and value != before.get(key)
    }
    if foreign := sorted(set(changed) - _KNOWN.get(algorithm, set())):
        raise ConfigError(
            f"the configuration sets {', '.join(foreign)}, which this command would lose. Train it "
            "from Python: "
            "mirrorenv.rllib.register_worlds(), then config.build_algo() or tune.Tuner"
        )
    said = {"env_config": dict(config.env_config), **changed}
    if algorithm == "MirrorPPO":
        for name in ("mirror", "population", "learning"):
            said[name] = getattr(config, f"{name}_settings").model_dump(
                mode="json", exclude_defaults=True
            )
    elif set(config.policies) != set(default.policies):
        said["policies"] = sorted(config.policies)
    if now["_model_config"]:
        said["model_config"] = dict(now["_model_config"])
    return said


def is_search(value: Any) -> bool:
    """Whether a value, or something in it, is a grid search."""
    if isinstance(value, Mapping):
        return set(value) == {"grid_search"} or any(is_search(part) for part in value.values())
    return False


def variants(config: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every configuration that the grid searches in `config` span.

    Raises:
        ConfigError: if a value is code, which Ray Tune would run.
    """
    for place, value in _leaves(config, ()):
        if isinstance(value, Mapping) and "eval" in value:
            raise ConfigError(
                f"--config {'.'.join(place)}: 'eval' runs code, and a configuration holds none here"
            )
    open_places = [(place, value) for place, value in _leaves(config, ()) if is_search(value)]
    if not open_places:
        yield dict(config)
        return
    place, search = open_places[0]
    choices = search["grid_search"]
    if not isinstance(choices, list) or not choices:
        raise ConfigError(f"--config {'.'.join(place)}: grid_search needs a list of values")
    for choice in choices:
        yield from variants(_with(config, place, choice))


def _leaves(value: Any, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Everything that is no dictionary, or is a search or code, with its place."""
    if isinstance(value, Mapping) and value and not {"grid_search", "eval"} & set(value):
        for key, part in value.items():
            yield from _leaves(part, (*place, str(key)))
    else:
        yield place, value


def _with(config: Mapping[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    first, *rest = place
    return {**config, first: _with(config[first], tuple(rest), value) if rest else value}
