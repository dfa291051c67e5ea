"""Environments as somebody else might write them, with and without a word about themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class Undocumented(ParallelEnv[str, Any, int]):
    metadata = {"name": "undocumented_v0"}  # noqa: RUF012, as PettingZoo has it

    def __init__(self) -> None:
        self.possible_agents = ["a", "b"]
        self.agents: list[str] = []
        self.max_cycles = 3

    def observation_space(self, agent: str) -> spaces.Box:
        return spaces.Box(0, 1, (1,), np.float32)

    def action_space(self, agent: str) -> spaces.Discrete:
        return spaces.Discrete(2)

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        self.agents = list(self.possible_agents)
        self.clock = 0
        return {one: np.zeros(1, np.float32) for one in self.agents}, {"a": {}, "b": {}}

    def step(self, actions: dict[str, int]) -> Any:
        self.clock += 1
        over = self.clock >= self.max_cycles
        all_ = self.agents
        seen = {one: np.zeros(1, np.float32) for one in all_}
        if over:
            self.agents = []
        return (
            seen,
            dict.fromkeys(all_, 0.0),
            dict.fromkeys(all_, False),
            dict.fromkeys(all_, over),
            {one: {} for one in all_},
        )


class Jar(Undocumented):
    """Beetles in a jar. They may push each other.

    ## Action
    0 stay, 1 push.
    """
