"""The worlds, and what one does to a world. Each is one file in `worlds/`."""

from __future__ import annotations

from mirrorenv.envs.base import ArrayWorld, ClockedWorld, Step
from mirrorenv.envs.discovery import broken_plugins
from mirrorenv.envs.episodes import play_episodes
from mirrorenv.envs.policies import UniformPolicy
from mirrorenv.envs.random import BatchRandom, fresh_seed
from mirrorenv.envs.registry import full_id, make, make_batch, registry, spec
from mirrorenv.envs.world_spec import WorldSpec, register

__all__ = [
    "ArrayWorld",
    "BatchRandom",
    "ClockedWorld",
    "Step",
    "UniformPolicy",
    "WorldSpec",
    "broken_plugins",
    "fresh_seed",
    "full_id",
    "make",
    "make_batch",
    "play_episodes",
    "register",
    "registry",
    "spec",
]
