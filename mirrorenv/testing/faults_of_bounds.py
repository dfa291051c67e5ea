"""Faults of length, time and memory, and of the way into training."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.base import ClockedWorld
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32
from mirrorenv.testing.flawless import Answer, Flawless, fault

__all__ = [
    "BecomesSlow",
    "GoesOnTooLong",
    "IsTooLong",
    "KeepsEverything",
    "NeverEnds",
    "OneGeneratorForAllRows",
    "ShowsItsRow",
    "WalksToInfinity",
]


@fault("episode-length")
class GoesOnTooLong(Flawless):
    """It says that there are 8 steps, and there are 11."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """The clock starts too low."""
        answer = super().reset(seed)
        self.extra = 3
        return answer

    def step(self, actions: dict[str, Any]) -> Answer:
        """The last step is held up three times."""
        if self.clock == self.max_cycles - 1 and self.extra:
            self.extra -= 1
            self.clock -= 1
        return super().step(actions)


@fault("episode-length")
class NeverEnds(Flawless):
    """No length is named, and agents that do not fall walk for ever."""

    def __init__(self) -> None:
        super().__init__(10)
        del self.max_cycles

    def step(self, actions: dict[str, Any]) -> Answer:
        """The clock never gets to its end."""
        self.max_cycles = 10**9
        answer = super().step(actions)
        del self.max_cycles
        return answer

    def see(self, agent: str) -> Any:
        """The time of day instead of the time that is left."""
        return np.array(
            [self.place[self.index(agent)], self.rng.uniform(-1, 1), self.clock % 10 / 10],
            np.float32,
        )


@fault("not-played-out")
class IsTooLong(Flawless):
    """An episode is longer than the checker is willing to play."""

    def __init__(self, max_cycles: int = 100_000) -> None:
        super().__init__(max_cycles)


@fault("step-time")
class BecomesSlow(Flawless):
    """Every step ever taken makes the next one slower."""

    def __init__(self, max_cycles: int = 8) -> None:
        super().__init__(max_cycles)
        self.taken = 0

    def step(self, actions: dict[str, Any]) -> Answer:
        """Count up to all steps of all episodes."""
        self.taken += 1
        for _ in range(500 * self.taken):
            pass
        return super().step(actions)


@fault("memory")
class KeepsEverything(Flawless):
    """A diary is kept and never cleared."""

    def __init__(self, max_cycles: int = 8) -> None:
        super().__init__(max_cycles)
        self.diary: list[Any] = []

    def step(self, actions: dict[str, Any]) -> Answer:
        """Write everything down."""
        answer = super().step(actions)
        self.diary.append(self.place.copy())
        return answer


@fault("not-trainable")
class WalksToInfinity(Flawless):
    """Steps may be of any size: no policy here can act in an infinite range."""

    def __init__(self, max_cycles: int = 8) -> None:
        super().__init__(max_cycles)
        self._moves = spaces.Box(-np.inf, np.inf, (1,), np.float32)

    def walk(self, agent: str, action: Any) -> None:
        """Only the direction counts."""
        super().walk(agent, 1 + np.sign(action[0]))


class _Rows(ClockedWorld):
    """All agents see a number from 0 to 1 and earns nothing; a batch of arrays."""

    def __init__(self, *, num_envs: int = 1) -> None:
        super().__init__(
            num_envs=num_envs,
            num_agents=3,
            horizon=5,
            observation_space=spaces.Box(0.0, 1.0, (1,), np.float32),
            action_space=spaces.Discrete(2),
        )

    def _start(self) -> None:
        self.number = self.random.uniform((self.num_agents,))  # (B, N)

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        self.number = self.random.uniform((self.num_agents,))
        return np.zeros(actions.shape, np.float32), None

    def _observe(self) -> Floats32:
        return self.number[:, :, None].astype(np.float32)


@fault("batch-contract")
class ShowsItsRow(_Rows):
    """The number that is seen grows with the row of the batch and leaves its space."""

    def _observe(self) -> Floats32:
        return super()._observe() + np.arange(self.num_envs, dtype=np.float32)[:, None, None]


@fault("batch-agrees")
class OneGeneratorForAllRows(_Rows):
    """One generator draws for all rows, so that what a row sees depends on how many there are."""

    def _start(self) -> None:
        self.shared = np.random.default_rng(int(self.random.integers(2**31)[0]))
        self.number = self.shared.uniform(size=(self.num_envs, self.num_agents))

    def _advance(self, actions: AnyArray, live: Bools) -> tuple[AnyArray, Bools | None]:
        self.number = self.shared.uniform(size=(self.num_envs, self.num_agents))
        return np.zeros(actions.shape, np.float32), None
