"""The PettingZoo face plays what the array face plays, and keeps PettingZoo's contract."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test
from pettingzoo.utils.conversions import parallel_to_aec

import mirrorenv
from mirrorenv.envs.adapters.pettingzoo_face import PettingZooFace
from mirrorenv.envs.base import ArrayWorld, Step
from mirrorenv.envs.worlds.ants import Ants
from mirrorenv.errors import ConfigError, ShapeError, WorldError
from tests.envs.world_cases import CASES, play, uniform_actions

all_worlds = pytest.mark.parametrize("case", CASES, ids=str)


@all_worlds
def test_pettingzoos_own_tests_pass_without_a_warning(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(mirrorenv.make(case.id, **case.kwargs), num_cycles=150)
        parallel_seed_test(lambda: mirrorenv.make(case.id, **case.kwargs), num_cycles=20)


@all_worlds
# one number, or nothing to see: so it is in the smallest worlds
@pytest.mark.filterwarnings("ignore:Observation")
def test_turn_by_turn_is_a_conversion_away(case):
    api_test(parallel_to_aec(mirrorenv.make(case.id, **case.kwargs)), num_cycles=50)


@all_worlds
def test_the_face_plays_the_episode_of_the_array_world(case):
    world, env = case.batch(1), mirrorenv.make(case.id, **case.kwargs)
    record = play(world, np.array([11]), uniform_actions(world, world.horizon))
    for _ in range(2):  # the second reset with one seed is the first again
        observations, infos = env.reset(seed=11)
        assert all(info == {"seed": 11} for info in infos.values())
        t = 0
        while env.agents:
            live = [i for i, agent in enumerate(env.possible_agents) if agent in env.agents]
            seen = np.stack([observations[agent] for agent in env.agents])
            np.testing.assert_array_equal(seen, record.observations[t, 0, live])
            joint = {env.possible_agents[i]: record.actions[t, 0, i] for i in live}
            observations, rewards, terminated, truncated, infos = env.step(joint)
            assert set(rewards) == set(joint)
            for i, agent in ((i, env.possible_agents[i]) for i in live):
                assert rewards[agent] == record.rewards[t, 0, i] and type(rewards[agent]) is float
                assert terminated[agent] is bool(record.terminated[t, 0, i])
                assert truncated[agent] is bool(record.truncated[t, 0, i])
                assert observations[agent] in env.observation_space(agent) and infos[agent] == {}
            t += 1
        over = record.terminated[t - 1, 0] | record.truncated[t - 1, 0]
        assert over.all()


@all_worlds
def test_without_a_seed_every_episode_is_new_and_can_be_had_again(case):
    env = mirrorenv.make(case.id, **case.kwargs)
    observations, infos = env.reset()
    seeds = {info["seed"] for info in infos.values()}
    assert len(seeds) == 1
    assert env.reset()[1][env.agents[0]]["seed"] not in seeds
    again, _ = env.reset(seed=seeds.pop())
    for agent in env.agents:
        np.testing.assert_array_equal(observations[agent], again[agent])


@all_worlds
def test_rendering_is_a_picture_if_asked_for_and_else_nothing(case):
    env = mirrorenv.make(case.id, **case.kwargs)
    env.reset(seed=1)
    assert env.render() is None
    if "rgb_array" not in env.metadata["render_modes"]:
        with pytest.raises(ConfigError, match="render_mode"):
            mirrorenv.make(case.id, render_mode="rgb_array", **case.kwargs)
        with pytest.raises(WorldError, match="picture"):
            env.world.render(0)
        return
    env = mirrorenv.make(case.id, render_mode="rgb_array", **case.kwargs)
    env.reset(seed=1)
    first = env.render()
    assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[2] == 3
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 10  # something is drawn
    env.step({agent: env.action_space(agent).sample() for agent in env.agents})
    later = env.render()
    assert later.shape == first.shape and (later != first).any()


class Stateless(Ants):
    """A world that does not say what its state is."""

    state = ArrayWorld.state


def test_state_is_the_worlds_state():
    env = mirrorenv.make("mirrorenv/pacmen-v0")
    env.reset(seed=4)
    np.testing.assert_array_equal(env.state(), env.world.state()[0])
    with pytest.raises(NotImplementedError, match="Stateless offers no global state"):
        PettingZooFace(Stateless(num_envs=1)).state()


def test_actions_must_come_from_exactly_the_living():
    env = mirrorenv.make("mirrorenv/ants-v0", num_agents=2, horizon=1)
    with pytest.raises(WorldError, match="reset"):
        env.step({})
    env.reset(seed=1)
    with pytest.raises(WorldError, match=r"missing \['ant_1'\]"):
        env.step({"ant_0": 1})
    with pytest.raises(WorldError, match=r"not alive \['bee'\]"):
        env.step({"ant_0": 1, "ant_1": 1, "bee": 1})
    with pytest.raises(WorldError, match="outside"):
        env.step({"ant_0": 1, "ant_1": 3})
    with pytest.raises(ShapeError):
        env.step({"ant_0": [1, 1], "ant_1": [1, 1]})
    env.step({"ant_0": 1, "ant_1": 1})
    with pytest.raises(WorldError, match="reset"):
        env.step({"ant_0": 1, "ant_1": 1})


def test_the_face_shows_one_copy():
    with pytest.raises(ConfigError, match="batch of 2"):
        PettingZooFace(mirrorenv.make_batch("mirrorenv/ants-v0", 2))


class Leavers(ArrayWorld):
    """Agent i leaves after step i + 1: a world of somebody else's, in which agents end at different
    times."""

    def __init__(self) -> None:
        self.agents, self.num_envs, self.horizon = ("a", "b", "c"), 1, 3
        self.observation_space, self.action_space = (
            spaces.Box(0, 9, (1,)),
            spaces.Discrete(2, start=5),
        )
        self.received: list[list[int]] = []

    def reset(self, seeds):
        self.t = 0
        return np.zeros((1, 3, 1), np.float32)

    def step(self, actions):
        self.t += 1
        self.received.append(actions[0].tolist())
        gone = np.array([[self.t > i for i in range(3)]])
        ends_itself = np.array([[True, False, True]])
        seen, rewards = np.full((1, 3, 1), self.t, np.float32), np.ones((1, 3), np.float32)
        return Step(seen, rewards, gone & ends_itself, gone & ~ends_itself)


def test_agents_may_leave_one_by_one():
    env = PettingZooFace(Leavers())
    env.reset(seed=0)
    alive = []
    while env.agents:
        alive.append(list(env.agents))
        answers = env.step(dict.fromkeys(env.agents, 6))
        assert all(list(answer) == alive[-1] for answer in answers)
    assert alive == [["a", "b", "c"], ["b", "c"], ["c"]]
    # an allowed action stands in for who has left
    assert env.world.received == [[6, 6, 6], [5, 6, 6], [5, 5, 6]]
