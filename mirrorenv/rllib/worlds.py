"""Worlds as the trainer makes them: by id, by path, or by whatever makes a PettingZoo
environment."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Mapping
from typing import Any

from ray.rllib.env.env_context import EnvContext
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.tune.registry import ENV_CREATOR, _global_registry, register_env

from mirrorenv.envs import make_batch, registry
from mirrorenv.envs.adhoc import is_adhoc
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.checks.validation import validated
from mirrorenv.errors import ConfigError
from mirrorenv.rllib.parallel_env import as_parallel

__all__ = ["environment_name", "make_world", "world_name"]

_numbers = itertools.count()


def environment_name(env: Any) -> Any:
    """What an `AlgorithmConfig` can hold as its `env`: a function gets a name in Ray's registry,
    where actors find it.

    Args:
        env: an id, with its prefix or without, a class (kept), or a function that makes an
            environment.
    """
    if isinstance(env, str):
        known = _global_registry.contains(ENV_CREATOR, env)
        short = f"mirrorenv/{env}"
        return short if not known and short in registry() else env
    if isinstance(env, type) or not callable(env):
        return env
    module = getattr(env, "__module__", None)
    name = f"{module}.{getattr(env, '__qualname__', 'function')}-{next(_numbers)}"
    register_env(name, env)
    return name


def make_world(config: Any, num_envs: int) -> ArrayWorld:
    """A batch of the world a `MirrorPPOConfig` names in `env` and `env_config`, validated unless it
    says otherwise.

    Registered worlds come first, then names given to `tune.register_env`. A class or function with
    one required argument is called as RLlib does, with the whole `env_config`; any other with its
    entries as arguments.

    Raises:
        ConfigError: if no world is named.
        UnknownNameError: if no world of that id is registered.
    """
    env = config.env
    options = dict(config.env_config)
    if env is None:
        raise ConfigError("no world given: name one, for example .environment('mirrorenv/ants-v0')")
    if isinstance(env, str) and not is_adhoc(env) and env not in registry():
        env = (
            _global_registry.get(ENV_CREATOR, env)
            if _global_registry.contains(ENV_CREATOR, env)
            else env
        )
    world = make_batch(env if isinstance(env, str) else _factory(env, options), num_envs, **options)
    return validated(world, world_name(config)) if config.validate_world else world


def world_name(config: Any) -> str:
    """What messages call the world of an `AlgorithmConfig`."""
    return (
        config.env
        if isinstance(config.env, str)
        else f"{config.env.__module__}:{config.env.__qualname__}"
    )


def _factory(env: Callable[..., Any], options: Mapping[str, Any]) -> Callable[..., Any]:
    """`env` itself, or a function that hands it `options` as RLlib's one argument."""
    if isinstance(env, type) and issubclass(env, ArrayWorld):
        return env
    ours = isinstance(env, type) and issubclass(env, MultiAgentEnv)
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    required = [
        p
        for p in inspect.signature(env).parameters.values()
        if p.default is p.empty and p.kind in positional
    ]
    if not ours and (len(required) != 1 or required[0].name in options):
        return env

    make: Callable[..., Any] = env

    def with_config(**_: Any) -> Any:
        return as_parallel(make(EnvContext(dict(options), worker_index=0)))

    with_config.__module__ = env.__module__
    with_config.__qualname__ = getattr(env, "__qualname__", "environment")
    return with_config
