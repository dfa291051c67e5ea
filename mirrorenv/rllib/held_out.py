"""`Algorithm.evaluate` of MirrorPPO: held-out episodes, in RLlib's words and with the mirror's
figures."""

from __future__ import annotations

from typing import Any

import numpy as np

from mirrorenv.envs import spec
from mirrorenv.errors import ConfigError
from mirrorenv.population.held_out import measure
from mirrorenv.population.population import Population
from mirrorenv.rllib.worlds import make_world

__all__ = ["check_evaluation", "evaluated"]


def check_evaluation(config: Any) -> None:
    """Whether `config.evaluation(...)` asks for what there is.

    Raises:
        ConfigError: for a duration that is no number of episodes.
    """
    if config.evaluation_duration_unit != "episodes" or config.evaluation_duration == "auto":
        raise ConfigError(
            "MirrorPPO: evaluation_duration is a number of whole episodes: "
            ".evaluation(evaluation_duration=64, evaluation_duration_unit='episodes')"
        )


def evaluated(config: Any, population: Population) -> dict[str, Any]:
    """What RLlib reports under `evaluation`.

    Args:
        config: a `MirrorPPOConfig`; `evaluation_duration` is how many episodes are played, at
            least 2.
        population: with the newest weights.
    """
    episodes = max(2, int(config.evaluation_duration))
    known = spec(config.env) if isinstance(config.env, str) and "/" in config.env else None
    exchangeable = known is not None and known.slot_exchangeable
    world = make_world(config, episodes)
    try:
        found = measure(
            population, world, slot_exchangeable=exchangeable, seed=int(config.seed or 0)
        )
        record = found.record
        per_agent = record.rewards.sum(axis=1)  # (B, N)
        returns = per_agent.sum(axis=1)  # (B,)
        score = found.learned_score()
        lengths = record.mask.any(axis=2).sum(axis=1)
        agents = dict(zip(map(str, world.agents), per_agent.mean(axis=0).tolist(), strict=True))
    finally:
        world.close()
    figures = {
        name: estimate.value
        for name in ("top1", "information")
        if (estimate := getattr(score, name)) is not None
    }
    return {
        "env_runners": {
            "episode_return_mean": float(returns.mean()),
            "episode_return_min": float(returns.min()),
            "episode_return_max": float(returns.max()),
            "episode_len_mean": float(lengths.mean()),
            "num_episodes": episodes,
            "num_env_steps_sampled": int(np.sum(lengths)),
            "agent_episode_returns_mean": agents,
            "mirror": figures,
        }
    }
