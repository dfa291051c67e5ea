"""Environments of others that break their contract or cannot become arrays are refused in words
that help."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

import mirrorenv
from mirrorenv.errors import ConfigError, ShapeError, WorldError
from tests.envs.strangers import Broken, Pictures, Roles, Stranger


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("joins late", "agent 'one_1': is not there after reset"),
        ("old reset", r"reset\(\) must return"),
        ("four answers", r"step\(\) must return"),
        ("NaN reward", "step 2, agent 'one_1': the reward is not finite"),
        ("infinite observation", "step 2, agent 'one_1': the observation is not finite"),
        ("array reward", "step 2, agent 'one_1': the reward .* is not a number"),
        ("text reward", "step 2, agent 'one_1': the reward 'much' is not a number"),
        ("no reward", "step 2, agent 'one_1': has no reward"),
        ("no observation", "step 2, agent 'one_1': has no observation"),
        ("no flag", "step 2, agent 'one_1': has no termination flag"),
        (
            "wrong shape",
            r"step 2, agent 'one_1': the observation does not fit its space: shape \(1,\)",
        ),
        ("no numbers", "step 2, agent 'one_1': the observation does not fit"),
        ("unknown agent", r"step 2: unknown agents \['nobody'\]"),
        ("vanishes", "step 2, agent 'one_1': left env.agents without"),
        ("comes back", "step 3, agent 'one_1': came back"),
        ("raises", r"step 1: step\(\) raised KeyError: 'lost'"),
    ],
)
def test_a_broken_environment_is_named_with_row_seed_step_and_agent(fault: str, says: str) -> None:
    world = mirrorenv.make_batch(Broken, 2, fault=fault)
    with pytest.raises(WorldError, match=says) as broken:
        world.reset([11, 12])
        for _ in range(4):
            world.step(np.zeros((2, 3), int))
    assert "Broken, row 0, seed 11" in str(broken.value)


def test_observations_outside_their_space_are_used_and_said_once() -> None:
    class Outside(Stranger):
        sight = spaces.Box(-10, 1, (4,), np.float64)

        def see(self, agent: str) -> Any:
            return np.array([0, 0, 0, self.clock])

    world = mirrorenv.make_batch(Outside, 2)
    world.reset([1, 2])
    with pytest.warns(
        RuntimeWarning, match="row 0, step 2, agent 'one_0': the observation is outside"
    ) as said:
        for _ in range(4):
            step = world.step(np.zeros((2, 3), int))
    assert len(said) == 1
    assert (step.observations[:, :, 3] == 4).all()


@pytest.mark.parametrize(
    ("sight", "acts", "says"),
    [
        (spaces.Text(5), None, "Text, which has no fixed size.*What works"),
        (spaces.Sequence(spaces.Discrete(2)), None, "Sequence, which has no fixed size"),
        (None, spaces.Box(-np.inf, np.inf, (2,)), "finite bounds"),
        (None, spaces.Box(0, 5, (2,), np.int64), "MultiDiscrete for whole"),
        (
            None,
            spaces.Dict({"go": spaces.Discrete(2), "say": spaces.Text(3)}),
            "actions made of Discrete, Text are not supported",
        ),
    ],
)
def test_a_space_that_cannot_be_an_array_is_refused(sight: Any, acts: Any, says: str) -> None:
    kind = type(
        "Odd", (Stranger,), {"sight": sight or Stranger.sight, "acts": acts or Stranger.acts}
    )
    with pytest.raises(WorldError, match=f"agent 'one_0'.*{says}"):
        mirrorenv.make_batch(kind, 1)


def test_what_is_no_parallel_environment_is_refused() -> None:
    with pytest.raises(WorldError, match=r"no PettingZoo ParallelEnv.*no one to tell apart"):
        mirrorenv.make_batch(lambda: object(), 1, horizon=3)
    with pytest.raises(WorldError, match=r"could not be made with .*ZeroDivisionError"):
        mirrorenv.make_batch(lambda: 1 / 0, 1)
    with pytest.raises(ConfigError, match=r"make_batch\(lambda: Env\(\), 64\)"):
        mirrorenv.make_batch(Stranger(), 2)  # type: ignore[arg-type]


def test_arguments_are_checked_by_name() -> None:
    with pytest.raises(ConfigError, match=r"num_agent.*Did you mean num_agents_"):
        mirrorenv.make_batch(Stranger, 2, num_agent=4)
    with pytest.raises(ConfigError, match="horizon must be a whole number"):
        mirrorenv.make_batch(Stranger, 2, horizon=0)
    with pytest.raises(ConfigError, match="agents must be some of"):
        mirrorenv.make_batch(Stranger, 2, agents=["two_0"])
    with pytest.raises(ConfigError, match="num_envs"):
        mirrorenv.make_batch(Stranger, 0)
    with pytest.raises(ConfigError, match="others="):
        mirrorenv.make_batch(Roles, 1, agents=["hare"], others="cleverly")


def test_actions_are_checked() -> None:
    world = mirrorenv.make_batch(Stranger, 2)
    with pytest.raises(WorldError, match="before reset"):
        world.step(np.zeros((2, 3), int))
    world.reset([1, 2])
    with pytest.raises(ShapeError):
        world.step(np.zeros((2, 4), int))
    with pytest.raises(WorldError, match="row 1, agent 2"):
        world.step(np.array([[0, 1, 2], [0, 0, 3]]))


def test_floats_in_a_space_of_whole_numbers_are_refused_because_they_are_likely_scaled() -> None:
    class Scaled(Pictures):
        def see(self, agent: str) -> Any:
            return super().see(agent) / 255

    with pytest.raises(WorldError, match="dtype float64 instead of uint8"):
        mirrorenv.make_batch(Scaled, 1).reset([1])


def test_whole_numbers_that_an_image_cannot_hold_are_refused_and_do_not_wrap_around() -> None:
    class Wide(Pictures):
        def see(self, agent: str) -> Any:
            return super().see(agent).astype(np.int64) + self.clock * 300

    world = mirrorenv.make_batch(Wide, 1)
    assert world.reset([1]).dtype == np.uint8
    with pytest.raises(WorldError, match="outside 0 to 255"):
        world.step(np.zeros((1, 3), int))
