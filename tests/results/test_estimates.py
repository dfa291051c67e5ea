"""Intervals over seeds and within a run are never taken for one another; statistics agree with
other implementations.

`rliable` 1.2 asks for `arch` below 8, which the pins do not hold, so its formulas are derived again
here, from the paper (Agarwal et al., NeurIPS 2021) and in another way than the package computes
them.
"""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import Estimate, bootstrap_t_interval, t_interval
from mirrorenv.results.stats.estimates import (
    OverSeeds,
    WithinRun,
    compare_with,
    over_seeds,
    tied_groups,
)
from mirrorenv.results.stats.statistics import (
    interquartile_mean,
    median,
    performance_profile,
    probability_of_improvement,
    tied_ranks,
)

values = st.lists(st.floats(-100, 100), min_size=1, max_size=12)


def bootstrap(sample, statistic, **options):
    """SciPy's percentile bootstrap."""
    found = stats.bootstrap(
        (np.asarray(sample),),
        statistic,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(0),
        **options,
    )
    return found.confidence_interval


@pytest.mark.parametrize("count", [12, 40, 200])
def test_the_interquartile_interval_agrees_with_scipys_bootstrap(count):
    sample = np.random.default_rng(count).gamma(3.0, size=count)
    ours = interquartile_mean(sample)
    theirs = bootstrap(sample, lambda x, axis: stats.trim_mean(x, 0.25, axis=axis))
    assert theirs.low < ours.value < theirs.high
    width = theirs.high - theirs.low
    # a percentile bootstrap of few runs is too narrow, which is why ours is another
    wide = 1.6 if count < 20 else 1.2
    assert 0.8 * width < ours.high - ours.low < wide * width


@pytest.mark.parametrize("count", [20, 100])
def test_mean_intervals_agree_with_scipys_bootstrap(count):
    sample = np.random.default_rng(count).exponential(size=count)
    theirs = bootstrap(sample, np.mean)
    for ours in (t_interval(sample), bootstrap_t_interval(sample, np.random.default_rng(1))):
        assert ours.low == pytest.approx(theirs.low, abs=0.12) and ours.high == pytest.approx(
            theirs.high, abs=0.2
        )
    studentised = bootstrap_t_interval(sample, np.random.default_rng(1))
    skew = (studentised.high - studentised.value) / (studentised.value - studentised.low)
    assert skew > 1.1, "a skewed sample has a longer upper arm"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-100, 100), min_size=4, max_size=12).filter(lambda x: len(x) % 4 == 0))
def test_rliables_interquartile_mean_again(sample):
    # rliable: scipy.stats.trim_mean(scores, 0.25); for a multiple of four that is the mean of what
    # lies between the quartiles, found here by leaving out each end's quarter through ranks.
    rank = stats.rankdata(sample, method="ordinal")
    quarter = len(sample) // 4
    inner = [x for x, r in zip(sample, rank, strict=True) if quarter < r <= len(sample) - quarter]
    assert interquartile_mean(sample).value == pytest.approx(float(np.mean(inner)), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(values, values)
def test_rliables_probability_of_improvement_again(ours, theirs):
    # rliable: the Mann-Whitney U statistic over the number of pairs.
    u, _ = stats.mannwhitneyu(ours, theirs, alternative="greater", method="asymptotic")
    assert probability_of_improvement(ours, theirs).value == pytest.approx(
        u / (len(ours) * len(theirs))
    )


@settings(max_examples=60, deadline=None)
@given(values, values)
def test_rliables_performance_profile_again(sample, thresholds):
    # rliable: the mean over runs of [score > tau], which is one minus the empirical distribution
    # function.
    share, low, high = performance_profile(sample, thresholds)
    ecdf = stats.ecdf(sample).cdf.evaluate(thresholds)
    np.testing.assert_allclose(share, 1.0 - ecdf, atol=1e-12)
    assert (low <= share + 1e-12).all() and (share <= high + 1e-12).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-100, 100) | st.just(math.inf), min_size=1, max_size=30))
def test_the_median_is_the_median_and_its_ends_are_runs(sample):
    found = median(sample)
    assert found.value == pytest.approx(float(np.median(sample))) or math.isinf(found.value)
    if len(sample) < 6:
        assert math.isinf(found.low) and math.isinf(found.high)
    else:
        assert (
            found.low in sample and found.high in sample and found.low <= found.value <= found.high
        )


def test_the_interval_of_the_median_is_that_of_the_sign_test():
    sample = np.random.default_rng(0).normal(size=24)
    found = median(sample)
    for end, side in ((found.low, "less"), (found.high, "greater")):
        inside = int((sample > end).sum()) if side == "less" else int((sample < end).sum())
        # moved past the end by one run, the sign test rejects; at the end it does not
        assert stats.binomtest(24 - inside - 1, 24, 0.5, alternative="less").pvalue <= 0.025
        assert stats.binomtest(24 - inside, 24, 0.5, alternative="less").pvalue > 0.025
    held = [
        one.low <= 0 <= one.high
        for one in map(median, np.random.default_rng(1).normal(size=(2000, 10)))
    ]
    assert np.mean(held) > 0.95  # exact: 0.979


def test_an_interval_within_one_run_ranks_nobody():
    run = WithinRun(Estimate(0.9, 0.89, 0.91, 256, "t"), seed=0)
    group = over_seeds({0: 0.5, 1: 0.6, 2: 0.55})
    with pytest.raises(ConfigError, match="'lucky' has no interval over seeds"):
        tied_groups({"honest": group, "lucky": run})
    with pytest.raises(ConfigError, match="'one'"):
        tied_groups({"one": over_seeds({0: 0.5})})
    assert not isinstance(run, OverSeeds) and not isinstance(group, WithinRun)


def test_low_is_better_where_it_is():
    cells = {
        "far": over_seeds({0: 5.0, 1: 5.1, 2: 4.9}),
        "near": over_seeds({0: 1.0, 1: 1.1, 2: 0.9}),
    }
    assert tied_groups(cells) == [["far"], ["near"]]
    assert tied_groups(cells, better="low") == [["near"], ["far"]]


def test_seeds_are_put_together_as_asked():
    sample = {0: 1.0, 1: 2.0, 2: 10.0, 3: 3.0, 4: 2.5, 5: 2.2}
    assert over_seeds(sample).estimate == t_interval(list(sample.values()))
    assert over_seeds(sample, how="median").estimate.value == pytest.approx(2.35)
    assert over_seeds(sample, how="interquartile mean").estimate == interquartile_mean(
        list(sample.values())
    )
    assert over_seeds({0: 1.0, 1: 1.0}, share=True).estimate.low == pytest.approx(0.025**0.5)
    with pytest.raises(ConfigError):
        over_seeds(sample, how="best")
    with pytest.raises(ShapeError):
        over_seeds({})


def test_conditions_are_compared_seed_by_seed_with_holms_correction():
    rng = np.random.default_rng(0)
    luck = rng.normal(size=10)
    control = dict(enumerate(luck))
    better = dict(enumerate(luck + 0.5 + 0.05 * rng.normal(size=10)))
    other = dict(enumerate(rng.normal(size=10)))
    first, second = compare_with("control", {"control": control, "better": better, "other": other})
    assert first.difference.estimate.low > 0.4, "the luck of a seed is in both and cancels"
    assert 0.3 < first.improvement.value < 0.9, "unpaired, the same luck hides much of it"
    raw = [stats.ttest_rel(list(one.values()), list(luck)).pvalue for one in (better, other)]
    assert [first.p_value, second.p_value] == pytest.approx(raw)
    assert [first.corrected, second.corrected] == pytest.approx(
        [2 * raw[0], max(raw[1], 2 * raw[0])]
    )


def test_seeds_without_a_partner_are_said_and_left_out():
    (found,) = compare_with("a", {"a": {0: 1.0, 1: 2.0, 2: 3.0}, "b": {1: 2.5, 2: 3.5, 7: 9.0}})
    assert found.difference.values == {1: 0.5, 2: 0.5} and found.unmatched == (0, 7)
    assert found.p_value == 0.5  # two differences of one sign: the sign test's
    with pytest.raises(ShapeError, match="share no seed"):
        compare_with("a", {"a": {0: 1.0}, "b": {1: 1.0}})
    with pytest.raises(ConfigError, match="no condition 'c'"):
        compare_with("c", {"a": {0: 1.0}})


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 3)), min_size=1, max_size=9))
def test_tied_groups_are_the_connected_overlaps(drawn):
    made = {
        str(i): Estimate(value, value - half, value + half, 5, "test")
        for i, (value, half) in enumerate(drawn)
    }
    groups = {frozenset(group) for group in tied_ranks(made)}
    apart = {name: {name} for name in made}
    for one, other in itertools.combinations(made, 2):
        if made[one].low <= made[other].high and made[other].low <= made[one].high:
            whole = apart[one] | apart[other]
            apart |= dict.fromkeys(whole, whole)
    assert groups == {frozenset(group) for group in apart.values()}


@pytest.mark.parametrize("count", [2, 3, 5, 10, 30])
def test_the_p_value_is_students_closed_form(count):
    rng = np.random.default_rng(count)
    ours, theirs = rng.normal(0.4, 1.0, count), rng.normal(0.0, 1.0, count)
    differences = ours - theirs
    error = differences.std(ddof=1) / np.sqrt(count)
    by_hand = 2 * stats.t.sf(abs(differences.mean()) / error, count - 1)
    (found,) = compare_with(
        "theirs", {"theirs": dict(enumerate(theirs)), "ours": dict(enumerate(ours))}
    )
    assert found.p_value == pytest.approx(by_hand, rel=1e-12)


@pytest.mark.parametrize(("shift", "p_value"), [(0.0, 1.0), (1.0, 2.0**-3)])
def test_differences_without_spread_have_the_sign_tests_p_value(shift, p_value):
    luck = {seed: float(seed) for seed in range(4)}
    shifted = {seed: value + shift for seed, value in luck.items()}
    (found,) = compare_with("luck", {"luck": luck, "shifted": shifted})
    assert found.p_value == p_value


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("count", [1, 2, 5, 6, 7, 10, 24, 59])
def test_the_ends_of_a_median_are_the_order_statistics_of_the_binomial(count, confidence):
    sample = np.random.default_rng(count).normal(size=count)
    sample[: count // 4] = np.inf  # it never happened
    rank = int(stats.binom.ppf((1 - confidence) / 2, count, 0.5))
    runs = np.sort(sample)
    ends = (runs[rank - 1], runs[count - rank]) if rank else (-np.inf, np.inf)
    found = median(sample, confidence)
    assert (found.low, found.high) == ends
