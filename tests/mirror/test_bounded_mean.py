"""One interval for shares: exact for counts, never narrower below a perfect score than at it, and
the same from the recorded interval as from the sample."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import Estimate, rate_interval
from mirrorenv.mirror.bounded import bounded_interval, bounded_mean, rebounded

shares = st.lists(st.floats(0, 1), min_size=2, max_size=40)


@given(hits=st.integers(0, 40), misses=st.integers(0, 40))
def test_counts_get_the_exact_binomial_interval(hits: int, misses: int) -> None:
    n = hits + misses
    if not n:
        return
    exact = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
    found = bounded_mean(np.repeat([1.0, 0.0], [hits, misses]))
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


@given(values=shares)
def test_no_sample_is_surer_of_the_best_than_a_perfect_one(values: list[float]) -> None:
    found, perfect = bounded_mean(values), bounded_mean(np.ones(len(values)))
    assert 0.0 <= found.low <= found.value <= found.high <= 1.0
    assert found.low <= perfect.low + 1e-12
    assert found.high >= bounded_mean(np.zeros(len(values))).high - 1e-12
    assert found.low < found.high  # a handful that is all alike proves nothing


@given(values=shares)
def test_it_is_the_same_seen_from_the_other_end(values: list[float]) -> None:
    found = bounded_mean(values)
    turned = bounded_mean(1.0 - np.array(values))
    assert (found.low, found.high) == pytest.approx((1.0 - turned.high, 1.0 - turned.low), abs=1e-9)


@given(value=st.floats(0.01, 1.0), n=st.integers(1, 300))
def test_of_numbers_that_are_all_alike_it_is_gaffkes_bound(value: float, n: int) -> None:
    # Dirichlet(1, ..., 1) weights on n times the value and once 0: value * Beta(n, 1)
    found = bounded_mean(np.full(n, value))
    assert found.low == pytest.approx(value * 0.025 ** (1 / n), rel=1e-6)


@given(values=shares)
def test_the_recorded_interval_tells_the_printed_one(values: list[float]) -> None:
    recorded = rate_interval(values)
    told = rebounded(recorded)
    made = bounded_mean(values)
    assert told is not None
    if recorded.low > 0.0 or recorded.high < 1.0:
        assert (told.low, told.high) == pytest.approx((made.low, made.high), abs=1e-6)
    else:  # cut at both ends it does not say its spread: the largest there can be
        assert told.low <= made.low + 1e-6
        assert told.high >= made.high - 1e-6


def test_a_figure_of_another_range_is_scaled() -> None:
    share = rebounded(Estimate(0.5, 0.4, 0.6, 20))
    right = rebounded(Estimate(2.0, 1.6, 2.4, 20), most=4.0)
    assert share is not None and right is not None
    assert (right.low, right.high) == pytest.approx((4 * share.low, 4 * share.high))


@pytest.mark.parametrize("found", [None, Estimate(0.5), Estimate(0.5, 0.4, 0.6), Estimate(3, 2, 4)])
def test_what_is_not_known_to_be_a_share_stays(found: Estimate | None) -> None:
    assert rebounded(found) is found


def test_friction_12_a_perfect_score_is_not_less_certain_than_one_below() -> None:
    best = rebounded(rate_interval(np.ones(32)))
    below = rebounded(Estimate(0.992, 0.976, 1.0), 32)
    assert best is not None and below is not None
    assert below.low < best.low < below.value
    assert best.low == pytest.approx(0.8911, abs=1e-4)


def test_values_outside_are_refused() -> None:
    for values in ([], [1.5], [-0.1], [float("nan")]):
        with pytest.raises(ShapeError):
            bounded_mean(values)
    with pytest.raises(ShapeError):
        bounded_interval(1.5, 1.0, 3)
    with pytest.raises(ConfigError):
        bounded_mean([0.5], 1.0)
