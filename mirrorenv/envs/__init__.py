"""The worlds, and what one does to a world. One file and one ``register(...)`` each."""

from __future__ import annotations

from mirrorenv.envs.base import ArrayWorld, ClockedWorld, Step
from mirrorenv.envs.episodes import play_episodes
from mirrorenv.envs.policies import UniformPolicy
from mirrorenv.envs.random import BatchRandom, fresh_seed
from mirrorenv.envs.registry import (
    WorldSpec,
    broken_plugins,
    full_id,
    make,
    make_batch,
    register,
    registry,
    spec,
)

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

register(
    "mirrorenv/ants-v0",
    "mirrorenv.envs.worlds.ants:Ants",
    description="Ants on a line that earn nothing: all that can tell them apart is where they "
    "choose to walk.",
    players="mirrorenv.envs.worlds.ants:PLAYERS",
)
register(
    "mirrorenv/pacmen-v0",
    "mirrorenv.envs.worlds.pacmen:Pacmen",
    team_reward=True,
    description="Four eaters and four rooms of dots: one agent for each room earns four times what "
    "a crowd does.",
    players="mirrorenv.envs.worlds.pacmen_players:PLAYERS",
)
register(
    "mirrorenv/identity-v0",
    "mirrorenv.envs.worlds.identity:Identity",
    description="One step and a reward for one action: diversity appears at a known mirror weight.",
    players="mirrorenv.envs.worlds.identity:PLAYERS",
)
register(
    "mirrorenv/conformity-v0",
    "mirrorenv.envs.worlds.conformity:Conformity",
    description="Every agent is paid for doing what the others do: the world that pays for being "
    "alike.",
    players="mirrorenv.envs.worlds.conformity:PLAYERS",
)
register(
    "mirrorenv/chain-v0",
    "mirrorenv.envs.worlds.chain:Chain",
    team_reward=True,
    description="Jobs that nobody is paid for until each of them is done, beside one that pays a "
    "little at once.",
    players="mirrorenv.envs.worlds.chain:PLAYERS",
)
register(
    "mirrorenv/dirichlet-v0",
    "mirrorenv.envs.worlds.dirichlet:Dirichlet",
    description="States by chance and no reward: tabular random agents whose exact limit is known "
    "in closed form.",
)
register(
    "mirrorenv/dispersion-v0",
    "mirrorenv.envs.worlds.dispersion:Dispersion",
    team_reward=True,
    description="Points leave the origin for as many goals: agents that are all alike can only go "
    "together.",
    players="mirrorenv.envs.worlds.dispersion:PLAYERS",
)
register(
    "mirrorenv/point-v0",
    "mirrorenv.envs.worlds.point:Point",
    description="Points in a square that earn nothing: as many skills as there are ways to go "
    "(after DIAYN).",
    players="mirrorenv.envs.worlds.point:PLAYERS",
)
register(
    "mirrorenv/turn-v0",
    "mirrorenv.envs.worlds.turn:Turn",
    team_reward=True,
    slot_exchangeable=False,
    leaks="start corners name the agents by construction, and agent 0 has the first turn: here for "
    "the leak audit",
    description="Two agents fetch a key by turns, from corners that name them: the world the leak "
    "audit must catch.",
    players="mirrorenv.envs.worlds.turn:PLAYERS",
)
register(
    "mirrorenv/debate-v0",
    "mirrorenv.debate.env:DebateEnv",
    kind="text",
    description="Players write on a topic and say who wrote what: the mirror test in words.",
)
