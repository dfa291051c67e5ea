"""Levels of goals learned in hindsight, against the same in plain loops."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from mirrorenv.envs.worlds.graph import Graph, shortest_lengths
from mirrorenv.errors import ConfigError
from mirrorenv.goals.hierarchy import Hierarchy, HierarchySettings, PlanError
from mirrorenv.goals.hindsight import TARGETS
from mirrorenv.goals.trips import react_trips, think_trips
from mirrorenv.goals.walks import Walks, wander

ROOT = Path(__file__).resolve().parents[2]
PLAIN = runpy.run_path(str(ROOT / "benchmarks/shared/plain_goals.py"))


def graph(seed=0, nodes=16):
    return Graph(num_nodes=nodes, graph_seed=seed)


def as_lists(walks):
    return [
        nodes[:length].tolist() for nodes, length in zip(walks.nodes, walks.lengths, strict=True)
    ]


def taught(world, count=300, seed=0, **settings):
    walks = wander(world.edges, count, np.random.default_rng(seed))
    made = Hierarchy(len(world.edges), HierarchySettings(**settings))
    made.learn(walks)
    return made, walks


def line(nodes):
    """A way forth and back through `nodes` nodes in a row."""
    edges = np.zeros((nodes, nodes), bool)
    place = np.arange(nodes - 1)
    edges[place, place + 1] = True
    edges[place + 1, place] = True
    return edges


@pytest.mark.parametrize("asymmetric", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_tables_are_those_of_plain_loops_to_the_last_entry(seed, asymmetric):
    world = graph(seed)
    made, walks = taught(world, seed=seed, skip=2, options={"asymmetric": asymmetric})
    expected, steps = PLAIN["plain_tables"](as_lists(walks), 16, skip=2, asymmetric=asymmetric)
    for level, kernel in enumerate(made.kernels):
        np.testing.assert_array_equal(kernel.subgoals.reshape(16, 16), expected[level])
        known = np.isfinite(steps[level])
        scores = kernel.scores.reshape(16, 16)
        np.testing.assert_allclose(16 * (1 - scores[known]), steps[level][known], atol=1e-9)


def test_trips_are_those_of_plain_loops():
    world = graph(4)
    made, walks = taught(world, count=60, skip=2)
    subgoals, _ = PLAIN["plain_tables"](as_lists(walks), 16, skip=2)
    trips = react_trips(made, world.edges, world.lengths)
    pairs = np.argwhere(world.lengths > 0)
    for trip, (start, goal) in enumerate(pairs.tolist()):
        steps = PLAIN["plain_trip"](subgoals, world.edges, start, goal, 16)
        assert trips.arrived[trip] == (steps is not None)
        assert steps is None or trips.steps[trip] == steps


def test_walks_follow_edges_never_come_back_and_end_only_where_they_must():
    world = graph()
    walks = wander(world.edges, 200, np.random.default_rng(0))
    for walk in as_lists(walks):
        assert world.edges[walk[:-1], walk[1:]].all() and len(set(walk)) == len(walk)
        assert set(np.flatnonzero(world.edges[walk[-1]])) <= set(walk)


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_finds_the_ways_and_best_so_far_beats_the_last(target):
    world = graph()
    best, _ = taught(world, count=1500, skip=2, target=target)
    last, _ = taught(world, count=1500, skip=2, target=target, options={"asymmetric": False})
    good = react_trips(best, world.edges, world.lengths)
    bad = react_trips(last, world.edges, world.lengths)
    assert good.success > 0.97 and good.over_optimum < 1.15
    assert bad.success < good.success - 0.2


def test_flat_full_hindsight_is_the_optimum_given_enough_walks():
    world = graph()
    made, _ = taught(world, count=3000, levels=1, top="all")
    trips = react_trips(made, world.edges, world.lengths)
    assert trips.success == 1.0 and trips.over_optimum == 1.0


def test_joining_ways_teaches_more_than_whole_walks_do():
    edges = line(10)
    walks = Walks(np.array([[0, 1, 2, 3, 4], [4, 5, 6, 7, 8]]), np.array([5, 5]))
    arrived = {}
    for target in ("distance", "td"):
        made = Hierarchy(10, HierarchySettings(levels=1, top="all", target=target))
        for _ in range(3):
            made.learn(walks)
        arrived[target] = react_trips(made, edges, shortest_lengths(edges)).arrived.sum()
    assert arrived["td"] >= arrived["distance"]


@pytest.mark.parametrize("pivots", ["every", "visits", "entropy", "narrow", "learned"])
def test_thinking_goes_where_reacting_goes(pivots):
    world = graph()
    made, walks = taught(world, count=1500, levels=2, skip=2, pivots=pivots)
    if pivots == "learned":  # what was learned decides the pivots of the next round
        made.learn(walks)
    trips = think_trips(made, world.edges, world.lengths)
    assert trips.success > 0.85 and trips.over_optimum < 1.3


def test_a_plan_of_every_level_ends_at_the_goal_and_contains_the_level_above():
    world = graph()
    made, _ = taught(world, count=1500, skip=2)
    for state, goal in np.argwhere(world.lengths > 1)[:40].tolist():
        plan = made.think(state, goal)
        assert len(plan.levels) == 3 and all(level[-1] == goal for level in plan.levels)
        for above, below in zip(plan.levels, plan.levels[1:], strict=False):
            rest = iter(below)
            assert all(node in rest for node in above)


def test_a_way_that_is_too_long_for_sixteen_substeps_says_what_to_do():
    far = Walks(np.arange(30)[None], np.array([30]))
    flat = Hierarchy(30, HierarchySettings(levels=1, top="all"))
    flat.learn(far)
    with pytest.raises(PlanError, match="16 substeps: give the hierarchy another level"):
        flat.think(0, 29)
    two = Hierarchy(30, HierarchySettings(levels=2, skip=6, reach=1, top="all"))
    two.learn(far)
    assert two.think(0, 29).path == tuple(range(1, 30))


def test_a_goal_that_no_walk_reached_is_named():
    made = Hierarchy(5, HierarchySettings(levels=1))
    made.learn(Walks(np.array([[0, 1, 2]]), np.array([3])))
    with pytest.raises(PlanError, match="no way from node 0 to node 4"):
        made.think(0, 4)
    assert made.react(np.array([0]), np.array([4])).tolist() == [-1]


def test_levels_that_do_not_fit_the_walks_are_refused():
    made = Hierarchy(16, HierarchySettings(levels=4, skip=4))
    with pytest.raises(ConfigError, match="64 steps apart at the top"):
        made.learn(wander(graph().edges, 10, np.random.default_rng(0)))


def test_a_lesion_hands_the_goal_down_and_heals():
    world = graph()
    made, _ = taught(world, count=200, skip=2)
    whole = react_trips(made, world.edges, world.lengths)
    made.lesion(1, 2)
    flat = react_trips(made, world.edges, world.lengths)
    states, goals = np.nonzero(world.lengths > 0)
    np.testing.assert_array_equal(
        made.react(states, goals),
        np.where(states == goals, goals, made.kernels[0].infer(states, goals).subgoals),
    )
    assert flat.success < whole.success
    made.lesion()
    healed = react_trips(made, world.edges, world.lengths)
    np.testing.assert_array_equal(healed.steps, whole.steps)
    with pytest.raises(ConfigError, match="level 0 cannot be lesioned"):
        made.lesion(0)


def test_sub_actions_are_learned_where_actions_are_no_nodes():
    # four actions that permute names of the nodes: the node one comes to is no action
    rng = np.random.default_rng(0)
    leads = np.stack([(np.arange(12) + step) % 12 for step in (1, 5, 7, 11)], axis=1)  # (V, A)
    nodes = np.zeros((400, 10), np.int64)
    actions = rng.integers(4, size=(400, 10))
    nodes[:, 0] = rng.integers(12, size=400)
    for step in range(1, 10):
        nodes[:, step] = leads[nodes[:, step - 1], actions[:, step - 1]]
    walks = Walks(nodes, np.full(400, 10), actions)
    settings = HierarchySettings(levels=1, top="all", bottom="action")
    made = Hierarchy(12, settings, actions=4)
    made.learn(walks)
    states, goals = np.nonzero(~np.eye(12, dtype=bool))
    here = states.copy()
    for _ in range(3):
        chosen = made.react(here, goals)
        here = np.where(here == goals, here, leads[here, np.maximum(chosen, 0)])
    assert (here == goals).mean() > 0.95


def test_what_was_learned_goes_on_bit_for_bit():
    world = graph()
    rng = np.random.default_rng(3)
    first, second = (wander(world.edges, 100, rng) for _ in range(2))
    settings = HierarchySettings(skip=2)
    whole, broken, resumed = (Hierarchy(16, settings) for _ in range(3))
    whole.learn(first)
    whole.learn(second)
    broken.learn(first)
    resumed.restore(broken.state())
    resumed.learn(second)
    for name, value in whole.state().items():
        np.testing.assert_array_equal(resumed.state()[name], value)
