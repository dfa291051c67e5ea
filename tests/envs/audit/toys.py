"""Worlds with one planted leak each, and one without any.

Shapes: B batch, N agents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from mirrorenv.envs import ClockedWorld
from tests.envs.strangers import Dying, Stranger

LEAKS = ("column", "late", "spread", "product", "reward", "effect", "order", "cycle")


class Toy(ClockedWorld):
    """Agents see three numbers by chance, a number of their own and those of the others, ascending;
    all are paid alike.

    `leak` names what gives them away, `size` how much.
    """

    def __init__(
        self,
        *,
        num_envs: int = 1,
        num_agents: int = 3,
        leak: str = "",
        size: float = 1.0,
        horizon: int = 6,
    ):
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(-np.inf, np.inf, (3 + num_agents,), np.float32),
            action_space=spaces.Discrete(3),
        )
        assert leak in ("", *LEAKS)
        self.leak, self.size = leak, size
        self.number = np.zeros((num_envs, num_agents))

    def _start(self) -> None:
        self.number = self.random.normal((self.num_agents,))

    def _advance(self, actions: Any, live: Any) -> Any:
        sign = np.where(
            (np.arange(self.num_agents) == 0) & (self.leak == "effect"), -self.size, self.size
        )
        self.number = self.number + 0.3 * sign * (actions - 1)
        paid = np.repeat((actions == 1).mean(axis=1, keepdims=True), self.num_agents, axis=1)
        if self.leak == "reward":
            paid = (
                paid
                + (np.arange(self.num_agents) == 1) * self.size * self.random.uniform()[:, None]
            )
        return paid, None

    def _observe(self) -> Any:
        index = np.arange(self.num_agents)
        noise = self.random.normal((self.num_agents, 3))
        if self.leak == "column":
            noise[:, :, 1] += self.size * (index == 2)
        elif self.leak == "late":
            noise[:, :, 1] += self.size * ((index == 2) & (self.clock[:, None] == 4))
        elif self.leak == "spread":
            noise[:, :, 1] *= 1 + self.size * (index == 2)
        elif self.leak == "product":
            same = np.sign(noise[:, :, 0]) * np.abs(noise[:, :, 1])
            noise[:, :, 1] = np.where((index == 2) & (self.size > 0), same, noise[:, :, 1])
        # (N, N - 1)
        turned = (index[:, None] + 1 + np.arange(self.num_agents - 1)) % self.num_agents
        others = self.number[:, np.sort(turned, axis=1) if self.leak == "order" else turned]
        if self.leak not in ("order", "cycle"):
            others = np.sort(others, axis=2)
        return np.concatenate([noise, self.number[:, :, None], others], axis=2).astype(np.float32)


class ShortLived(Dying):
    """The first agent dies sooner than the others."""

    def ends(self, agent: str) -> bool:
        return bool(self.rng.random() < (0.6 if agent == "one_0" else 0.2))


class Named(Stranger):
    """A Dict that holds who one is, behind a lot of noise."""

    sight = spaces.Dict(
        {
            "heat": spaces.Box(-9, 9, (2,)),
            "seat": spaces.Discrete(3),
            "view": spaces.Box(-9, 9, (2,)),
        }
    )

    def see(self, agent: str) -> Any:
        seat = int(agent[-1]) if self.rng.random() < 0.5 else int(self.rng.integers(3))
        noise = self.rng.normal(size=4).clip(-9, 9).astype(np.float32)
        return {"heat": noise[:2], "seat": seat, "view": noise[2:]}
