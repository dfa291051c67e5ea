"""Faults of memory, randomness and state: nothing that a single step could show."""

from __future__ import annotations

import random
import threading
from typing import Any, ClassVar

import numpy as np

from mirrorenv.testing.flawless import Answer, Flawless, fault

__all__ = [
    "DrawsFromTheProcess",
    "EatsTheActions",
    "ForgetsTheSeed",
    "HandsOutItsState",
    "HasNoChance",
    "HoldsALock",
    "IgnoresTheSeed",
    "LosesItsGenerator",
    "OneArrayForAll",
    "OneArrayForEver",
    "RemembersTheLastEpisode",
    "SharesItsClock",
]


@fault("input-mutated")
class EatsTheActions(Flawless):
    """Actions are taken out of the dictionary that was handed over."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """Pop every action."""
        return super().step({agent: actions.pop(agent) for agent in list(actions)})


@fault("buffer-reused")
class OneArrayForEver(Flawless):
    """Each agent has one array, which every step writes over."""

    def see(self, agent: str) -> Any:
        """The same array again."""
        buffers = self.__dict__.setdefault("buffers", {})
        buffer = buffers.setdefault(agent, np.zeros(3, np.float32))
        buffer[:] = super().see(agent)
        return buffer


@fault("buffer-shared")
class OneArrayForAll(Flawless):
    """All agents are shown one and the same array."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """Share the first one's."""
        answer = super().step(actions)
        return (dict.fromkeys(answer[0], next(iter(answer[0].values()))), *answer[1:])


@fault("global-random")
class DrawsFromTheProcess(Flawless):
    """Ties are broken by the generator that the whole process shares."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """A coin says who walks first, which changes nothing in the end."""
        order = sorted(actions, reverse=bool(random.getrandbits(1)))
        return super().step({agent: actions[agent] for agent in order})


@fault("seed")
class IgnoresTheSeed(Flawless):
    """The generator is made from the clock of the machine."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """Whatever the seed."""
        return super().reset(None)


@fault("seed")
class ForgetsTheSeed(Flawless):
    """The seed decides the first three steps; then a new generator is made. A test of one step
    cannot see it."""

    def step(self, actions: dict[str, Any]) -> Answer:
        """Another generator from step 4 on."""
        if self.clock == 3:
            self.rng = np.random.default_rng()
        return super().step(actions)


@fault("seeds-alike")
class HasNoChance(Flawless):
    """All seeds play the same episode."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """One generator for all seeds."""
        return super().reset(0)


@fault("reset-state")
class RemembersTheLastEpisode(Flawless):
    """Tiredness is set in __init__ and never again."""

    def __init__(self, max_cycles: int = 8) -> None:
        super().__init__(max_cycles)
        self.tired = 0

    def step(self, actions: dict[str, Any]) -> Answer:
        """Every step pays a little less than the one before."""
        self.tired += 1
        answer = super().step(actions)
        return (
            answer[0],
            {agent: reward - self.tired for agent, reward in answer[1].items()},
            *answer[2:],
        )


@fault("state-exposed")
class HandsOutItsState(Flawless):
    """Observations are rows of the array that the environment continues to compute with."""

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """Rows to hand out, (N, 3)."""
        self.rows = np.zeros((4, 3), np.float32)
        return super().reset(seed)

    def step(self, actions: dict[str, Any]) -> Answer:
        """New rows from the old ones."""
        self.rows = self.rows * np.float32(0.5)
        return super().step(actions)

    def see(self, agent: str) -> Any:
        """A view of one row: a running mean of what was seen."""
        row = self.rows[self.index(agent)]
        row += np.float32(0.5) * super().see(agent)
        return row


@fault("copies-interfere")
class SharesItsClock(Flawless):
    """Fatigue is counted in the class, so that all copies share it."""

    steps: ClassVar[list[int]] = [0]

    def reset(self, seed: int | None = None, options: Any = None) -> Any:
        """No agent is tired."""
        self.steps[0] = 0
        return super().reset(seed)

    def step(self, actions: dict[str, Any]) -> Answer:
        """The steps of all copies are counted together."""
        self.steps[0] += 1
        answer = super().step(actions)
        return (
            answer[0],
            {agent: reward - self.steps[0] for agent, reward in answer[1].items()},
            *answer[2:],
        )


@fault("pickle")
class LosesItsGenerator(Flawless):
    """A pickle leaves the random generator behind and begins another."""

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "rng"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, rng=np.random.default_rng(0))


@fault("not-picklable")
class HoldsALock(Flawless):
    """It cannot be pickled, since it holds a lock."""

    def __init__(self, max_cycles: int = 8) -> None:
        super().__init__(max_cycles)
        self.lock = threading.Lock()
