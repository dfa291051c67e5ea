"""Intervals: equal to textbook formulas elsewhere, and covering what they claim to cover."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import (
    Estimate,
    bootstrap_t_interval,
    jackknife_interval,
    rate_interval,
    t_interval,
)

samples = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30)


@given(values=samples, confidence=st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_t_intervals_are_scipys(values: list[float], confidence: float) -> None:
    found = t_interval(values, confidence)
    error = float(stats.sem(values))
    half = stats.t.interval(confidence, len(values) - 1)[1] * error
    assert found.value == pytest.approx(np.mean(values), abs=1e-6)
    assert found.high - found.value == pytest.approx(half, rel=1e-6, abs=1e-6)
    assert found.value - found.low == pytest.approx(half, rel=1e-6, abs=1e-6)
    assert found.n == len(values)


@pytest.mark.parametrize("n", [1, 2, 30, 500])
def test_rates_without_spread_get_the_exact_binomial_interval(n: int) -> None:
    for hits, share in ((0, 0.0), (n, 1.0)):
        exact = stats.binomtest(hits, n).proportion_ci(0.95, method="exact")
        found = rate_interval(np.full(n, share))
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high))


@given(values=st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_rates_stay_between_zero_and_one(values: list[float]) -> None:
    found = rate_interval(values)
    assert found.low <= found.value <= found.high
    assert found.low >= 0.0 or found.n == 1
    assert found.high <= 1.0 or found.n == 1


def test_the_jackknife_of_a_mean_is_the_t_interval() -> None:
    values = np.random.default_rng(0).normal(size=12)
    left_out = (values.sum() - values) / 11
    found, expected = jackknife_interval(float(values.mean()), left_out), t_interval(values)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_the_jackknife_of_a_ratio_agrees_with_the_delta_method() -> None:
    rng = np.random.default_rng(1)
    top, bottom = rng.normal(2.0, 0.3, size=400), rng.normal(4.0, 0.5, size=400)
    left_out = (top.sum() - top) / (bottom.sum() - bottom)
    ratio = top.mean() / bottom.mean()
    found = jackknife_interval(float(ratio), left_out)
    error = (top - ratio * bottom).std(ddof=1) / bottom.mean() / math.sqrt(400)
    assert (found.high - found.low) / 2 == pytest.approx(stats.t.ppf(0.975, 399) * error, rel=0.01)


def test_bootstrap_t_of_many_normal_values_is_close_to_the_t_interval() -> None:
    values = np.random.default_rng(2).normal(size=200)
    found, expected = bootstrap_t_interval(values, np.random.default_rng(3)), t_interval(values)
    assert found.value == expected.value
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.015)


def test_bootstrap_t_of_three_values_is_the_enumeration_of_all_resamples() -> None:
    values = np.array([0.0, 1.0, 5.0])
    error = values.std(ddof=1) / math.sqrt(3)
    pivots = []
    for drawn in itertools.product(values, repeat=3):
        if len(set(drawn)) > 1:  # without spread there is no pivot
            resample = np.array(drawn)
            pivots.append((resample.mean() - values.mean()) / (resample.std(ddof=1) / math.sqrt(3)))
    assert len(pivots) == 24
    # the quantiles .9 and .1 lie within atoms of 3 in 24
    low, high = sorted(pivots)[21], sorted(pivots)[2]
    found = bootstrap_t_interval(values, np.random.default_rng(0), 0.8, resamples=20_000)
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - low * error, values.mean() - high * error)
    )


def test_bootstrap_t_reaches_further_on_the_side_of_the_long_tail() -> None:
    values = np.random.default_rng(4).exponential(size=15)
    found = bootstrap_t_interval(values, np.random.default_rng(5))
    assert found.high - found.value > 1.2 * (found.value - found.low)


def test_intervals_over_few_seeds_cover_where_the_percentile_bootstrap_does_not() -> None:
    rng = np.random.default_rng(6)
    trials, n = 400, 5
    hit = dict.fromkeys(("t", "bootstrap-t", "percentile"), 0)
    for _ in range(trials):
        values = rng.normal(size=n)
        low, high = np.quantile(rng.choice(values, size=(500, n)).mean(axis=1), [0.025, 0.975])
        found = {
            "t": t_interval(values),
            "bootstrap-t": bootstrap_t_interval(values, rng, resamples=500),
        }
        for name, estimate in found.items():
            hit[name] += estimate.low <= 0.0 <= estimate.high
        hit["percentile"] += low <= 0.0 <= high
    assert hit["t"] / trials > 0.92 and hit["bootstrap-t"] / trials > 0.9
    assert hit["percentile"] / trials < 0.9


def test_one_cluster_leaves_the_spread_unknown() -> None:
    rng = np.random.default_rng(0)
    for found in (
        t_interval([3.0]),
        bootstrap_t_interval([3.0], rng),
        jackknife_interval(3.0, [3.0]),
    ):
        assert (found.value, found.low, found.high, found.n) == (3.0, -math.inf, math.inf, 1)
        assert found.to_dict() == {"value": 3.0, "low": None, "high": None}


def test_equal_values_have_no_width() -> None:
    found = bootstrap_t_interval([2.0, 2.0, 2.0], np.random.default_rng(0))
    assert (found.low, found.high) == (2.0, 2.0) and "no spread" in found.method


def test_estimates_read_and_clip() -> None:
    found = Estimate(0.5, -0.1, 1.2, 9, "t")
    assert str(found) == "0.500 [-0.100, 1.200]"
    assert found.within(0.0, 1.0) == Estimate(0.5, 0.0, 1.0, 9, "t")


def test_nonsense_is_refused() -> None:
    rng = np.random.default_rng(0)
    for bad in ([], [1.0, np.nan], [np.inf, 1.0]):
        with pytest.raises(ShapeError, match="finite"):
            t_interval(bad)
        with pytest.raises(ShapeError, match="finite"):
            bootstrap_t_interval(bad, rng)
    with pytest.raises(ShapeError, match=r"\[0, 1\]"):
        rate_interval([0.5, 1.5])
    with pytest.raises(ShapeError, match="1 dimensions"):
        t_interval([[1.0, 2.0]])
    with pytest.raises(ConfigError, match="confidence"):
        t_interval([1.0, 2.0], 95)
    with pytest.raises(ConfigError, match="resamples"):
        bootstrap_t_interval([1.0, 2.0], rng, resamples=10)
