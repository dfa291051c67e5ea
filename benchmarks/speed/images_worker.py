"""What `images.py` measures, in a process of its own with one tree on its path: not a benchmark
itself. It uses nothing but what both trees have had for long: the recipe `training/bare_loop.py`,
and the package's way with other people's environments.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from before_after_worker import bare_loop
from gymnasium import spaces
from pettingzoo import ParallelEnv

from mirrorenv.population.settings import LearningSettings


class Images(ParallelEnv):  # type: ignore[misc]  # pettingzoo ships no types
    """Agents that see noise, (side, side, 3) uint8.

    Args:
        side: of an image.
        max_cycles: steps.
        agents: N.
    """

    def __init__(self, side: int, max_cycles: int, agents: int) -> None:
        self.possible_agents = [f"eye_{number}" for number in range(agents)]
        self.max_cycles = max_cycles
        self.sight = spaces.Box(0, 255, (side, side, 3), np.uint8)

    def observation_space(self, agent: str) -> spaces.Box:
        """An image."""
        return self.sight

    def action_space(self, agent: str) -> spaces.Discrete[Any]:
        """One of five."""
        return spaces.Discrete(5)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        """Start an episode."""
        self.clock = 0
        self.rng = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        return self._seen(), {agent: {} for agent in self.agents}

    def step(self, actions: dict[str, int]) -> tuple[Any, ...]:
        """Actions are paid, and change nothing."""
        self.clock += 1
        over = self.clock >= self.max_cycles
        answer = (
            self._seen(),
            {agent: float(action) for agent, action in actions.items()},
            dict.fromkeys(self.agents, False),
            dict.fromkeys(self.agents, over),
            {agent: {} for agent in self.agents},
        )
        self.agents = [] if over else self.agents
        return answer

    def _seen(self) -> dict[str, Any]:
        shape = (len(self.agents), *self.sight.shape)
        return dict(zip(self.agents, self.rng.integers(0, 256, shape, np.uint8), strict=True))


def peak() -> int:
    """The most memory that this process has held, in bytes (Linux counts in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    """One iteration, and what it took beside what was there before."""
    tree, side, steps, agents, episodes, minibatch = sys.argv[1:]
    torch.set_num_threads(1)
    learning = LearningSettings(
        episodes_per_iteration=int(episodes), minibatch_episodes=int(minibatch), epochs=1
    )
    options = {"env_kwargs": {"side": int(side), "max_cycles": int(steps), "agents": int(agents)}}
    small = bare_loop(Path(tree)).train(
        Images,
        learning=LearningSettings(episodes_per_iteration=2, minibatch_episodes=2, epochs=1),
        world_options={"env_kwargs": {"side": int(side), "max_cycles": 2, "agents": int(agents)}},
    )
    next(small)  # imports, and room for weights and the optimiser's moments, which is given back
    small.close()
    before = peak()
    found = next(bare_loop(Path(tree)).train(Images, learning=learning, world_options=options))
    print(json.dumps({"bytes": peak() - before, "return": found["return"]}))
