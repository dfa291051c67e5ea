"""Worlds with goals: their physics, their optima and their players against other computations."""

from __future__ import annotations

import collections

import gymnasium
import numpy as np
import pytest

import mirrorenv
from mirrorenv.envs import play_episodes
from mirrorenv.envs.worlds.cartpole import PLAYERS as BALANCERS
from mirrorenv.envs.worlds.cartpole import CartPole
from mirrorenv.envs.worlds.graph import PLAYERS as WALKERS
from mirrorenv.envs.worlds.graph import Graph, shortest_lengths
from mirrorenv.envs.worlds.rooms import PLAYERS as ROOMERS
from mirrorenv.envs.worlds.rooms import KeyDoor, Rooms, four_rooms
from mirrorenv.errors import ConfigError


def breadth_first(edges: np.ndarray, start: int) -> list[int]:
    """Steps to every node in plain loops: -1 where there is no way."""
    steps = [-1] * len(edges)
    steps[start] = 0
    queue = collections.deque([start])
    while queue:
        node = queue.popleft()
        for other in range(len(edges)):
            if edges[node][other] and steps[other] < 0:
                steps[other] = steps[node] + 1
                queue.append(other)
    return steps


@pytest.mark.parametrize("seed", range(5))
def test_shortest_lengths_are_those_of_plain_loops(seed: int) -> None:
    edges = np.random.default_rng(seed).random((15, 15)) < 0.12
    expected = [breadth_first(edges, start) for start in range(15)]
    assert shortest_lengths(edges).tolist() == expected


def test_a_graph_is_one_for_all_copies_and_every_node_can_be_reached() -> None:
    world, other = Graph(num_envs=3), Graph(num_envs=1)
    np.testing.assert_array_equal(world.edges, other.edges)
    assert (world.lengths >= 0).all()
    assert not np.array_equal(world.edges, Graph(graph_seed=1).edges)


def test_a_graph_that_cannot_be_connected_is_refused() -> None:
    with pytest.raises(ConfigError, match="make the probability larger"):
        Graph(num_nodes=64, edge_probability=0.001)


@pytest.mark.parametrize("tasks", ["shared", "own"])
@pytest.mark.parametrize("team", WALKERS)
def test_shortest_walkers_need_the_optimum_and_earn_everything(tasks: str, team: str) -> None:
    world = Graph(num_envs=40, tasks=tasks, horizon=60)
    record = play_episodes(world, WALKERS[team](world), range(40))
    np.testing.assert_array_equal(record.mask.sum(1), world.shortest())
    np.testing.assert_allclose(record.rewards.sum(1), 1.0, atol=1e-6)


def test_own_ways_differ_where_several_are_equally_short() -> None:
    world = Graph(num_envs=40)
    record = play_episodes(world, WALKERS["own ways"](world), range(40))
    assert (record.actions[:, :, 0] != record.actions[:, :, 1])[record.mask.all(2)].any()
    alike = play_episodes(world, WALKERS["shortest"](world), range(40))
    np.testing.assert_array_equal(alike.actions[..., 0], alike.actions[..., 1])


def test_who_is_done_leaves_and_the_others_go_on() -> None:
    world = Graph(num_envs=1, num_agents=2, num_goals=1, horizon=30)
    world.reset([3])
    fast = WALKERS["shortest"](world)
    seen = world._observe()
    for t in range(30):
        actions = fast(seen, t)
        actions[0, 1] = world.places[0, 1]  # the second agent stays
        step = world.step(actions)
        seen = step.observations
        if step.terminated[0, 0]:
            break
    assert step.terminated.tolist() == [[True, False]]
    assert not world.finished[0]
    after = world.step(actions)
    assert after.rewards[0, 0] == 0
    np.testing.assert_array_equal(after.observations[0, 0], step.observations[0, 0])


def test_four_rooms_of_side_11_have_104_cells_and_four_doorways() -> None:
    free, doors = four_rooms(11)
    assert free.sum() == 104
    assert free[doors[:, 0], doors[:, 1]].all()
    for row, column in doors:  # a doorway has walls on two opposite sides
        beside = [free[row, column - 1 : column + 2], free[row - 1 : row + 2, column]]
        assert sorted(int(line.sum()) for line in beside) == [1, 3]


@pytest.mark.parametrize("side", [5, 7, 9, 11, 13])
def test_every_cell_of_the_rooms_can_be_reached(side: int) -> None:
    assert (Rooms(side=side).lengths >= 0).all()


@pytest.mark.parametrize("kind", [Rooms, KeyDoor])
@pytest.mark.parametrize("team", ROOMERS)
def test_shortest_ways_through_rooms_are_the_optimum(kind: type[Rooms], team: str) -> None:
    world = kind(num_envs=60)
    record = play_episodes(world, ROOMERS[team](world), range(60))
    expected = np.repeat(world.shortest()[:, None], world.num_agents, axis=1)
    np.testing.assert_array_equal(record.mask.sum(1), expected)
    assert (record.rewards.sum(1) == 1.0).all()


def test_the_door_stays_shut_without_the_key_and_the_key_is_shown_once() -> None:
    world = KeyDoor(num_envs=30)
    seen = world.reset(np.arange(30))
    assert (seen[..., 6] == 1).all()
    straight = Rooms(num_envs=30, side=7)
    straight.goal = world.goal
    walker = ROOMERS["shortest"](straight)
    for t in range(20):
        without = np.concatenate([seen[..., :4], seen[..., 7:]], axis=-1)
        step = world.step(walker(without, t))
        seen = step.observations
        assert (seen[..., 4:7] == 0).all()
    at_door = (world.places == world.goal[:, None]).all(axis=2)
    assert (at_door & ~world.has_key).any()
    assert not (world.arrived & ~world.has_key).any()


def test_poles_move_as_gymnasiums_do() -> None:
    rng = np.random.default_rng(0)
    for seed in range(20):
        theirs = gymnasium.make("CartPole-v1").unwrapped
        theirs.reset(seed=seed)
        ours = CartPole(num_envs=1, num_agents=1)
        ours.reset([seed])
        ours.poles[0, 0] = np.asarray(theirs.state)
        for _ in range(200):
            action = int(rng.integers(2))
            _, _, fallen, _, _ = theirs.step(action)
            step = ours.step(np.array([[action]]))
            np.testing.assert_allclose(ours.poles[0, 0], np.asarray(theirs.state), atol=1e-12)
            assert bool(step.terminated[0, 0]) == fallen
            if fallen:
                break


def test_balanced_poles_stay_up_and_pushed_ones_fall() -> None:
    world = CartPole(num_envs=20)
    for team in BALANCERS.values():
        record = play_episodes(world, team(world), range(20))
        assert record.rewards.sum(1).mean() > 0.95
    pushed = play_episodes(world, lambda seen, t: np.zeros((20, 4), np.int64), range(20))
    assert pushed.mask.sum(1).max() < 15


@pytest.mark.parametrize("id", ["graph-v0", "rooms-v0", "keydoor-v0", "cartpole-v0"])
def test_who_ends_first_is_out_first_in_the_pettingzoo_face(id: str) -> None:
    env = mirrorenv.make(f"mirrorenv/{id}", num_agents=3)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    while env.agents:
        before = set(env.agents)
        actions = {a: int(rng.integers(env.action_space(a).n)) for a in env.agents}
        _, _, terminated, truncated, _ = env.step(actions)
        gone = {a for a in before if terminated[a] or truncated[a]}
        assert set(env.agents) == before - gone
