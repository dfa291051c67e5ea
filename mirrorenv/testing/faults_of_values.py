"""Faults of spaces, observations, rewards, flags, infos and of the form of answers."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from gymnasium import spaces

from mirrorenv.testing.flawless import Answer, Flawless, fault

__all__ = [
    "AllFlagsTogether",
    "ArrayRewards",
    "DividesByZero",
    "FlagsAsNumbers",
    "FourAnswers",
    "GivesALastReward",
    "HalfBlind",
    "InfiniteReward",
    "InfosAreNone",
    "LosesAnEntry",
    "NewSpaceEveryTime",
    "NoSuchChoice",
    "RaisesOnALegalAction",
    "SamplesTooFar",
    "SeesTooFar",
    "ShowsFloat64",
    "ShowsLists",
    "WaitsForEver",
]


@fault("space-declared")
class HalfBlind(Flawless):
    """One agent's observation space is None."""

    def observation_space(self, agent: str) -> Any:
        """None for the last agent."""
        return None if agent == "walker_3" else self._sight


class _TooFar(spaces.Discrete):  # type: ignore[type-arg]
    def sample(self, *_: Any, **__: Any) -> Any:
        return np.int64(self.n) if self.np_random.random() < 0.3 else super().sample()


@fault("action-sample")
class SamplesTooFar(Flawless):
    """An action space of its own samples actions that it does not contain."""

    def __init__(self, max_cycles: int = 8) -> None:
        super().__init__(max_cycles)
        self._moves = _TooFar(3)


@fault("space-constant")
class NewSpaceEveryTime(Flawless):
    """A new action space is made whenever it is asked for, so that seeding it does nothing."""

    def action_space(self, agent: str) -> Any:
        """Another object every time."""
        return spaces.Discrete(3)


@fault("observation-structure")
class NoSuchChoice(Flawless):
    """What is seen is one of three doors, and in step 4 a fourth."""

    def __init__(self, max_cycles: int = 8) -> None:
        super().__init__(max_cycles)
        self._sight = spaces.Discrete(3)

    def see(self, agent: str) -> Any:
        """A door."""
        return 3 if self.clock == 4 else int(self.rng.integers(3))


@fault("observation-shape")
class LosesAnEntry(Flawless):
    """From step 2 on an observation has two entries instead of three."""

    def see(self, agent: str) -> Any:
        """An entry is lost."""
        return super().see(agent)[: 2 if self.clock >= 2 else 3].copy()


@fault("observation-dtype")
class ShowsFloat64(Flawless):
    """float64 is shown where float32 is declared."""

    def see(self, agent: str) -> Any:
        """The wrong dtype."""
        return super().see(agent).astype(np.float64)


@fault("observation-dtype")
class ShowsLists(Flawless):
    """Lists are shown where arrays are declared."""

    def see(self, agent: str) -> Any:
        """No array."""
        return super().see(agent).tolist()


@fault("observation-finite")
class DividesByZero(Flawless):
    """In step 5 an agent sees NaN."""

    def see(self, agent: str) -> Any:
        """0 / 0 in step 5."""
        seen = super().see(agent)
        if self.clock == 5 and agent == "walker_2":
            seen[1] = np.nan
        return seen


@fault("observation-range")
class SeesTooFar(Flawless):
    """The time is shown in steps, although at most 1 is declared."""

    def see(self, agent: str) -> Any:
        """An entry outside its bounds."""
        seen = super().see(agent)
        seen[2] = self.clock
        return seen


class _Edited(Flawless):
    """Answers are changed before they are returned."""

    def edit(self, answer: Answer) -> Any:
        """The changed answer."""
        return answer

    def step(self, actions: dict[str, Any]) -> Any:
        """Step, then edit."""
        return self.edit(super().step(actions))


@fault("reward-scalar")
class ArrayRewards(_Edited):
    """Rewards are arrays with one number."""

    def edit(self, answer: Answer) -> Any:
        """Wrap the numbers."""
        return (
            answer[0],
            {agent: np.array([reward]) for agent, reward in answer[1].items()},
            *answer[2:],
        )


@fault("reward-finite")
class GivesALastReward(_Edited):
    """The reward of an agent that dies is NaN."""

    def edit(self, answer: Answer) -> Any:
        """NaN where the flag is set."""
        rewards = {
            agent: np.nan if answer[2][agent] else reward for agent, reward in answer[1].items()
        }
        return (answer[0], rewards, *answer[2:])


@fault("reward-finite")
class InfiniteReward(_Edited):
    """In step 6 all agents earn an infinite amount."""

    def edit(self, answer: Answer) -> Any:
        """Infinity in step 6."""
        rewards = dict.fromkeys(answer[1], np.float32(np.inf)) if self.clock == 6 else answer[1]
        return (answer[0], rewards, *answer[2:])


def _as_numbers(flags: dict[str, bool]) -> dict[str, int]:
    return {agent: int(flag) for agent, flag in flags.items()}


@fault("flag-type")
class FlagsAsNumbers(_Edited):
    """Flags are 0 and 1."""

    def edit(self, answer: Answer) -> Any:
        """Numbers for flags."""
        observations, rewards, ended, cut, infos = answer
        return (observations, rewards, _as_numbers(ended), _as_numbers(cut), infos)


@fault("both-flags")
class AllFlagsTogether(_Edited):
    """An agent that ends is both terminated and truncated."""

    def edit(self, answer: Answer) -> Any:
        """One flag for both."""
        both = {agent: answer[2][agent] or answer[3][agent] for agent in answer[2]}
        return (*answer[:2], both, dict(both), answer[4])


@fault("info-dict")
class InfosAreNone(_Edited):
    """There is nothing to say, and None says so."""

    def edit(self, answer: Answer) -> Any:
        """None for all agents."""
        return (*answer[:4], dict.fromkeys(answer[4]))


@fault("answer-form")
class FourAnswers(_Edited):
    """step() returns four dictionaries, as before 2023: observations, rewards, dones, infos."""

    def edit(self, answer: Answer) -> Any:
        """One dictionary less."""
        return (
            answer[0],
            answer[1],
            {agent: answer[2][agent] or answer[3][agent] for agent in answer[2]},
            answer[4],
        )


@fault("crash")
class RaisesOnALegalAction(Flawless):
    """Three actions are declared, and a table knows two."""

    def walk(self, agent: str, action: Any) -> None:
        """Look the move up."""
        super().walk(agent, [0, 2][int(action)])


@fault("hang")
class WaitsForEver(Flawless):
    """Step 3 waits for something that never comes."""

    def walk(self, agent: str, action: Any) -> None:
        """Wait in step 3."""
        while self.clock == 3:
            time.sleep(0.01)
        super().walk(agent, action)
