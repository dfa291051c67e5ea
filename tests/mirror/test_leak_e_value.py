"""Learned above the limit: false alarms stay rare however often one looks, and a real leak is
found."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import Belief, likelihood_ratio_e_value, log_e_threshold
from mirrorenv.mirror.belief import log_softmax
from tests.mirror import brute_force

FloatArray = npt.NDArray[np.float64]


def lineups(
    rng: np.random.Generator, count: int, scale: float = 1.0
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """(E, 3, 3) evidence, and a truth (E, 3) drawn from its exact posterior over permutations."""
    evidence = rng.normal(scale=scale, size=(count, 3, 3))
    orders = brute_force.all_orders(3)
    weights = np.exp(log_softmax(evidence[:, np.arange(3), orders].sum(axis=2)))  # (E, 6)
    picked = (weights.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=5)
    return evidence, orders[picked]


def of_truth(log_belief: FloatArray, truth: npt.NDArray[np.int64]) -> FloatArray:
    return np.take_along_axis(log_belief, truth[..., None], axis=2)[..., 0]


@given(seed=st.integers(0, 10**6))
def test_the_expected_e_value_under_the_limit_is_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    limit, learned = rng.dirichlet(np.ones(5)), rng.dirichlet(np.full(5, 0.3)) + 1e-12
    learned /= learned.sum()
    values = [
        math.exp(likelihood_ratio_e_value([np.log(learned[n])], [np.log(limit[n])]))
        for n in range(5)
    ]
    assert limit @ np.array(values) == pytest.approx(1.0, rel=1e-9)


def test_false_alarms_stay_below_alpha_even_when_looking_after_every_episode() -> None:
    rng = np.random.default_rng(0)
    runs, episodes, alpha = 500, 20, 0.1
    evidence, truth = lineups(rng, runs * episodes)
    limit = of_truth(Belief(evidence).log_belief("marginals"), truth)
    # A learner that is right up to noise and temperature: the hardest to tell from a leak.
    learned = of_truth(
        Belief(1.2 * evidence + rng.normal(scale=0.5, size=evidence.shape)).log_belief("marginals"),
        truth,
    )
    steps = np.array(
        [likelihood_ratio_e_value(q[None], p[None]) for q, p in zip(learned, limit, strict=True)]
    )
    highest = steps.reshape(runs, episodes).cumsum(axis=1).max(axis=1)
    alarms = (highest >= log_e_threshold(alpha)).mean()
    assert alarms <= alpha + 2.5 * math.sqrt(alpha * (1 - alpha) / runs)
    assert highest.max() > 0  # the test is not asleep: some runs do drift up


def test_a_leak_is_found() -> None:
    rng = np.random.default_rng(1)
    evidence, truth = lineups(rng, 60)
    # something beside the policies tells agents apart
    hint = 1.5 * (truth[..., None] == np.arange(3))
    learned = of_truth(Belief(evidence + hint).log_belief("marginals"), truth)
    limit = of_truth(Belief(evidence).log_belief("marginals"), truth)
    assert likelihood_ratio_e_value(learned, limit) > log_e_threshold(0.01, tests=100)


def test_the_value_is_the_product_over_episodes_of_the_mean_over_slots_and_observers() -> None:
    rng = np.random.default_rng(2)
    learned, limit = np.log(rng.uniform(0.1, 0.9, size=(2, 4, 5, 3)))
    by_hand = sum(math.log(np.mean(np.exp(learned[e] - limit[e]))) for e in range(4))
    assert likelihood_ratio_e_value(learned, limit) == pytest.approx(by_hand)
    one_limit = limit[:, :1]
    full = np.broadcast_to(one_limit, learned.shape)
    assert likelihood_ratio_e_value(learned, one_limit) == pytest.approx(
        likelihood_ratio_e_value(learned, full)
    )


def test_the_limit_against_itself_says_nothing() -> None:
    logs = np.log(np.random.default_rng(3).uniform(size=(7, 4)))
    assert likelihood_ratio_e_value(logs, logs) == pytest.approx(0.0)


def test_certainties_are_carried_through() -> None:
    assert (
        likelihood_ratio_e_value([[-np.inf, -np.inf], [-1.0, -1.0]], [[-1.0, -1.0]] * 2)
        == -math.inf
    )
    assert likelihood_ratio_e_value([[-np.inf, -1.0]], [[-1.0, -1.0]]) == pytest.approx(
        math.log(0.5)
    )
    assert likelihood_ratio_e_value([[-1.0]], [[-np.inf]]) == math.inf
    assert likelihood_ratio_e_value([[-1.0]], [[-2000.0]]) == pytest.approx(1999.0)


def test_thresholds_are_corrected_for_the_number_of_tests() -> None:
    assert log_e_threshold(0.05) == pytest.approx(math.log(20))
    assert log_e_threshold(0.05, 30) == pytest.approx(math.log(600))
    for alpha, tests in ((0.0, 1), (1.0, 1), (0.05, 0)):
        with pytest.raises(ConfigError, match="alpha"):
            log_e_threshold(alpha, tests)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ShapeError, match="broadcast"):
        likelihood_ratio_e_value(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(ShapeError, match="at most 0"):
        likelihood_ratio_e_value([[0.5]], [[-1.0]])
    with pytest.raises(ShapeError, match="at least one episode"):
        likelihood_ratio_e_value(np.zeros((0, 2)), np.zeros((0, 2)))
    with pytest.raises(ShapeError, match="nan"):
        likelihood_ratio_e_value([[np.nan]], [[-1.0]])
