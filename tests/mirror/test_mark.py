"""The mark test's curve, its area and the best score there is, against brute force, SciPy and
closed forms."""

from __future__ import annotations

import itertools
import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import (
    area_under_roc,
    likelihood_ratio,
    masked_policy,
    noisy_policy,
    roc_curve,
)

FloatArray = npt.NDArray[np.float64]
scores = st.lists(st.sampled_from([-np.inf, -1.0, 0.0, 0.5, 2.0, np.inf]), min_size=1, max_size=12)


def by_pairs(marked: list[float], unmarked: list[float]) -> float:
    """Share of pairs in which the marked one scores higher, ties counting half."""
    return float(
        np.mean([(m > u) + 0.5 * (m == u) for m, u in itertools.product(marked, unmarked)])
    )


@given(marked=scores, unmarked=scores)
def test_the_area_is_the_share_of_pairs_that_are_in_order(
    marked: list[float], unmarked: list[float]
) -> None:
    found = area_under_roc(marked, unmarked)
    assert found.value == pytest.approx(by_pairs(marked, unmarked))
    alarms, hits = roc_curve(marked, unmarked)
    assert found.value == pytest.approx(np.trapezoid(hits, alarms))
    assert (alarms[0], hits[0], alarms[-1], hits[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert (np.diff(alarms) >= 0).all() and (np.diff(hits) >= 0).all()
    assert found.value + area_under_roc(unmarked, marked).value == pytest.approx(1.0)


def test_the_area_is_the_mann_whitney_statistic() -> None:
    rng = np.random.default_rng(0)
    marked, unmarked = rng.integers(0, 9, 70).astype(float), rng.integers(0, 8, 50).astype(float)
    statistic = stats.mannwhitneyu(marked, unmarked).statistic
    assert area_under_roc(marked, unmarked).value == pytest.approx(statistic / (70 * 50))


def test_the_interval_holds_the_true_area_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    truth = stats.norm.cdf(1 / math.sqrt(2))  # of two normals one standard deviation apart
    found = [area_under_roc(rng.normal(1, 1, 80), rng.normal(0, 1, 60)) for _ in range(400)]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.91 < covered < 0.98


def all_episodes(log_law: FloatArray, steps: int) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Every sequence of actions of an agent that sees nothing, (E, T), and the probability of each,
    (E,)."""
    episodes = np.array(list(itertools.product(range(len(log_law)), repeat=steps)))
    return episodes, np.exp(log_law[episodes].sum(1))


def exact_area(score: FloatArray, marked: FloatArray, unmarked: FloatArray) -> float:
    """Area of a score by its law: P(marked above unmarked) + half of P(equal), over all pairs of
    episodes."""
    gap = score[:, None] - score[None]
    above = np.where(np.abs(gap) < 1e-9, 0.5, gap > 0)
    return float(marked @ above @ unmarked)


@pytest.mark.parametrize("steps", [1, 3, 6])
def test_an_action_that_never_comes_is_noticed_as_often_as_it_would_have_come(steps: int) -> None:
    """An agent that sees nothing: the ratio only says whether the masked action occurred: 1 - (1 -
    p)^T / 2."""
    law = np.log([0.2, 0.5, 0.3])
    episodes, unmarked = all_episodes(law, steps)
    changed = masked_policy(law, 1)
    marked = all_episodes(changed, steps)[1]
    ratio = likelihood_ratio(changed[episodes], law[episodes], np.ones(episodes.shape, bool))
    assert exact_area(np.where(np.isneginf(ratio), -1e9, ratio), marked, unmarked) == pytest.approx(
        1 - 0.5**steps / 2
    )


@given(
    weights=st.lists(st.floats(0.05, 1.0), min_size=3, max_size=3),
    epsilon=st.floats(0.05, 1.0),
    other=st.lists(st.floats(-3, 3), min_size=27, max_size=27),
)
def test_no_score_beats_the_likelihood_ratio(
    weights: list[float], epsilon: float, other: list[float]
) -> None:
    """Neyman and Pearson, by enumeration of all 27 episodes of three steps and any other score of
    them."""
    law = np.log(np.array(weights) / sum(weights))
    changed = noisy_policy(law, epsilon)
    (episodes, unmarked), marked = all_episodes(law, 3), all_episodes(changed, 3)[1]
    best = exact_area(
        likelihood_ratio(changed[episodes], law[episodes], np.ones((27, 3), bool)), marked, unmarked
    )
    assert best >= exact_area(np.array(other), marked, unmarked) - 1e-6
    assert best >= exact_area(-law[episodes].sum(1), marked, unmarked) - 1e-6  # plain surprise


@given(weights=st.lists(st.floats(0.01, 1.0), min_size=2, max_size=5), share=st.floats(0.0, 1.0))
def test_marked_laws_are_laws(weights: list[float], share: float) -> None:
    law = np.log(np.array(weights) / sum(weights))
    noisy, masked = np.exp(noisy_policy(law, share)), np.exp(masked_policy(law, 0, share))
    for changed in (noisy, masked):
        assert changed.sum() == pytest.approx(1.0) and (changed >= 0).all()
    np.testing.assert_allclose(noisy, (1 - share) * np.exp(law) + share / len(law))
    rest = np.exp(law)[1:] / np.exp(law)[1:].sum()
    # among themselves the others keep their odds
    np.testing.assert_allclose(masked[1:] / masked[1:].sum(), rest)
    np.testing.assert_allclose(masked_policy(law, 0, 0.0), law)


def test_steps_that_did_not_happen_do_not_count() -> None:
    marked, unmarked = np.log([[0.5, 0.1], [0.5, 0.1]]), np.log([[0.25, 0.4], [0.25, 0.4]])
    found = likelihood_ratio(marked, unmarked, np.array([[True, True], [True, False]]))
    np.testing.assert_allclose(found, [math.log(0.5), math.log(2.0)])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: noisy_policy([0.0], 1.5), ConfigError, "epsilon"),
        (lambda: masked_policy(np.log([0.5, 0.5]), 2), ConfigError, "action in"),
        (lambda: masked_policy([0.0, -np.inf], 0), ConfigError, "nothing is left"),
        (lambda: area_under_roc([], [1.0]), ShapeError, "marked"),
        (lambda: area_under_roc([1.0], [np.nan]), ShapeError, "unmarked"),
        (lambda: area_under_roc([1.0], [2.0], confidence=1.0), ConfigError, "confidence"),
        (lambda: likelihood_ratio([[-np.inf]], [[-np.inf]], [[True]]), ShapeError, "impossible"),
        (lambda: likelihood_ratio([[0.0]], [[0.0, 0.0]], [[True]]), ShapeError, "one shape"),
    ],
)
def test_nonsense_is_refused_by_name(call, error, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=words):
        call()
