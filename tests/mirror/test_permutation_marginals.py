"""Exact sums over permutations: against brute force, against known permanents, and under every
symmetry."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import linear_sum_assignment

from mirrorenv.errors import ShapeError
from mirrorenv.mirror import (
    log_permutation_marginals,
    log_permutation_posterior,
    log_permutation_sum,
    most_probable_permutation,
    permutation_marginals,
)
from tests.mirror import brute_force

FloatArray = npt.NDArray[np.float64]


def evidence(largest: int = 6, spread: float = 400.0) -> st.SearchStrategy[FloatArray]:
    """One (N, N) matrix of finite evidence."""
    numbers = st.floats(-spread, spread, allow_subnormal=False)
    return st.integers(1, largest).flatmap(lambda n: arrays(np.float64, (n, n), elements=numbers))


@settings(max_examples=60)
@given(logs=evidence(5))
def test_marginals_sum_and_best_order_are_those_of_brute_force(logs: FloatArray) -> None:
    expected = brute_force.log_marginals(logs)
    np.testing.assert_allclose(permutation_marginals(logs), np.exp(expected), atol=1e-11)
    np.testing.assert_allclose(log_permutation_marginals(logs), expected, rtol=1e-10, atol=1e-9)
    assert log_permutation_sum(logs) == pytest.approx(brute_force.log_sum(logs), abs=1e-9)
    weights = brute_force.log_weights(logs)
    best = most_probable_permutation(logs)
    assert logs[np.arange(len(logs)), best].sum() == pytest.approx(weights.max(), abs=1e-9)


@pytest.mark.parametrize("scale", [0.1, 3.0, 300.0])
@pytest.mark.parametrize("agents", [1, 2, 3, 4, 5, 6])
def test_batches_agree_with_brute_force(agents: int, scale: float) -> None:
    logs = np.random.default_rng(agents).normal(scale=scale, size=(3, 2, agents, agents))
    expected = np.array([[brute_force.log_marginals(one) for one in row] for row in logs])
    np.testing.assert_allclose(permutation_marginals(logs), np.exp(expected), atol=1e-12)
    np.testing.assert_allclose(log_permutation_marginals(logs), expected, rtol=1e-11, atol=1e-10)
    sums = [[brute_force.log_sum(one) for one in row] for row in logs]
    np.testing.assert_allclose(log_permutation_sum(logs), sums, rtol=1e-13, atol=1e-12)


def test_differences_of_hundreds_of_nats_do_not_underflow() -> None:
    # Two orders of equal weight; every entry of the first is 700 nats below every entry of the
    # others.
    logs = np.array([[-700.0, -700.0, -5000.0], [700.0, 700.0, -5000.0], [0.0, 0.0, 900.0]])
    np.testing.assert_allclose(
        permutation_marginals(logs), [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0, 0, 1]], atol=1e-12
    )
    assert np.isfinite(log_permutation_marginals(logs)).all()
    assert log_permutation_sum(logs) == pytest.approx(900 + math.log(2))


def test_logs_of_marginals_are_right_far_below_the_smallest_double() -> None:
    logs = np.diag(np.full(4, 5000.0))
    # Slot 0 is agent 1: the best orders then swap two, at the price of two diagonals, or cycle.
    expected = brute_force.log_marginals(logs)
    assert expected[0, 1] < -9000
    np.testing.assert_allclose(log_permutation_marginals(logs), expected, rtol=1e-12, atol=1e-9)


@pytest.mark.parametrize("agents", [3, 7, 12, 16])
def test_permanents_of_known_matrices(agents: int) -> None:
    ones = np.zeros((agents, agents))
    assert log_permutation_sum(ones) == pytest.approx(math.lgamma(agents + 1))
    no_fixed_point = np.where(np.eye(agents, dtype=bool), -np.inf, 0.0)
    derangements = round(math.factorial(agents) / math.e)
    assert log_permutation_sum(no_fixed_point) == pytest.approx(math.log(derangements))
    distance = np.abs(np.subtract.outer(np.arange(agents), np.arange(agents)))
    # permanent of the tridiagonal of ones: a Fibonacci number
    neighbours = np.where(distance <= 1, 0.0, -np.inf)
    fibonacci = [1, 1]
    while len(fibonacci) <= agents:
        fibonacci.append(fibonacci[-1] + fibonacci[-2])
    assert log_permutation_sum(neighbours) == pytest.approx(math.log(fibonacci[agents]))


@pytest.mark.parametrize("agents", [7, 9, 11])
def test_larger_sums_agree_with_inclusion_and_exclusion(agents: int) -> None:
    matrix = np.random.default_rng(agents).uniform(0.5, 1.5, size=(agents, agents))
    assert math.exp(log_permutation_sum(np.log(matrix))) == pytest.approx(
        brute_force.ryser_permanent(matrix), rel=1e-7
    )


@pytest.mark.parametrize("agents", [8, 13, 16])
def test_marginals_are_the_gradient_of_the_log_sum(agents: int) -> None:
    rng = np.random.default_rng(agents)
    logs = rng.normal(scale=2.0, size=(agents, agents))
    marginals = permutation_marginals(logs)
    for slot, agent in rng.integers(agents, size=(3, 2)):
        step = np.zeros_like(logs)
        step[slot, agent] = 1e-4
        slope = (log_permutation_sum(logs + step) - log_permutation_sum(logs - step)) / 2e-4
        assert marginals[slot, agent] == pytest.approx(slope, abs=1e-7)


@settings(max_examples=60)
@given(logs=evidence(9))
def test_marginals_are_doubly_stochastic(logs: FloatArray) -> None:
    marginals = permutation_marginals(logs)
    assert (marginals >= 0).all() and (marginals <= 1 + 1e-12).all()
    np.testing.assert_allclose(marginals.sum(axis=0), 1.0, atol=1e-10)
    np.testing.assert_allclose(marginals.sum(axis=1), 1.0, atol=1e-10)


@settings(max_examples=60)
@given(logs=evidence(7), data=st.data())
def test_shifting_whole_rows_or_columns_changes_nothing(
    logs: FloatArray, data: st.DataObject
) -> None:
    shift = st.lists(st.floats(-1000, 1000), min_size=len(logs), max_size=len(logs))
    rows, columns = np.array(data.draw(shift)), np.array(data.draw(shift))
    shifted = logs + rows[:, None] + columns
    np.testing.assert_allclose(
        permutation_marginals(shifted), permutation_marginals(logs), atol=1e-9
    )
    assert log_permutation_sum(shifted) == pytest.approx(
        float(log_permutation_sum(logs)) + rows.sum() + columns.sum(), abs=1e-8
    )


@settings(max_examples=60)
@given(logs=evidence(7), data=st.data())
def test_reordering_slots_or_agents_reorders_the_marginals(
    logs: FloatArray, data: st.DataObject
) -> None:
    rows = np.array(data.draw(st.permutations(range(len(logs)))))
    columns = np.array(data.draw(st.permutations(range(len(logs)))))
    marginals = permutation_marginals(logs)
    np.testing.assert_allclose(
        permutation_marginals(logs[rows][:, columns]), marginals[rows][:, columns], atol=1e-11
    )
    np.testing.assert_allclose(permutation_marginals(logs.T), marginals.T, atol=1e-11)


def test_posteriors_of_all_permutations_sum_to_one() -> None:
    logs = np.random.default_rng(5).normal(scale=4.0, size=(5, 5))
    orders = brute_force.all_orders(5)
    posterior = log_permutation_posterior(np.broadcast_to(logs, (len(orders), 5, 5)), orders)
    assert np.exp(posterior).sum() == pytest.approx(1.0)
    assert (orders[posterior.argmax()] == most_probable_permutation(logs)).all()


def test_impossible_pairs_get_no_probability_and_the_rest_stays_exact() -> None:
    rng = np.random.default_rng(6)
    logs = rng.normal(scale=3.0, size=(5, 5))
    logs[rng.random((5, 5)) < 0.3] = -np.inf
    logs[np.arange(5), [3, 1, 4, 0, 2]] = 0.0  # one order is possible
    with np.errstate(invalid="ignore"):
        expected = np.exp(brute_force.log_marginals(logs))
    marginals = permutation_marginals(logs)
    np.testing.assert_allclose(marginals, expected, atol=1e-13)
    assert (marginals[np.isneginf(logs)] == 0).all()
    assert np.isneginf(log_permutation_marginals(logs)[np.isneginf(logs)]).all()


@pytest.mark.parametrize(
    "function", [permutation_marginals, log_permutation_sum, most_probable_permutation]
)
def test_what_has_no_answer_is_refused(function: object) -> None:
    assert callable(function)
    for bad in (np.nan, np.inf):
        logs = np.zeros((2, 3, 3))
        logs[1, 0, 2] = bad
        with pytest.raises(ShapeError, match=r"index \(1, 0, 2\)"):
            function(logs)
    blocked = np.zeros((2, 3, 3))
    blocked[1, :2, 1:] = -np.inf  # two slots that only agent 0 could have made
    with pytest.raises(ShapeError, match="number 1 admits no permutation"):
        function(blocked)
    with pytest.raises(ShapeError, match=r"\(N, N\)"):
        function(np.zeros((4, 2, 3)))
    with pytest.raises(ShapeError, match="at least 2 dimensions"):
        function(np.zeros(3))
    with pytest.raises(ShapeError, match="numbers"):
        function([["a"]])


def test_above_sixteen_agents_the_error_names_the_way_out() -> None:
    with pytest.raises(ShapeError, match="sampled_marginals"):
        permutation_marginals(np.zeros((17, 17)))
    assert sorted(most_probable_permutation(np.zeros((17, 17))).tolist()) == list(range(17))


def test_an_order_that_is_none_is_refused() -> None:
    for wrong in ([0, 0, 1], [0, 1, 3], [0.0, 1.0, 2.0], [0, 1]):
        with pytest.raises(ShapeError, match="permutation must"):
            log_permutation_posterior(np.zeros((3, 3)), wrong)


def test_no_lineups_give_no_marginals() -> None:
    assert permutation_marginals(np.zeros((0, 4, 4))).shape == (0, 4, 4)


@settings(max_examples=60)
@given(logs=evidence(5, spread=3.0), decimals=st.integers(0, 2))
def test_few_agents_are_assigned_as_the_solver_does_ties_included(
    logs: FloatArray, decimals: int
) -> None:
    tied = np.round(np.stack([logs, logs.T, np.zeros_like(logs)]), decimals)
    expected = [linear_sum_assignment(one, maximize=True)[1] for one in tied]
    np.testing.assert_array_equal(most_probable_permutation(tied), expected)


@pytest.mark.parametrize("agents", [2, 4, 5, 6])
def test_the_matrix_that_admits_no_order_is_named_by_its_number(agents: int) -> None:
    logs = np.zeros((700, agents, agents))
    logs[613, 0] = logs[613, 1] = -np.inf
    logs[613, :2, 0] = 0.0  # both need agent 0
    with pytest.raises(ShapeError, match="number 613"):
        most_probable_permutation(logs)
