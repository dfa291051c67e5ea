"""Worlds are looked at in every step: what is wrong is named with world, row, seed, step and
agent."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

import mirrorenv
from mirrorenv.envs import ClockedWorld, UniformPolicy, play_episodes
from mirrorenv.envs.base import Step
from mirrorenv.envs.checks.validation import validated
from mirrorenv.errors import WorldError
from mirrorenv.testing import Flawless
from tests.envs.world_cases import CASES


class Spoiled(ClockedWorld):
    """Answers are spoiled in step 3 by a function; bounds differ by entry, or not."""

    def __init__(self, *, num_envs: int = 4, uniform: bool = True, spoil: Any = None) -> None:
        low = np.full(2, -1.0) if uniform else np.array([-1.0, -np.inf])
        space = spaces.Box(low.astype(np.float32), np.ones(2, np.float32))
        super().__init__(
            num_envs=num_envs,
            num_agents=3,
            horizon=5,
            observation_space=space,
            action_space=spaces.Discrete(2),
        )
        self.spoil = spoil

    def _start(self) -> None:
        pass

    def _advance(self, actions: Any, live: Any) -> Any:
        return np.zeros(actions.shape, np.float32), None

    def _observe(self) -> Any:
        return np.zeros((self.num_envs, self.num_agents, 2), np.float32)

    def step(self, actions: Any) -> Step:
        step = super().step(actions)
        return self.spoil(step) if self.spoil and self.clock[0] == 3 else step


def put(name: str, value: Any, place: Any = (2, 1)) -> Any:
    def spoil(step: Step) -> Step:
        getattr(step, name)[place] = value
        return step

    return spoil


WRONG = {
    "NaN seen": (put("observations", np.nan), "the observation is nan at [0]"),
    "infinite": (put("observations", np.inf), "the observation is inf at [0]"),
    "too large": (put("observations", 1.5, (2, 1, 1)), "the observation is 1.5 at [1], outside"),
    "NaN earned": (put("rewards", np.nan), "the reward is nan"),
    "infinite reward": (put("rewards", -np.inf), "the reward is -inf"),
}


@pytest.mark.parametrize("uniform", [True, False])
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_number_is_named_with_its_place(what: str, uniform: bool) -> None:
    spoil, says = WRONG[what]
    world = validated(Spoiled(uniform=uniform, spoil=spoil), "pkg:Spoiled")
    with pytest.raises(WorldError) as raised:
        play_episodes(world, UniformPolicy(world), seeds=[10, 11, 12, 13])
    for part in (
        "pkg:Spoiled, row 2, seed 12, step 3, agent 'agent_1'",
        says,
        "mirrorenv check pkg:Spoiled",
    ):
        assert part in str(raised.value)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (
            lambda step: step._replace(observations=step.observations[:, :2]),
            "observations must be float32 (4, 3, 2)",
        ),
        (
            lambda step: step._replace(rewards=step.rewards.astype(np.float64)),
            "rewards must be float32 (4, 3)",
        ),
        (lambda step: step._replace(truncated=None), "truncated must be bool (4, 3), got NoneType"),
    ],
)
def test_a_missing_agent_or_a_wrong_form_is_named(spoil: Any, says: str) -> None:
    world = validated(Spoiled(spoil=spoil), "pkg:Spoiled")
    with pytest.raises(WorldError, match="step 3") as raised:
        play_episodes(world, UniformPolicy(world), seeds=range(4))
    assert says in str(raised.value)


def test_nobody_comes_back() -> None:
    world = validated(Spoiled(spoil=put("terminated", True)), "pkg:Spoiled")
    with pytest.raises(WorldError, match="step 4, agent 'agent_1': came back after its end"):
        play_episodes(world, UniformPolicy(world), seeds=range(4))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_is_right_passes_unchanged(case: Any) -> None:
    bare, world = case.batch(3), validated(case.batch(3), case.id)
    one, other = (play_episodes(w, UniformPolicy(w), seeds=[3, 4, 5]) for w in (bare, world))
    np.testing.assert_array_equal(one.observations, other.observations)
    np.testing.assert_array_equal(one.rewards, other.rewards)


def test_somebody_elses_environment_is_looked_at_by_its_adapter() -> None:
    batch = mirrorenv.make_batch(Flawless, 2)
    assert validated(batch, "pkg:Flawless") is batch
