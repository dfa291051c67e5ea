"""RLlib's own PPO on worlds: through the right adapter, never an iteration without samples, weights
without pickle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.core import COMPONENT_LEARNER, COMPONENT_RL_MODULE
from ray.rllib.env.multi_agent_env_runner import MultiAgentEnvRunner
from safetensors import SafetensorError
from safetensors.numpy import load, save

from mirrorenv.envs import registry
from mirrorenv.envs.adapters.mirror_test import MirrorTest
from mirrorenv.errors import CheckpointError, ConfigError, MirrorError
from mirrorenv.population.checkpoint import world_of
from mirrorenv.results.runs.files import atomic_write_bytes, atomic_write_json, read_json
from mirrorenv.results.runs.manifest import verify_manifest, write_manifest
from mirrorenv.rllib.guards import until_sampled
from mirrorenv.rllib.multi_agent_env import make_multi_agent_env
from mirrorenv.rllib.register import register_worlds

__all__ = ["SHARED", "StockPPO", "load_stock", "stock_config", "stock_runner"]

SHARED = "shared"
"""Name of the one policy that all agents run unless `policies` says otherwise."""

_FOLDER = "modules"
_WEIGHTS = "modules.safetensors"
_CONFIG = "config.json"


class StockPPO(PPO):
    """RLlib's PPO, unchanged but for two things: it stops when no sample arrives, and saves its
    weights openly."""

    @classmethod
    def get_default_config(cls) -> PPOConfig:
        """RLlib's defaults."""
        return PPOConfig(algo_class=cls)

    def training_step(self) -> None:
        """One iteration.

        Raises:
            TrainingError: if no sample arrived in several attempts.
        """
        until_sampled(self, self._one_attempt)

    def _one_attempt(self) -> bool | None:
        before = self._steps_sampled()
        super().training_step()
        return True if self._steps_sampled() > before else None

    def _steps_sampled(self) -> int:
        return int(self.metrics.peek(("env_runners", "num_env_steps_sampled_lifetime"), default=0))

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """RLlib's own checkpoint, to go on from; and beside it the modules, to read without
        unpickling anything."""
        super().save_checkpoint(checkpoint_dir)
        state = self.learner_group.get_state(
            components=f"{COMPONENT_LEARNER}/{COMPONENT_RL_MODULE}"
        )
        modules = state[COMPONENT_LEARNER][COMPONENT_RL_MODULE]
        weights = {
            f"{module}/{name}": np.ascontiguousarray(w)
            for module, ws in modules.items()
            for name, w in ws.items()
        }
        model = self.config.model_config
        about = {
            "algorithm": "PPO",
            "env": self.config.env,
            "env_config": dict(self.config.env_config),
            "policies": sorted(self.config.policies),
            "model_config": asdict(model)
            if is_dataclass(model) and not isinstance(model, type)
            else dict(model),
            "env_steps": self._steps_sampled(),
        }
        folder = Path(checkpoint_dir) / _FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        atomic_write_bytes(folder / _WEIGHTS, save(weights))
        atomic_write_json(folder / _CONFIG, about)
        write_manifest(folder, [_WEIGHTS, _CONFIG])


def stock_config(
    env: str,
    env_config: Mapping[str, Any],
    *,
    policies: list[str] | None = None,
    model_config: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> PPOConfig:
    """The configuration of RLlib's PPO in a world.

    Args:
        env: a registered id, or `"package.module:Env"`.
        env_config: arguments of the world.
        policies: one name (all agents share that policy), or the names of all agents (each has its
            own). By default one, called `"shared"`.
        model_config: RLlib's `DefaultModelConfig`, as a dictionary.
        settings: attributes of `PPOConfig` by name.

    Raises:
        UnknownNameError: if there is no such world.
        ConfigError: if the policies fit neither way, or separate ones are to be learned by several
            learners.
    """
    copy = make_multi_agent_env(env, env_config)
    agents = copy.possible_agents
    register_worlds(*([] if env in registry() else [env]))
    names = policies or [SHARED]
    if len(names) > 1 and sorted(names) != sorted(agents):
        raise ConfigError(
            f"policies must be one name, or one for each agent ({agents}), got {names}"
        )
    config = StockPPO.get_default_config().environment(env, env_config=dict(env_config))
    config.multi_agent(
        policies=set(names),
        policy_mapping_fn=_own_policy if len(names) > 1 else _OnePolicy(names[0]),
    )
    config.env_runners(num_env_runners=0)
    if isinstance(copy.env, MirrorTest):
        # Evidence runs from -10 to 10 nats: stretched to these bounds, the noise of an untrained
        # policy is ten nats.
        config.environment(normalize_actions=False, clip_actions=True)
    # RLlib's default lets a failed runner sleep for a minute before it restarts.
    config.fault_tolerance(restart_failed_env_runners=True, delay_between_env_runner_restarts_s=1)
    if model_config:
        config.rl_module(model_config=dict(model_config))
    config.update_from_dict(dict(settings or {}))
    if len(names) > 1 and config.num_learners > 1:
        raise ConfigError(
            f"{len(names)} policies and {config.num_learners} learners: RLlib 2.60 then averages "
            "the gradients of "
            "different policies without an error. What works: one policy, num_learners of at most "
            "1, or MirrorPPO, "
            "which holds all agents in one module."
        )
    return config


class _OnePolicy:
    """All agents run the same policy."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, agent_id: str, episode: Any = None, **kwargs: Any) -> str:
        return self.name


def _own_policy(agent_id: str, episode: Any = None, **kwargs: Any) -> str:
    return agent_id


def load_stock(
    checkpoint: Path,
    *,
    env: str | None = None,
    env_config: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> tuple[MultiAgentEnvRunner, dict[str, Any]]:
    """An env runner that acts as a checkpoint of :class:`StockPPO` did.

    Args:
        checkpoint: the checkpoint's folder. Only safetensors and JSON are read.
        env: another world than the checkpoint's, with the same spaces; or the same, which must be
            named here if it is `package.module:Env`: a checkpoint alone runs no code.
        env_config: arguments of the world that replace the checkpoint's.
        seed: of worlds and choices.

    Returns:
        RLlib's `MultiAgentEnvRunner` with one copy of the world, and what was saved beside the
        weights.

    Raises:
        CheckpointError: if a file is missing or damaged, or does not fit the world.
    """
    folder = checkpoint / _FOLDER
    try:
        verify_manifest(folder)
        about = read_json(folder / _CONFIG)
        weights = load((folder / _WEIGHTS).read_bytes())
        id, kept = world_of(
            {"world": env or about["env"], "world_options": about["env_config"]}, env
        )
        about |= {"env": id, "env_config": {**kept, **(env_config or {})}}
        runner = stock_runner(
            about["env"], about["env_config"], about["policies"], about["model_config"], seed
        )
        for name in about["policies"]:
            own = {
                key.removeprefix(f"{name}/"): value
                for key, value in weights.items()
                if key.startswith(f"{name}/")
            }
            runner.module[name].set_state(own)
    except (
        MirrorError,
        SafetensorError,
        RuntimeError,
        KeyError,
        TypeError,
        ValueError,
        OSError,
    ) as error:
        raise CheckpointError(f"the checkpoint {checkpoint} cannot be used: {error}") from error
    return runner, about


def stock_runner(
    env: str,
    env_config: Mapping[str, Any],
    policies: list[str] | None,
    model_config: Mapping[str, Any],
    seed: int = 0,
) -> MultiAgentEnvRunner:
    """RLlib's env runner with one copy of a world and untrained policies.

    Args:
        env: name of a world that RLlib knows.
        env_config: its settings.
        policies: one name (all agents share that policy), or one for each agent; None for one.
        model_config: of RLlib's default module.
        seed: of the world and the policies.
    """
    config = stock_config(env, env_config, policies=policies, model_config=model_config)
    config.debugging(seed=seed, log_level="ERROR")
    return MultiAgentEnvRunner(config=config)
