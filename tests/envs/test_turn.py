"""Turn, checked by hand: who may act, what is fined, what is seen, and that its leak is where its
page says."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mirrorenv.envs.worlds.turn import EAT, STAY, Turn
from mirrorenv.errors import ConfigError

UP, DOWN, LEFT, RIGHT = range(4)


def started(**kwargs):
    world = Turn(reward="agent", **kwargs)
    world.reset([0])
    world.key[0] = [2, 2]
    return world


def test_only_the_agent_whose_turn_it_is_moves_and_the_other_is_fined():
    world = started()
    step = world.step(np.array([[DOWN, UP]]))
    assert world.places[0].tolist() == [[1, 0], [4, 4]]
    assert step.rewards.tolist() == [[0.0, -1.0]]
    step = world.step(np.array([[LEFT, STAY]]))  # over the edge
    assert world.places[0, 0].tolist() == [1, 0]
    assert step.rewards.tolist() == [[-1.0, 0.0]]


def test_eating_the_key_pays_ten_brings_it_back_and_passes_the_turn():
    world = started()
    # no key here: for nothing
    assert world.step(np.array([[EAT, STAY]])).rewards.tolist() == [[0.0, 0.0]]
    world.places[0, 0] = [2, 2]
    assert world.step(np.array([[EAT, EAT]])).rewards.tolist() == [[10.0, -1.0]]
    assert world.turn.tolist() == [1]
    assert world.step(np.array([[STAY, UP]])).rewards.tolist() == [[0.0, 0.0]]
    assert world.places[0, 1].tolist() == [3, 4]


def test_the_team_receives_the_sum():
    world = Turn()
    world.reset([0])
    world.places[0, 0] = world.key[0]
    assert world.step(np.array([[EAT, EAT]])).rewards.tolist() == [[9.0, 9.0]]


def test_keys_come_back_anywhere():
    world = Turn(num_envs=5000)
    world.reset(np.arange(5000))
    world.places[:, 0] = world.key
    world.step(np.tile([EAT, STAY], (5000, 1)))
    assert stats.chisquare(np.bincount(world.key @ [5, 1], minlength=25)).pvalue > 1e-4


def test_windows_wrap_at_the_first_row_and_end_at_the_last():
    world = started()
    world.places[0] = [[0, 0], [4, 3]]
    world.key[0] = [1, 1]
    first, second = world._observe()[0].reshape(2, 2, 3, 3)
    assert np.argwhere(first[1]).tolist() == [[2, 2]]  # the key, down right of oneself
    assert not first[0].any()  # (4, 3) is two columns from the wrapped (4, 4)
    world.places[0, 1] = [4, 4]
    first, second = world._observe()[0].reshape(2, 2, 3, 3)
    assert np.argwhere(first[0]).tolist() == [[0, 0]]
    assert not second[0].any()  # beyond the last row and column there is nothing


def test_corners_name_the_agents_in_the_first_observation_and_chance_does_not():
    named = Turn(num_envs=64).reset(np.arange(64))[:, :, :9].any(axis=2)
    assert named[:, 0].all() and not named[:, 1].any()
    world = Turn(num_envs=4000, start="random")
    world.reset(np.arange(4000))
    cells = world.places @ [5, 1]
    assert (cells[:, 0] != cells[:, 1]).all()
    for agent in range(2):
        assert stats.chisquare(np.bincount(cells[:, agent], minlength=25)).pvalue > 1e-4
    assert abs(world.turn.mean() - 0.5) < 0.04


@pytest.mark.parametrize(
    "kwargs", [{"size": 1}, {"size": 2.0}, {"reward": "own"}, {"start": "middle"}], ids=str
)
def test_turn_names_a_wrong_argument(kwargs):
    with pytest.raises(ConfigError, match=next(iter(kwargs))):
        Turn(**kwargs)
