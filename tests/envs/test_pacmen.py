"""Pac-Men against its description, an independent plain-Python world, and the anchor returns."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mirrorenv.envs import play_episodes
from mirrorenv.envs.policies import UniformPolicy
from mirrorenv.envs.worlds.pacmen import DOT, Pacmen
from mirrorenv.envs.worlds.pacmen_map import pacmen_map
from mirrorenv.envs.worlds.pacmen_players import PLAYERS
from mirrorenv.errors import ConfigError
from tests.envs.slow_pacmen import MAPS, SlowPacmen

SIZES = ["tini", "small"]


@pytest.mark.parametrize(("size", "side", "free"), [("tini", 21, 77), ("small", 25, 85)])
def test_the_map_is_the_one_drawn_by_hand(size, side, free):
    layout = pacmen_map(size)
    assert (layout.height, layout.width, layout.free.sum()) == (side, side, free)
    letters = np.array([list(row) for row in MAPS[size]]).ravel()
    np.testing.assert_array_equal(layout.free, letters != "#")
    np.testing.assert_array_equal(layout.centre, np.flatnonzero(letters == "s"))
    np.testing.assert_array_equal(np.sort(layout.dot_boxes.ravel()), np.flatnonzero(letters == "o"))


def dots_of(world: Pacmen, row: int) -> set[tuple[int, int]]:
    cells = np.flatnonzero(world.grid[row] == DOT)
    return {(int(cell) // world.map.width, int(cell) % world.map.width) for cell in cells}


def agents_of(world: Pacmen, row: int) -> list[tuple[int, int]]:
    return [
        (int(cell) // world.map.width, int(cell) % world.map.width) for cell in world.positions[row]
    ]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("team", ["random", *PLAYERS])
@pytest.mark.parametrize("num_agents", [4, 7])
def test_the_fast_world_does_what_the_slow_one_does(size, team, num_agents):
    """Step by step; the specialists and the crowd also see to it that dots are shared, and laid
    anew."""
    rows = 3
    world = Pacmen(num_envs=rows, size=size, num_agents=num_agents, reward="agent")
    observations = world.reset(np.arange(rows))
    policy = UniformPolicy(world) if team == "random" else PLAYERS[team](world)
    slow = [SlowPacmen(size, agents_of(world, row), dots_of(world, row)) for row in range(rows)]
    rounds = 0
    for t in range(world.horizon):
        actions = policy(observations, t)
        observations, rewards, *_ = world.step(actions)
        for row, other in enumerate(slow):
            np.testing.assert_allclose(rewards[row], other.step(actions[row].tolist()), rtol=1e-6)
            assert agents_of(world, row) == other.agents
            if not other.dots:
                other.dots = dots_of(world, row)
                rounds += 1
            assert dots_of(world, row) == other.dots
            seen = [other.window(i) for i in range(num_agents)]
            np.testing.assert_array_equal(observations[row], np.array(seen, np.float32))
    assert rounds > 0 or team != "specialists"


@pytest.mark.parametrize("size", SIZES)
def test_starts_and_dots_are_uniform_and_without_replacement(size):
    world = Pacmen(num_envs=3000, size=size)
    world.reset(np.arange(3000))
    ordered = np.sort(world.positions, axis=1)
    assert (ordered[:, 1:] > ordered[:, :-1]).all()  # distinct cells
    for agent in range(4):  # each agent alike: nobody has a place of its own
        counts = Counter(world.positions[:, agent].tolist())
        assert set(counts) == set(world.map.centre.tolist())
        assert max(abs(count - 3000 / 9) for count in counts.values()) < 4.5 * np.sqrt(3000 / 9)
    for box in world.map.dot_boxes:
        laid = world.grid[:, box] == DOT  # (B, 12)
        assert (laid.sum(axis=1) == 3).all()
        assert np.abs(laid.mean(axis=0) - 0.25).max() < 4.5 * np.sqrt(0.25 * 0.75 / 3000)
    assert ((world.grid == DOT).sum(axis=1) == 12).all()


def test_a_team_reward_is_the_scaled_sum_of_the_own_rewards():
    own, team = Pacmen(num_envs=8, reward="agent"), Pacmen(num_envs=8, reward_scale=0.5)
    for world in (own, team):
        world.reset(np.arange(8))
    players = PLAYERS["homogeneous"](own)
    for t in range(100):
        actions = players(np.empty(0), t)
        expected = np.repeat(own.step(actions).rewards.sum(axis=1, keepdims=True), 4, axis=1)
        np.testing.assert_allclose(team.step(actions).rewards, 0.5 * expected, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_scripted_teams_earn_the_anchor_returns(size):
    """The reference values, far enough apart that 200 episodes of each tell every pair (see the
    benchmark)."""
    anchors = {
        "tini": {"random": -6.91, "homogeneous": 20.1, "coordinated": 30.3, "specialists": 112.1},
        "small": {"random": -8.19, "homogeneous": 9.5, "coordinated": 20.5, "specialists": 108.7},
    }[size]
    # their standard errors
    references = {"tini": (0.04, 3.0, 0.8, 0.5), "small": (0.03, 0.3, 0.6, 0.5)}[size]
    world = Pacmen(num_envs=200, size=size)
    for (team, anchor), reference in zip(anchors.items(), references, strict=True):
        policy = UniformPolicy(world) if team == "random" else PLAYERS[team](world)
        returns = play_episodes(world, policy, np.arange(200)).returns()[:, 0]
        error = np.hypot(returns.std(ddof=1) / np.sqrt(200), reference)
        assert abs(returns.mean() - anchor) < 3.5 * error, team


def test_coordinated_players_never_share_a_dot_and_specialists_keep_to_their_rooms():
    world = Pacmen(num_envs=20)
    world.reset(np.arange(20))
    coordinated, specialists = PLAYERS["coordinated"](world), PLAYERS["specialists"](world)
    for t in range(100):
        chosen = coordinated.choose(coordinated._distances())
        for row in chosen:
            taken = row[row >= 0]
            assert len(set(taken.tolist())) == len(taken)
        world.step(specialists(np.empty(0), t))
    rooms = [set(box.tolist()) for box in world.map.dot_boxes]
    for row in world.positions:
        assert all(int(cell) in rooms[agent] for agent, cell in enumerate(row))


@pytest.mark.parametrize(
    "kwargs",
    [
        {"size": "large"},
        {"size": "huge"},
        {"num_agents": 10},
        {"num_agents": 0},
        {"reward": "both"},
    ],
    ids=str,
)
def test_wrong_arguments_are_named(kwargs):
    with pytest.raises(ConfigError, match=r"large|huge|agents|num_agents|reward"):
        Pacmen(**kwargs)
