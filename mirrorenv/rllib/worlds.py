"""Worlds by id, as the trainer makes them."""

from __future__ import annotations

from typing import Any

from mirrorenv.envs import make_batch
from mirrorenv.envs.base import ArrayWorld

__all__ = ["make_world"]


def make_world(config: Any, num_envs: int) -> ArrayWorld:
    """A batch of the world an `AlgorithmConfig` names in `env` and `env_config`.

    Raises:
        UnknownNameError: if no world of that id is registered.
    """
    return make_batch(config.env, num_envs, **dict(config.env_config))
