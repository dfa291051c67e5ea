"""What the world tests iterate: every registered array world as it is, and the variants worth a
test of their own."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import mirrorenv
from mirrorenv.envs import ArrayWorld
from mirrorenv.envs.policies import UniformPolicy


class Case(NamedTuple):
    id: str
    kwargs: dict[str, Any]

    def __str__(self) -> str:
        return "-".join(
            [self.id.split("/")[1], *(f"{name}={value}" for name, value in self.kwargs.items())]
        )

    def batch(self, num_envs: int) -> ArrayWorld:
        return mirrorenv.make_batch(self.id, num_envs, **self.kwargs)


VARIANTS = [
    Case(
        "mirrorenv/ants-v0",
        {"start": "random", "see_others": True, "food": True, "food_items": 2, "length": 6},
    ),
    Case(
        "mirrorenv/chain-v0",
        {"num_agents": 5, "num_jobs": 3, "horizon": 6, "harvest": 2.0, "reward": "agent"},
    ),
    Case("mirrorenv/conformity-v0", {"num_agents": 3, "num_actions": 5, "horizon": 4}),
    Case(
        "mirrorenv/dispersion-v0",
        {"num_agents": 1, "goal_radius": 0.49, "horizon": 60, "time_penalty": 0.01},
    ),
    Case("mirrorenv/dispersion-v0", {"num_agents": 3, "goal_radius": 0.3, "reward": "agent"}),
    Case("mirrorenv/identity-v0", {"num_agents": 5, "num_actions": 3, "reward": 2.5}),
    Case(
        "mirrorenv/pacmen-v0",
        {"size": "small", "num_agents": 9, "reward": "agent", "reward_scale": 0.1},
    ),
    Case("mirrorenv/point-v0", {"num_agents": 2, "horizon": 5, "speed": 0.7}),
    Case("mirrorenv/turn-v0", {"size": 3, "horizon": 40, "reward": "agent", "start": "random"}),
]
CASES = [
    Case(id, {}) for id, spec in mirrorenv.registry().items() if spec.kind == "array"
] + VARIANTS


def has_chance(case: Case) -> bool:
    """Whether the seed decides anything: as the world says of itself, and in variants that start at
    random."""
    return not mirrorenv.spec(case.id).deterministic or "start" in case.kwargs


def permute_agents(world: ArrayWorld, order: npt.NDArray[np.int64]) -> None:
    """Let agent i stand where agent `order[i]` stands; the world has been reset."""
    for name in world.agent_state or ():
        setattr(world, name, getattr(world, name)[:, order].copy())


class Record(NamedTuple):
    observations: npt.NDArray[np.float32]  # (T + 1, B, N, *obs)
    actions: npt.NDArray[Any]  # (T, B, N) or (T, B, N, A)
    rewards: npt.NDArray[np.float32]  # (T, B, N)
    terminated: npt.NDArray[np.bool_]  # (T, B, N)
    truncated: npt.NDArray[np.bool_]  # (T, B, N)


def uniform_actions(world: ArrayWorld, steps: int, seed: int = 0) -> npt.NDArray[Any]:
    """(T, B, N) or (T, B, N, A) actions, the same for row b whatever B is."""
    policy = UniformPolicy(world, seed)
    nothing = np.zeros((world.num_envs, world.num_agents, 0), np.float32)
    return np.stack([policy(nothing, t) for t in range(steps)])


def play(world: ArrayWorld, seeds: npt.NDArray[np.int64], actions: npt.NDArray[Any]) -> Record:
    """All steps of the given actions, past the end of the episode if there are more."""
    first = world.reset(seeds)
    steps = [world.step(joint) for joint in actions]
    observations, rewards, terminated, truncated = (
        np.stack(part) for part in zip(*steps, strict=True)
    )
    return Record(
        np.concatenate([first[None], observations]), actions, rewards, terminated, truncated
    )


def assert_same(one: Record, other: Record) -> None:
    for name, a, b in zip(Record._fields, one, other, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)
