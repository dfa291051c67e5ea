"""A world whose agents can be told apart from the start: each hears its own voice. What it does has
no effect."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv


class Voices(ParallelEnv):
    """Agent i hears N numbers: noise, and 1 more in the i-th."""

    metadata = {"name": "voices"}  # noqa: RUF012  (PettingZoo's own way)
    max_cycles = 2

    def __init__(self, agents: int = 2, heard: bool = True) -> None:
        self.possible_agents = [f"voice_{i}" for i in range(agents)]
        self._sight, self._acts = spaces.Box(-4, 4, (agents,), np.float32), spaces.Discrete(2)
        self._voices = np.eye(agents) * heard

    def observation_space(self, agent: str) -> Any:
        return self._sight

    def action_space(self, agent: str) -> Any:
        return self._acts

    def _hear(self) -> Any:
        heard = (self._voices + 0.3 * self._random.normal(size=self._voices.shape)).clip(-4, 4)
        return dict(zip(self.possible_agents, heard.astype(np.float32), strict=True))

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        self._random, self._clock, self.agents = (
            np.random.default_rng(seed),
            0,
            list(self.possible_agents),
        )
        return self._hear(), {agent: {} for agent in self.agents}

    def step(self, actions: Any) -> Any:
        self._clock += 1
        was, late = self.agents, self._clock == self.max_cycles
        self.agents = [] if late else was
        flags = dict.fromkeys(was, False), dict.fromkeys(was, late)
        return self._hear(), dict.fromkeys(was, 0.0), *flags, {agent: {} for agent in was}
