"""The worlds, and what one does to a world. One file and one ``register(...)`` each."""

from __future__ import annotations

from mirrorenv.envs.base import ArrayWorld, ClockedWorld, Step
from mirrorenv.envs.episodes import play_episodes
from mirrorenv.envs.random import BatchRandom, fresh_seed
from mirrorenv.envs.registry import WorldSpec, broken_plugins, make, make_batch, register, registry, spec

__all__ = [
    "ArrayWorld",
    "BatchRandom",
    "ClockedWorld",
    "Step",
    "WorldSpec",
    "broken_plugins",
    "fresh_seed",
    "make",
    "make_batch",
    "play_episodes",
    "register",
    "registry",
    "spec",
]

register(
    "mirrorenv/ants-v0",
    "mirrorenv.envs.ants:Ants",
    description="Ants on a line that earn nothing: all that can tell them apart is where they choose to walk.",
)
register(
    "mirrorenv/pacmen-v0",
    "mirrorenv.envs.pacmen:Pacmen",
    team_reward=True,
    description="Four eaters and four rooms of dots: one agent for each room earns four times what a crowd does.",
)
