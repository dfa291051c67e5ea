"""What RLlib offers and MirrorPPO has elsewhere or not at all: refused by name, never taken without
effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.rllib.callbacks.callbacks import RLlibCallback

from mirrorenv.errors import ConfigError

__all__ = ["LEARNING_NAMES", "check_nothing_ignored", "without_search"]

LEARNING_NAMES = {
    "lr": "learning_rate",
    "gamma": "gamma",
    "lambda_": "gae_lambda",
    "clip_param": "clip",
    "entropy_coeff": "entropy",
    "vf_loss_coeff": "value_weight",
    "grad_clip": "grad_norm",
    "num_epochs": "epochs",
}
"""RLlib's name -> the field of `LearningSettings` that it is. They are kept equal."""

_OURS = {
    *("mirror_settings", "population_settings", "learning_settings", "total_steps"),
    *("validate_world", "step_timeout", "_settled", "env_runner_cls", "algo_class"),
}
_HEEDED = {
    *("env", "env_config", "observation_space", "action_space", "seed", "worker_index"),
    *("num_env_runners", "num_cpus_per_env_runner", "num_gpus_per_env_runner"),
    *("custom_resources_per_env_runner", "sample_timeout_s", "num_cpus_for_main_process"),
    *("num_learners", "num_cpus_per_learner", "num_gpus_per_learner", "local_gpu_idx"),
    *("custom_resources_per_learner", "placement_strategy", "torch_ddp_kwargs"),
    *("restart_failed_env_runners", "ignore_env_runner_failures", "max_num_env_runner_restarts"),
    *("delay_between_env_runner_restarts_s", "env_runner_health_probe_timeout_s"),
    *("env_runner_restore_timeout_s", "num_consecutive_env_runner_failures_tolerance"),
    *("validate_env_runners_after_construction", "disable_env_checking"),
    *("min_time_s_per_iteration", "min_sample_timesteps_per_iteration"),
    *("min_train_timesteps_per_iteration", "log_level", "log_sys_usage", "logger_creator"),
    *("logger_config", "fake_sampler", "simple_optimizer", "is_atari", "framework_str"),
    *("evaluation_interval", "evaluation_duration", "evaluation_duration_unit", "in_evaluation"),
    *("callbacks_class", "callbacks_on_algorithm_init", "callbacks_on_train_result"),
    *("callbacks_on_evaluate_start", "callbacks_on_evaluate_end", "callbacks_on_checkpoint_loaded"),
    *("callbacks_on_env_runners_recreated", "policy_mapping_fn", "_is_frozen"),
}
_ELSEWHERE = {
    "minibatch_size": "learning.minibatch_episodes has it, in whole episodes",
    "train_batch_size_per_learner": "learning.episodes_per_iteration has it, in whole episodes",
    "_train_batch_size_per_learner": "learning.episodes_per_iteration has it, in whole episodes",
    "_model_config": "population.hidden, population.actor and population.actor_options have it",
    "_rl_module_spec": "a population acts; your own network is population.actor = "
    "'package.module:Encoder', and your own RLModule works with mirrorenv.rllib.attach",
    "policies": "population.weights says whether networks are shared or separate",
    "_learner_class": "objectives change what is learned (docs/extending.md)",
    "num_envs_per_env_runner": "worlds are batched already; learning.episodes_per_iteration",
    "rollout_fragment_length": "whole episodes are sampled; learning.episodes_per_iteration",
    "batch_mode": "whole episodes are sampled in any case",
    "explore": "agents draw their actions, which is what the exact limit is of",
    "clip_rewards": "learning.reward_scale scales the reward",
    "output": "mirrorenv results export writes episodes",
    "evaluation_num_env_runners": "held-out episodes are played in this process",
    "evaluation_config": "held-out episodes are played as in training",
    "evaluation_parallel_to_training": "held-out episodes are played between iterations",
}
_CALLED = {
    *("on_algorithm_init", "on_train_result", "on_evaluate_start", "on_evaluate_end"),
    *("on_checkpoint_loaded", "on_env_runners_recreated"),
}


def check_nothing_ignored(config: Any, default: Any) -> None:
    """Whether everything that a `MirrorPPOConfig` says is heeded.

    Args:
        config: what was set.
        default: the same class, untouched.

    Raises:
        ConfigError: for the first option without effect; it says what has one.
    """
    before = vars(default)
    for name, value in vars(config).items():
        if name in _OURS or name in _HEEDED or name in LEARNING_NAMES:
            continue
        if name not in before or _same(name, value, before[name]):
            continue
        option = name.lstrip("_")
        remedy = _ELSEWHERE.get(name, "leave it as RLlib has it, or use mirrorenv.rllib.attach")
        raise ConfigError(f"MirrorPPO: '{option}' would have no effect: {remedy}")
    _check_callbacks(config)


def _same(name: str, value: Any, default: Any) -> bool:
    """Whether an option is as it was."""
    if name == "policies":
        return set(value or ()) == set(default or ())
    if name == "batch_mode" and value == "complete_episodes":  # what is done anyway
        return True
    try:
        return value is default or bool(value == default)
    except ValueError:  # arrays
        return False


def _check_callbacks(config: Any) -> None:
    """Whether all callbacks are called."""
    given = config.callbacks_class
    classes = given if isinstance(given, list | tuple) else [given]
    for name in vars(RLlibCallback):
        if not name.startswith("on_") or name in _CALLED:
            continue
        own = [
            one for one in classes if getattr(one, name, None) is not getattr(RLlibCallback, name)
        ]
        if own or getattr(config, f"callbacks_{name}", None):
            raise ConfigError(
                f"MirrorPPO: the callback {name} would never be called: episodes are played as one "
                f"batch of arrays. Called are {', '.join(sorted(_CALLED))}; "
                "mirrorenv.rllib.attach keeps RLlib's own runners and their callbacks"
            )


def without_search(place: str, settings: Mapping[str, Any]) -> None:
    """Refuse a search space where settings are checked at once.

    Args:
        place: `mirror`, `population` or `learning`.
        settings: what was given there.

    Raises:
        ConfigError: if one is a grid search or a domain of Ray Tune; it says where it belongs.
    """
    for name, value in settings.items():
        grid = isinstance(value, Mapping) and "grid_search" in value
        if grid or type(value).__module__.startswith("ray.tune.search"):
            raise ConfigError(
                f"{place}({name}=...): a search space belongs into param_space: "
                f'{{**config.to_dict(), "{place}": {{"{name}": ...}}}}'
            )
