"""Statistics of few runs agree with independent implementations, cover what they claim and refuse
to over-rank."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror.intervals import Estimate
from mirrorenv.results.stats.statistics import (
    interquartile_mean,
    marl_eval_json,
    performance_profile,
    probability_of_improvement,
    tied_ranks,
)

numbers = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(numbers)
def test_the_interquartile_mean_is_the_mean_of_the_middle(values):
    cut = len(values) // 4
    middle = sorted(values)[cut : len(values) - cut]
    found = interquartile_mean(values)
    assert found.value == pytest.approx(np.mean(middle), rel=1e-9, abs=1e-6)
    assert found.low <= found.value <= found.high or math.isclose(found.low, found.high)


def test_one_broken_seed_of_eight_does_not_move_the_interquartile_mean():
    good = [0.9, 0.91, 0.92, 0.93, 0.94, 0.95, 0.96]
    assert interquartile_mean([*good, 0.0]).value == pytest.approx(
        interquartile_mean([*good, 0.89]).value
    )


def test_without_trimming_the_interval_is_students():
    values = [1.0, 2.0, 4.0]  # floor(3 / 4) = 0 are left out
    found, low_high = (
        interquartile_mean(values),
        stats.t.interval(0.95, 2, np.mean(values), stats.sem(values)),
    )
    assert (found.low, found.high) == pytest.approx(low_high)


def test_interquartile_intervals_cover():
    rng = np.random.default_rng(0)
    found = [interquartile_mean(rng.standard_normal(10)) for _ in range(2000)]
    held = np.mean([one.low <= 0.0 <= one.high for one in found])
    assert 0.93 < held < 0.97  # three standard errors are 0.015


@settings(max_examples=60, deadline=None)
@given(numbers, numbers)
def test_the_probability_of_improvement_counts_pairs(ours, theirs):
    wins = [1.0 if x > y else 0.5 if x == y else 0.0 for x in ours for y in theirs]
    found = probability_of_improvement(ours, theirs)
    assert found.value == pytest.approx(np.mean(wins))
    assert 0.0 <= found.low <= found.value + 1e-12 and found.value - 1e-12 <= found.high <= 1.0
    turned = probability_of_improvement(theirs, ours)
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (1 - found.value, 1 - found.high, 1 - found.low)
    )


def test_the_probability_of_improvement_agrees_with_brunner_and_munzels_test():
    rng = np.random.default_rng(1)
    for _ in range(50):
        x, y = rng.normal(0.4, 1.0, 9), rng.normal(0.0, 2.0, 7)
        p_value = stats.brunnermunzel(x, y).pvalue
        found = probability_of_improvement(x, y, confidence=0.9)
        if found.high < 1.0 and found.low > 0.0:
            assert (found.low > 0.5 or found.high < 0.5) == (p_value < 0.1)


def test_five_runs_that_all_win_do_not_prove_that_the_next_one_will():
    found = probability_of_improvement([2.0] * 5, [1.0] * 5)
    assert found.value == 1.0 and found.high == 1.0
    assert found.low == pytest.approx(0.025 ** (1 / 5))


def test_profiles_fall_and_hold_the_share_above():
    values = [0.1, 0.4, 0.4, 0.9]
    share, low, high = performance_profile(values, [0.0, 0.4, 0.5, 1.0])
    np.testing.assert_allclose(share, [1.0, 0.25, 0.25, 0.0])
    assert (low <= share).all() and (share <= high).all() and low[0] < 1.0 and high[-1] > 0.0


def test_overlapping_intervals_share_a_rank():
    def estimate(value, half):
        return Estimate(value, value - half, value + half, 5, "test")

    made = {
        "a": estimate(1.0, 0.1),
        "b": estimate(0.95, 0.1),
        "c": estimate(0.5, 0.1),
        "d": estimate(0.81, 0.05),
    }
    assert tied_ranks(made) == [["a", "b", "d"], ["c"]]  # d reaches b, though not a
    assert tied_ranks(
        {"a": Estimate(1.0, -math.inf, math.inf, 1, "one"), "b": estimate(0.0, 0.1)}
    ) == [["a", "b"]]


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=3), st.tuples(st.floats(-5, 5), st.floats(0, 3)), max_size=8
    )
)
def test_ranks_hold_everybody_once_and_groups_do_not_overlap(drawn):
    made = {
        name: Estimate(value, value - half, value + half, 5, "test")
        for name, (value, half) in drawn.items()
    }
    groups = tied_ranks(made)
    assert sorted(name for group in groups for name in group) == sorted(made)
    for better, worse in pairwise(groups):
        assert min(made[name].low for name in better) > max(made[name].high for name in worse)


@pytest.mark.parametrize(
    "call", [interquartile_mean, lambda x: probability_of_improvement(x, [1.0])]
)
@pytest.mark.parametrize("values", [[], [math.nan], [math.inf], [[1.0]]])
def test_what_is_no_sample_is_refused(call, values):
    with pytest.raises(ShapeError):
        call(values)


def test_a_confidence_outside_zero_and_one_is_refused():
    with pytest.raises(ConfigError):
        interquartile_mean([1.0, 2.0], confidence=1.0)


def test_the_marl_eval_form_nests_environment_task_algorithm_seed_and_step():
    rows = [
        {"env_steps": 0, "return": 1.0, "world": "x"},
        {"env_steps": 10, "return": 2, "top1": math.nan},
    ]
    found = marl_eval_json({"mirrorenv/ants-v0": {"mirror": {3: rows}}})
    run = found["mirrorenv"]["ants-v0"]["mirror"]["seed_3"]
    assert run["step_0"] == {"step_count": 0, "return": [1.0]}
    assert run["step_1"] == {"step_count": 10, "return": [2.0]}
    assert run["absolute_metrics"] == {"return": [2.0]}
    with pytest.raises(ShapeError):
        marl_eval_json({"a/b": {"c": {0: []}}})
