"""Rewards and dynamics of the small worlds, checked by hand or by a plain loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorenv.envs import UniformPolicy, play_episodes, registry
from mirrorenv.envs.worlds.ants import Ants
from mirrorenv.envs.worlds.chain import Chain
from mirrorenv.envs.worlds.conformity import Conformity
from mirrorenv.envs.worlds.dirichlet import Dirichlet, DirichletAgents
from mirrorenv.envs.worlds.dispersion import Dispersion, GoalSeekers
from mirrorenv.envs.worlds.identity import Identity
from mirrorenv.envs.worlds.point import Point
from mirrorenv.errors import ConfigError, ShapeError
from tests.envs.world_cases import uniform_actions


def test_ants_start_in_the_middle_and_stop_at_the_ends():
    world = Ants(num_agents=3, length=5, horizon=9)
    seen = world.reset([0])
    np.testing.assert_array_equal(seen[0], [[0.0, 1.0]] * 3)
    for _ in range(4):
        step = world.step(np.array([[0, 1, 2]]))
    np.testing.assert_allclose(
        step.observations[0], [[-1, 5 / 9], [0, 5 / 9], [1, 5 / 9]], rtol=1e-6
    )
    assert (step.rewards == 0).all()


@pytest.mark.parametrize("horizon", [3, 20_000])
def test_time_left_is_the_same_share_however_long_an_episode_is(horizon):
    world = Conformity(num_envs=2, num_agents=3, horizon=horizon)
    world.reset([0, 1])
    for done in range(1, 4):
        left = world.step(np.zeros((2, 3), np.int64)).observations
        np.testing.assert_array_equal(left, np.full((2, 3, 1), 1.0 - done / horizon, np.float32))


def test_ants_may_start_anywhere_whoever_they_are():
    world = Ants(num_envs=6000, start="random", length=6)
    world.reset(np.arange(6000))
    for agent in range(4):
        assert stats.chisquare(np.bincount(world.cells[:, agent], minlength=6)).pvalue > 1e-4
    assert abs(np.corrcoef(world.cells[:, 0], world.cells[:, 1])[0, 1]) < 0.05


def test_ants_see_the_others_by_place_and_never_by_name():
    world = Ants(num_agents=4, length=11, see_others=True)
    world.reset([0])
    world.cells = np.array([[2, 7, 0, 10]])
    seen = world.step(np.array([[1, 1, 1, 1]])).observations[0]
    np.testing.assert_allclose(seen[0, 2:] * 10, [-2, 5, 8], atol=1e-5)
    np.testing.assert_allclose(seen[3, 2:] * 10, [-10, -8, -3], atol=1e-5)


def test_ants_share_food_and_food_comes_back():
    world = Ants(num_envs=500, num_agents=3, length=9, food=True, food_items=2)
    world.reset(np.arange(500))
    world.food_cells[:] = [5, 3]
    step = world.step(np.tile([2, 2, 0], (500, 1)))  # from 4: two go right to 5, one goes left to 3
    np.testing.assert_allclose(step.rewards, np.tile([0.5, 0.5, 1.0], (500, 1)))
    assert stats.chisquare(np.bincount(world.food_cells.ravel(), minlength=9)).pvalue > 1e-4
    world.food_cells[:] = [0, 8]
    step = world.step(np.ones((500, 3), int))
    assert (step.rewards == 0).all() and (world.food_cells == [0, 8]).all()


@pytest.mark.parametrize(
    "kwargs", [{"length": 1}, {"start": "left"}, {"food_items": 0}, {"horizon": 0}], ids=str
)
def test_ants_name_a_wrong_argument(kwargs):
    with pytest.raises(ConfigError, match=next(iter(kwargs))):
        Ants(**kwargs)


def test_identity_pays_action_zero_once():
    world = Identity(num_agents=3, num_actions=4, reward=2.0)
    assert world.reset([0]).tolist() == [[[0.0]] * 3]
    step = world.step(np.array([[0, 3, 1]]))
    assert step.rewards.tolist() == [[2.0, 0.0, 0.0]]
    assert step.terminated.all() and not step.truncated.any()


@pytest.mark.parametrize(("num_agents", "reward"), [(2, 1.0), (2, 0.3), (4, 1.0), (8, 2.0)])
def test_the_critical_weight_is_where_leaving_the_crowd_begins_to_pay(num_agents, reward):
    """The exact observer by enumeration: agent 0 plays action 1 with probability p, all others play
    action 0."""
    weight = Identity(num_agents=num_agents, reward=reward).critical_weight

    def advantage(p: float, w: float) -> float:
        """What action 1 brings agent 0 above action 0 while the observer is the posterior for p."""
        mirror_of_zero = math.log(num_agents * (1 - p) / (num_agents - p))
        mirror_of_one = math.log(num_agents)  # nobody else plays it
        return w * (mirror_of_one - mirror_of_zero) - reward

    def worth(p: int, w: float) -> float:
        """What agent 0 earns when it stays (0) or leaves for good (1)."""
        return w * math.log(num_agents) if p else reward

    for factor, leaves in ((0.99, False), (1.01, True)):
        assert (advantage(1e-6, factor * weight) > 0) == leaves
        assert (worth(1, factor * weight) > worth(0, factor * weight)) == leaves
    if num_agents == 2:
        assert weight == pytest.approx(reward / math.log(2))


def test_identity_and_conformity_share_the_form_of_the_critical_weight():
    assert Conformity(num_agents=5, reward=3.0).critical_weight == pytest.approx(3.0 / math.log(5))
    assert Identity(num_agents=1).critical_weight == math.inf


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_conformity_pays_the_share_of_the_others(data):
    num_agents, horizon = data.draw(st.integers(2, 5)), data.draw(st.integers(1, 3))
    world = Conformity(num_agents=num_agents, horizon=horizon, reward=2.0)
    world.reset([0])
    total = np.zeros(num_agents)
    played = []
    for _ in range(horizon):
        actions = data.draw(
            st.lists(st.integers(0, num_agents - 1), min_size=num_agents, max_size=num_agents)
        )
        played.append(actions)
        total += world.step(np.array([actions])).rewards[0]
    for i in range(num_agents):
        same = sum(joint[i] == joint[j] for joint in played for j in range(num_agents) if j != i)
        assert total[i] == pytest.approx(2.0 * same / (num_agents - 1) / horizon, rel=1e-5)


def test_conformity_is_worth_its_reward_alike_and_nothing_different():
    world = Conformity(num_agents=4, horizon=5, reward=1.5)
    for actions, worth in (([2, 2, 2, 2], 1.5), ([3, 1, 0, 2], 0.0)):
        record = play_episodes(world, lambda seen, t, actions=actions: np.array([actions]), [0])
        np.testing.assert_allclose(record.returns(), worth, rtol=1e-6)


def test_conformity_needs_company_and_room_to_differ():
    with pytest.raises(ConfigError, match="num_agents"):
        Conformity(num_agents=1)
    with pytest.raises(ConfigError, match="num_actions"):
        Conformity(num_agents=4, num_actions=3)
    assert Conformity(num_agents=6).action_space.n == 6


@settings(max_examples=40, deadline=None)
@given(st.data(), st.integers(2, 5), st.sampled_from(["team", "agent"]))
def test_the_chain_pays_gleaners_and_everybody_once_every_job_is_done(data, num_agents, reward):
    num_jobs = data.draw(st.integers(2, num_agents))
    world = Chain(
        num_agents=num_agents, num_jobs=num_jobs, horizon=2, glean=0.25, harvest=3.0, reward=reward
    )
    world.reset([0])
    for _ in range(2):
        jobs = data.draw(
            st.lists(st.integers(0, num_jobs - 1), min_size=num_agents, max_size=num_agents)
        )
        step = world.step(np.array([jobs]))
        whole = set(jobs) == set(range(num_jobs))
        own = [0.25 * (job == 0) + 3.0 * whole for job in jobs]
        expected = own if reward == "agent" else [sum(own) / num_agents] * num_agents
        np.testing.assert_allclose(step.rewards[0], expected, rtol=1e-6)
        assert (step.observations[0, :, 1] == whole).all()


@pytest.mark.parametrize(
    "kwargs", [{}, {"num_agents": 5, "num_jobs": 3, "reward": "agent"}, {"num_agents": 2}]
)
def test_the_chain_knows_what_a_crowd_a_division_and_chance_earn(kwargs):
    world = Chain(num_envs=4000, horizon=3, **kwargs)
    players = registry()["mirrorenv/chain-v0"].load_players()
    for name, worth in (("crowd", world.crowd_return), ("divided", world.divided_return)):
        record = play_episodes(world, players[name](world), np.arange(4000))
        assert record.returns().mean() == pytest.approx(worth, rel=1e-5)
    by_chance = play_episodes(world, UniformPolicy(world), np.arange(4000)).returns().mean(axis=1)
    assert abs(by_chance.mean() - world.chance_return) < 4.5 * stats.sem(by_chance)


@pytest.mark.parametrize("reward", ["team", "agent"])
def test_at_the_critical_weight_leaving_the_gleaners_alone_is_worth_what_it_costs(reward):
    world = Chain(num_agents=5, horizon=7, reward=reward)
    earned = []
    for job in (0, 3):
        record = play_episodes(world, lambda seen, t, job=job: np.array([[job, 0, 0, 0, 0]]), [0])
        earned.append(float(record.returns()[0, 0]))
    assert earned[0] - earned[1] == pytest.approx(world.critical_weight * math.log(5), rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "kwargs"),
    [
        ("num_agents", {"num_agents": 1}),
        ("num_jobs", {"num_jobs": 7}),
        ("num_jobs", {"num_jobs": 1}),
        ("glean", {"glean": 1.0}),
        ("glean", {"glean": -0.1}),
        ("reward", {"reward": "both"}),
    ],
)
def test_the_chain_names_a_wrong_argument(wrong, kwargs):
    with pytest.raises(ConfigError, match=wrong):
        Chain(**kwargs)


def test_dirichlet_states_are_uniform_and_independent_of_everything():
    world = Dirichlet(num_envs=400, num_agents=3, num_states=4, horizon=10)
    record = play_episodes(
        world, lambda seen, t: uniform_actions(world, 1, seed=t)[0], np.arange(400)
    )
    states = record.observations.argmax(axis=-1)  # (B, T, N)
    assert (
        set(np.unique(record.observations)) == {0.0, 1.0}
        and (record.observations.sum(axis=-1) == 1).all()
    )
    assert stats.chisquare(np.bincount(states.ravel(), minlength=4)).pvalue > 1e-4
    # over time, over agents
    pairs = [states[:, 1:] * 4 + states[:, :-1], states[:, :, 1:] * 4 + states[:, :, :-1]]
    pairs.append(states[:, 1:] * 5 + record.actions[:, :-1])  # over what was done before
    for pair, size in zip(pairs, (16, 16, 20), strict=True):
        assert stats.chisquare(np.bincount(pair.ravel(), minlength=size)).pvalue > 1e-4
    assert not record.rewards.any()


def test_dirichlet_agents_act_by_their_tables():
    world = Dirichlet(num_envs=1, num_agents=2, num_states=2, num_actions=3, horizon=4000)
    agents = DirichletAgents(world, 1.0, [5])
    record = play_episodes(world, agents, [1])
    states = record.observations.argmax(axis=-1)[0]  # (T, N)
    for agent in range(2):
        for state in range(2):
            chosen = record.actions[0, states[:, agent] == state, agent]
            expected = np.exp(agents.log_probabilities[0, agent, state]) * len(chosen)
            assert stats.chisquare(np.bincount(chosen, minlength=3), expected).pvalue > 1e-4


def test_dirichlet_evidence_is_the_sum_of_log_probabilities():
    world = Dirichlet(num_envs=3, num_agents=2, num_states=3, num_actions=4, horizon=6)
    agents = DirichletAgents(world, 0.5, [1, 2, 3])
    record = play_episodes(world, agents, np.arange(3))
    evidence = agents.log_likelihood(record.observations, record.actions)
    for b in range(3):
        for k in range(2):
            for n in range(2):
                total = sum(
                    agents.log_probabilities[
                        b, n, int(record.observations[b, t, k].argmax()), record.actions[b, t, k]
                    ]
                    for t in range(6)
                )
                assert evidence[b, k, n] == pytest.approx(total)


def test_dirichlet_agents_of_a_row_depend_on_its_seed_only():
    many, one = Dirichlet(num_envs=3), Dirichlet(num_envs=1)
    tables = DirichletAgents(many, 1.0, [7, 8, 9]).log_probabilities
    np.testing.assert_array_equal(tables[1:2], DirichletAgents(one, 1.0, [8]).log_probabilities)
    with pytest.raises(ShapeError, match="3 seeds"):
        DirichletAgents(many, 1.0, [7])
    with pytest.raises(ConfigError, match="num_states"):
        Dirichlet(num_states=0)


def test_points_walk_straight_to_the_border_in_directions_of_their_own():
    world = Point(num_envs=2, num_agents=4, horizon=7)
    fan = registry()["mirrorenv/point-v0"].load_players()["fan"](world)
    record = play_episodes(world, fan, [0, 1])
    assert not record.rewards.any() and record.mask.all()
    assert record.observations[0, 0, :, :2] == pytest.approx(np.zeros((4, 2)))
    ways = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]])
    assert record.observations[0, 3, :, :2] == pytest.approx(0.6 * ways, abs=1e-6)
    assert record.observations[1, 6, :, :2] == pytest.approx(1.0 * ways, abs=1e-6)
    with pytest.raises(ConfigError, match="speed"):
        Point(speed=0.0)


@pytest.mark.parametrize("num_agents", [1, 2, 4, 8])
def test_dispersion_goals_lie_around_and_apart(num_agents):
    world = Dispersion(num_envs=500, num_agents=num_agents)
    world.reset(np.arange(500))
    radius = np.linalg.norm(world.goals, axis=2)
    assert radius.min() >= 0.5 and radius.max() <= 1.0
    angle = np.sort(np.arctan2(world.goals[..., 1], world.goals[..., 0]), axis=1)
    gaps = np.diff(np.concatenate([angle, angle[:, :1] + 2 * np.pi], axis=1), axis=1)
    assert gaps.min() >= np.pi / num_agents - 1e-9
    if num_agents > 1:  # no goal has a direction of its own
        first = np.arctan2(world.goals[:, 0, 1], world.goals[:, 0, 0])
        assert stats.kstest(first, stats.uniform(-np.pi, 2 * np.pi).cdf).pvalue > 1e-4


def test_dispersion_moves_stop_at_the_border_and_observations_are_relative():
    world = Dispersion(num_agents=2, horizon=40, speed=0.25)
    world.reset([3])
    for _ in range(6):
        seen = world.step(np.array([[[1.0, 0.5], [-1.0, 0.0]]], np.float32)).observations[0]
    np.testing.assert_allclose(seen[:, :2], [[1.0, 0.75], [-1.0, 0.0]])
    np.testing.assert_allclose(seen[:, 2], 34 / 40)
    for agent in range(2):
        np.testing.assert_allclose(
            seen[agent, 3:7].reshape(2, 2) + seen[agent, :2], world.goals[0], atol=1e-6
        )


def test_dispersion_goals_count_once_and_are_shared():
    for reward, expected in (("agent", [[0.5, 0.5, 0.0]]), ("team", [[1.0, 1.0, 1.0]])):
        world = Dispersion(num_agents=3, reward=reward, time_penalty=0.0)
        world.reset([3])
        world.places = world.goals[:, [0, 0, 0]].copy()
        world.places[0, 2] = 0.0
        still = np.zeros((1, 3, 2), np.float32)
        np.testing.assert_allclose(world.step(still).rewards, expected)
        assert (world.step(still).rewards == 0).all()
        np.testing.assert_array_equal(world.step(still).observations[0, 0, -3:], [1, 0, 0])


def test_dispersion_time_costs_until_all_goals_are_reached():
    world = Dispersion(num_agents=2, time_penalty=0.01, reward="agent")
    world.reset([3])
    still = np.zeros((1, 2, 2), np.float32)
    np.testing.assert_allclose(world.step(still).rewards, -0.01)
    world.places = world.goals.copy()
    last = world.step(still)
    np.testing.assert_allclose(last.rewards, 0.99)
    assert last.terminated.all() and not last.truncated.any()
    assert (world.step(still).rewards == 0).all()


def test_dispersion_pays_a_division_of_labour():
    world = Dispersion(num_envs=100)
    split = play_episodes(world, GoalSeekers(world, split=True), np.arange(100))
    herd = play_episodes(world, GoalSeekers(world, split=False), np.arange(100))
    assert (split.returns() == 4).all() and split.lengths.max() <= 11
    assert herd.lengths.mean() > 2.5 * split.lengths.mean()
    # one policy for all: they never part
    assert np.ptp(herd.observations[:, :, :, :2], axis=2).max() == 0


@pytest.mark.parametrize(
    "kwargs",
    [{"speed": 0.0}, {"goal_radius": 0.5}, {"goal_radius": 0.0}, {"reward": "own"}],
    ids=str,
)
def test_dispersion_names_a_wrong_argument(kwargs):
    with pytest.raises(ConfigError, match=next(iter(kwargs))):
        Dispersion(**kwargs)
