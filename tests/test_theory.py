"""Critical weights, capacity and escape in the one-step worlds: closed forms against grids, brute
force and orbits."""

from __future__ import annotations

import importlib
import itertools
import json
import math
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
IDENTITY, CONFORMITY = "mirrorenv/identity-v0", "mirrorenv/conformity-v0"


@pytest.fixture(scope="module")
def games() -> ModuleType:
    """The module of the benchmark that holds the theory."""
    return importlib.import_module("benchmarks.studies.one_step_games")


@pytest.fixture(scope="module")
def learning() -> ModuleType:
    return importlib.import_module("benchmarks.studies.one_step_learning")


def _pairs(points: int = 81) -> np.ndarray:
    """(points**2, 2, 2) log policies of two agents with two actions, on a grid of how often each
    plays action 1."""
    chance = np.linspace(0.0, 1.0, points)
    first, second = (grid.ravel() for grid in np.meshgrid(chance, chance, indexing="ij"))
    policy = np.stack(
        [np.stack([1 - first, first], -1), np.stack([1 - second, second], -1)], axis=1
    )
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(policy), -700.0)


def _best(games: ModuleType, world: str, weight: float) -> tuple[float, float]:
    """How often each of two agents plays action 1 in the joint policy with the highest total payoff
    of the grid."""
    log_policy = _pairs()
    total = games.returns(log_policy, games.read_game(world, 2, 2), weight).sum(axis=-1)
    first, second = np.exp(log_policy[total.argmax()][:, 1])
    return round(float(first), 6), round(float(second), 6)


@pytest.mark.parametrize(
    ("world", "switch"),
    [(IDENTITY, 1 / (2 * math.log(2))), (CONFORMITY, 1 / math.log(2))],
    ids=["identity", "conformity"],
)
def test_best_pair_of_policies_switches_from_alike_to_apart(
    games: ModuleType, world: str, switch: float
) -> None:
    below, above = _best(games, world, 0.99 * switch), _best(games, world, 1.01 * switch)
    assert below in {(0.0, 0.0), (1.0, 1.0)}
    assert sorted(above) == [0.0, 1.0]


@pytest.mark.parametrize("world", [IDENTITY, CONFORMITY])
def test_an_agent_gains_by_leaving_a_crowd_of_two_above_r_over_log_two(
    games: ModuleType, world: str
) -> None:
    log_policy = _pairs()
    beside_crowd = log_policy[log_policy[:, 1, 1] < -600]  # the other always plays action 0
    for factor, best in ((0.99, 0.0), (1.01, 1.0)):
        own = games.returns(beside_crowd, games.read_game(world, 2, 2), factor / math.log(2))[:, 0]
        assert math.exp(beside_crowd[own.argmax(), 0, 1]) == pytest.approx(best)


@pytest.mark.parametrize(("agents", "actions"), [(2, 2), (2, 5), (3, 3), (4, 4), (4, 6), (5, 5)])
def test_conformity_switches_at_r_over_log_n_for_the_group_and_for_one(
    games: ModuleType, agents: int, actions: int
) -> None:
    game = games.read_game(CONFORMITY, agents, actions)
    assert game.critical_weight == pytest.approx(1 / math.log(agents))
    assert games.optimum_switch(game) == pytest.approx(1 / math.log(agents), rel=1e-5)
    assert games.deviation_switch(game) == pytest.approx(1 / math.log(agents), rel=1e-5)


def test_identity_switches_for_one_at_twice_the_weight_of_the_pair(games: ModuleType) -> None:
    game = games.read_game(IDENTITY, 2, 2)
    assert games.deviation_switch(game) == pytest.approx(game.critical_weight, rel=1e-5)
    assert games.optimum_switch(game) == pytest.approx(game.critical_weight / 2, rel=1e-5)


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), concentration=st.floats(0.05, 5.0), weight=st.floats(0.0, 3.0))
def test_no_mixed_policies_beat_the_best_deterministic_ones(
    games: ModuleType, seed: int, concentration: float, weight: float
) -> None:
    game = games.read_game(CONFORMITY, 3, 3)
    # (50, N, K)
    policy = np.random.default_rng(seed).dirichlet(np.full(3, concentration), size=(50, 3))
    mixed = games.returns(np.log(np.maximum(policy, 1e-300)), game, weight).sum(axis=-1)
    _, rewards, mirror = games.joint_actions(game)
    assert mixed.max() <= (rewards + weight * mirror).sum(axis=1).max() + 1e-6


@pytest.mark.parametrize(("world", "share"), [(IDENTITY, 1.0), (CONFORMITY, 0.5)])
def test_own_gradients_are_those_of_one_shared_potential(
    games: ModuleType, world: str, share: float
) -> None:
    agents, actions, weight, small = 3, 4, 0.7, 1e-6
    game = games.read_game(world, agents, actions)
    logits = np.random.default_rng(1).normal(size=(agents, actions))

    def potential(at: np.ndarray) -> float:
        log_policy = games.log_softmax(at)
        rewards = games.returns(log_policy, game, 0.0).sum()
        return float(share * rewards + weight * agents * games.information(log_policy))

    log_policy = games.log_softmax(logits)
    own = np.exp(log_policy) * games.advantages(log_policy, game, weight)
    for place in itertools.product(range(agents), range(actions)):
        nudge = np.zeros_like(logits)
        nudge[place] = small
        slope = (potential(logits + nudge) - potential(logits - nudge)) / (2 * small)
        assert own[place] == pytest.approx(slope, abs=1e-7)


def test_exact_gradient_from_small_differences_parts_two_agents_at_r_over_log_two(
    games: ModuleType,
) -> None:
    game = games.read_game(IDENTITY, 2, 2)
    begin = games.starts(np.arange(4), 2, 2, 1e-2)
    for factor, parted in ((0.97, False), (1.03, True)):
        end = games.follow(begin, game, factor * game.critical_weight, steps=1500)
        assert (games.have_parted(end) == parted).all()


def test_plain_gradients_hold_a_crowd_of_three_up_to_r_and_natural_ones_only_to_the_equilibrium(
    games: ModuleType,
) -> None:
    game = games.read_game(CONFORMITY, 3, 3)
    begin = games.starts(np.arange(4), 3, 3, 1e-3, lead=4.0)
    between, above = 0.5 * (game.critical_weight + 1.0), 1.05
    assert not games.have_parted(games.follow(begin, game, between, steps=1500)).any()
    assert games.have_parted(games.follow(begin, game, between, steps=1500, natural=True)).all()
    assert not games.have_parted(
        games.follow(begin, game, 0.95 * game.critical_weight, steps=1500, natural=True)
    ).any()
    assert games.have_parted(games.follow(begin, game, above, steps=2500)).all()


def test_uniform_start_parts_conforming_agents_far_below_the_equilibrium(games: ModuleType) -> None:
    game, tie = games.read_game(CONFORMITY, 4, 4), 4 / (4 * 3)
    begin = games.starts(np.arange(12), 4, 4, 1e-8)
    shares = [
        games.have_parted(games.follow(begin, game, f * tie, steps=1500)).mean()
        for f in (0.85, 1.15)
    ]
    assert shares == [0.0, 1.0]
    assert 1.15 * tie < 0.6 * game.critical_weight


@pytest.mark.parametrize(
    ("agents", "actions"), [(1, 3), (2, 2), (3, 2), (4, 4), (5, 2), (5, 3), (6, 3)]
)
def test_capacity_is_the_best_of_all_assignments(
    games: ModuleType, agents: int, actions: int
) -> None:
    best = 0.0
    for assignment in itertools.product(range(actions), repeat=agents):
        sizes = np.bincount(assignment, minlength=actions)
        used = sizes[sizes > 0] / agents
        best = max(best, float(-(used * np.log(used)).sum()))
    assert games.capacity(agents, actions) == pytest.approx(best)


def test_differences_near_alike_grow_by_rate_over_actions_each_step_and_from_none_never(
    games: ModuleType,
) -> None:
    agents, actions, rate = 4, 5, 0.5
    game = games.Game("none", agents, actions, np.zeros((actions, actions)), 0.0)
    begin = games.starts(np.arange(3), agents, actions, 1e-7)

    def difference(log_policy: np.ndarray) -> np.ndarray:
        centred = log_policy - log_policy.mean(axis=-1, keepdims=True)
        return centred - centred.mean(axis=-2, keepdims=True)

    grown = difference(games.climb(begin, game, 1.0, steps=20, rate=rate))
    np.testing.assert_allclose(
        grown, difference(begin) * (1 + rate / actions) ** 20, rtol=1e-3, atol=1e-10
    )
    same = np.repeat(games.starts(np.arange(3), 1, actions, 1.0), agents, axis=1)
    assert games.information(games.climb(same, game, 1.0, steps=500, rate=rate)).max() < 1e-12


def test_a_world_that_pays_for_more_than_pairs_is_refused(
    games: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_or_nothing(world: str, actions: np.ndarray, num_actions: int) -> np.ndarray:
        return np.repeat(
            (actions == actions[:, :1]).all(axis=1, keepdims=True), actions.shape[1], axis=1
        ).astype(float)

    monkeypatch.setattr(games, "play", all_or_nothing)
    with pytest.raises(ValueError, match="not a mean over the other agents"):
        games.read_game(CONFORMITY, 3, 3)


def test_crossing_is_interpolated_in_the_logarithm_and_honest_beyond_the_weights(
    learning: ModuleType,
) -> None:
    weights, rng = np.array([1.0, 2.0, 4.0]), np.random.default_rng(0)
    parted = np.arange(8)[:, None] < np.array([2, 4, 6])  # shares 1/4, 1/2, 3/4
    found = learning.crossing(parted, weights, rng)
    assert found.value == pytest.approx(2.0)
    assert found.low < 2.0 < found.high
    assert learning.crossing(parted[:, [0, 2]], weights[[0, 2]], rng).value == pytest.approx(2.0)
    assert learning.crossing(np.zeros((8, 3), bool), weights, rng).value == math.inf
    assert learning.crossing(np.ones((8, 3), bool), weights, rng).high == -math.inf


def test_learned_observer_needs_a_higher_weight_than_the_exact_one(
    learning: ModuleType, games: ModuleType
) -> None:
    game, seeds, weights = games.read_game(IDENTITY, 2, 2), np.arange(6), np.array([2.3])
    shares = {
        steps: games.have_parted(
            learning.learn(game, seeds, weights, learning.Learner(steps, steps=400))
        ).mean()
        for steps in (None, 1)
    }
    assert shares[None] > 0.8
    assert shares[1] < 0.2


def test_a_seed_learns_the_same_whatever_seeds_and_weights_stand_beside_it(
    learning: ModuleType, games: ModuleType
) -> None:
    game, learner = games.read_game(CONFORMITY, 3, 3), learning.Learner(2, steps=10, batch=8)
    many = learning.learn(game, np.array([4, 7, 9]), np.array([0.5, 1.0]), learner)
    one = learning.learn(game, np.array([7]), np.array([1.0]), learner)
    np.testing.assert_allclose(one[0, 0], many[1, 1], atol=1e-12)


def test_the_benchmark_runs_and_speaks_json() -> None:
    command = [
        sys.executable,
        str(BENCHMARKS / "studies" / "critical_weight.py"),
        "--smoke",
        "--json",
        "--only",
        "optimum,learned",
    ]
    answer = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True, timeout=250).stdout
    )
    assert answer["benchmark"] == "critical_weight"
    assert answer["seeds"] == [0, 1, 2, 3]
    for row in answer["rows"]:
        if row["part"] == "optimum":
            assert row["value"] == pytest.approx(row["predicted"], rel=1e-5), row["what"]
    assert sum(row["part"] == "learned" for row in answer["rows"]) == 15
