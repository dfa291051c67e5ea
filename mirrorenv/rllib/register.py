"""Worlds made known to stock RLlib and Ray Tune by their ids."""

from __future__ import annotations

from ray.tune.registry import register_env, register_trainable

from mirrorenv.envs.registry import registry
from mirrorenv.rllib.algorithm import MirrorPPO
from mirrorenv.rllib.multi_agent_env import WorldCreator

__all__ = ["register_worlds"]


def register_worlds(*more: str) -> list[str]:
    """Make worlds known to Ray Tune and RLlib by their ids, and `MirrorPPO` by its name.

    Args:
        *more: ids of worlds that are not registered, as `"package.module:Env"`.

    Returns:
        the ids: every registered array world, and those in `more`.
    """
    ids = [id for id, spec in registry().items() if spec.kind == "array"] + list(more)
    for id in ids:
        register_env(id, WorldCreator(id))
    register_trainable("MirrorPPO", MirrorPPO)
    return ids
