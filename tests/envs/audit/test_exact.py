"""The tests behind the audit against brute force: exact where they claim it, and blind to what must
not matter.

Shapes: E episodes, N agents, R assignments, F features.
"""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorenv.envs.audit.exact import (
    assignments,
    column_test,
    hits_p_value,
    ordered_pairs,
    rank_p_value,
    smallest_visible,
    true_ranks,
    verdicts,
)


@settings(max_examples=30, deadline=None)
@given(size=st.integers(2, 4), ranks=st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_the_law_of_ranks_is_that_of_all_outcomes(size, ranks):
    ranks = np.minimum(ranks, size)
    sums = [sum(outcome) for outcome in product(range(1, size + 1), repeat=len(ranks))]
    assert rank_p_value(ranks, size) == pytest.approx(np.mean(np.array(sums) <= ranks.sum()))


@settings(max_examples=20, deadline=None)
@given(agents=st.integers(2, 4), hits=st.lists(st.integers(0, 4), min_size=1, max_size=3))
def test_the_law_of_hits_is_that_of_all_permutations(agents, hits):
    hits = np.minimum(hits, agents)
    fixed = [
        sum(k == name for k, name in enumerate(order)) for order in permutations(range(agents))
    ]
    sums = [sum(outcome) for outcome in product(fixed, repeat=len(hits))]
    assert hits_p_value(hits, agents) == pytest.approx(np.mean(np.array(sums) >= hits.sum()))


def test_small_p_values_stay_above_zero_and_nothing_gives_one():
    assert rank_p_value(np.ones(1000, int), 6) == hits_p_value(np.full(1000, 3), 3) == 1e-12
    assert rank_p_value(np.zeros(0, int), 6) == hits_p_value(np.zeros(0, int), 3) == 1.0


@pytest.mark.parametrize("agents", [2, 3, 6])
def test_ranks_and_verdicts_of_worthless_scores_follow_their_laws(agents):
    rng = np.random.default_rng(1)
    names = assignments(4000, agents, rng)
    evidence = rng.normal(size=(4000, agents, agents))
    rows = np.arange(4000)[:, None, None]
    scores = evidence[rows, np.arange(agents), names].sum(axis=2)
    ranks = true_ranks(scores, rng)
    size = names.shape[1]
    assert stats.chisquare(np.bincount(ranks - 1, minlength=size)).pvalue > 1e-4
    hits = (verdicts(scores, names, evidence, rng) == np.arange(agents)).sum(axis=1)
    assert abs(hits.mean() - 1) < 0.06
    assert hits_p_value(hits, agents) > 1e-4


@pytest.mark.parametrize("agents", [3, 6])
def test_ties_are_broken_by_lot_even_if_rounding_differs(agents):
    """Agents that did the same thing have the same score under every name, up to the order in which
    it was summed."""
    rng = np.random.default_rng(2)
    names = assignments(3000, agents, rng)
    scores = 7.0 + 1e-12 * rng.random((3000, names.shape[1]))
    scores[:, 0] += 1e-11  # the truth, were it not for the tolerance
    ranks = true_ranks(scores, rng)
    assert stats.chisquare(np.bincount(ranks - 1, minlength=names.shape[1])).pvalue > 1e-4
    same = np.zeros((3000, agents, agents))
    hits = (verdicts(scores, names, same, rng) == np.arange(agents)).sum(axis=1)
    assert abs(hits.mean() - 1) < 0.08


def test_a_verdict_names_each_agent_once():
    rng = np.random.default_rng(3)
    for agents in (3, 7):
        names = assignments(50, agents, rng)
        for slots in (rng.normal(size=(50, agents, agents)), None):
            found = verdicts(rng.normal(size=(50, names.shape[1])), names, slots, rng)
            np.testing.assert_array_equal(
                np.sort(found, axis=1), np.tile(np.arange(agents), (50, 1))
            )


def test_the_truth_comes_first_among_the_assignments():
    for agents in (2, 5, 6, 9):
        names = assignments(4, agents, np.random.default_rng(0))
        np.testing.assert_array_equal(names[:, 0], np.tile(np.arange(agents), (len(names), 1)))
        assert names.shape[1] == min(120, {2: 2}.get(agents, 120))
    assert ordered_pairs(3).tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]


def test_the_column_test_is_right_as_often_as_it_says():
    rng = np.random.default_rng(4)
    found = []
    for _ in range(300):
        values = rng.standard_t(2, size=(20, 3, 5))  # heavy tails: nothing normal is assumed
        found.append(column_test(values - values.mean(axis=1, keepdims=True), rng, 199).p_value)
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(found) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 300)
    assert np.mean(np.array(found) <= 0.5) > 0.35  # and no more cautious than it must be


def test_the_column_test_names_the_column():
    rng = np.random.default_rng(5)
    values = rng.normal(size=(60, 3, 8))
    values[:, 1, 6] += 1.0
    found = column_test(values - values.mean(axis=1, keepdims=True), rng, 999)
    assert found.p_value == found.features[6] == 1 / 1000
    assert (np.delete(found.features, 6) > 0.02).all()


def test_the_column_test_permutes_within_episodes_only():
    """What episodes have in common, and agents of one episode too, is no evidence."""
    rng = np.random.default_rng(6)
    values = np.repeat(rng.normal(size=(40, 1, 2)) * 100, 3, axis=1)
    assert column_test(values - values.mean(axis=1, keepdims=True), rng, 99).p_value > 0.5


@pytest.mark.parametrize("agents", [2, 4, 7])
def test_more_episodes_see_smaller_leaks(agents):
    few, many = smallest_visible(75, agents, 1e-4), smallest_visible(1200, agents, 1e-4)
    assert 0.5 < many[0] < few[0] <= 1.0
    assert 1 / agents < many[1] < few[1] <= 1.0
    if agents == 2:  # two agents: the true lineup wins exactly when both are named right
        assert many[0] == pytest.approx(many[1], abs=0.02)
