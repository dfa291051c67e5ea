"""An environment as a PettingZoo user plays it, to compare a batch of its copies with.

Shapes: B batch, T time, N agents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from mirrorenv.envs import UniformPolicy

__all__ = ["compare", "play_bare"]


def play_bare(
    env: Any, seed: int, actions: Any, agents: list[Any], translate: Callable[[Any], Any] = int
) -> Any:
    """One episode as a PettingZoo user plays it: observations (T + 1, N), rewards and flags (T, N)
    or None."""
    seen, _ = env.reset(seed=seed)
    observations, rewards, flags = [[seen[a] for a in agents]], [], []
    for joint in actions:
        if not env.agents:
            break
        seen, paid, over, late, _ = env.step(
            {a: translate(move) for a, move in zip(agents, joint, strict=True) if a in env.agents}
        )
        observations.append([seen.get(a) for a in agents])
        rewards.append([paid.get(a) for a in agents])
        flags.append([(over.get(a), late.get(a)) for a in agents])
    return observations, rewards, flags


def compare(
    make: Callable[[], Any],
    world: Any,
    seeds: list[int],
    *,
    translate: Callable[[Any], Any] = int,
    see: Callable[[Any], Any] = lambda value: value,
) -> None:
    """Every row of the batch against its own environment stepped bare."""
    policy = UniformPolicy(world, 3)
    first = world.reset(seeds)
    actions = [policy(first, t) for t in range(world.horizon)]
    steps = [world.step(joint) for joint in actions]
    for row, seed in enumerate(seeds):
        env = make()
        observations, rewards, flags = play_bare(
            env, seed, [a[row] for a in actions], env.possible_agents, translate
        )
        last = [see(value) for value in observations[0]]
        np.testing.assert_array_equal(first[row], np.asarray(last, np.float32))
        dead = np.zeros((world.num_agents, 2), bool)
        for t, step in enumerate(steps):
            over = t >= len(rewards)
            for i in range(world.num_agents):
                present = not over and rewards[t][i] is not None
                if present:
                    last[i] = see(observations[t + 1][i])
                    dead[i] = flags[t][i]
                np.testing.assert_array_equal(
                    step.observations[row, i], np.asarray(last[i], np.float32)
                )
                assert step.rewards[row, i] == np.float32(rewards[t][i] if present else 0)
                assert (step.terminated[row, i], step.truncated[row, i]) == tuple(dead[i])
