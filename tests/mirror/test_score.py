"""The score: every figure against loops written from its definition, at its anchors, and blind to
the slots' order."""

from __future__ import annotations

import json
import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import (
    Belief,
    Score,
    confusion_matrix,
    episode_information,
    recognition_matrix,
    score_belief,
    t_interval,
)
from tests.mirror import brute_force
from tests.mirror.evidence import B, J, N, in_time, noisy, shuffles


def test_top_one_exact_and_number_right_are_counted() -> None:
    evidence, truth = noisy()
    right = evidence.argmax(axis=-1) == truth
    score = score_belief(Belief(evidence), truth)
    assert score.top1.value == pytest.approx(right.mean())
    assert score.exact is not None and score.exact.value == pytest.approx(right.all(axis=-1).mean())
    assert score.expected_right.value == pytest.approx(right.sum(axis=-1).mean())
    assert 0.3 < score.top1.value < 0.9


def test_joint_verdicts_come_from_the_posterior_over_permutations() -> None:
    evidence, truth = noisy()
    orders = brute_force.all_orders(N)
    whole, number = [], []
    for logs, authors in zip(evidence.reshape(-1, N, N), truth.reshape(-1, N), strict=True):
        whole.append((orders[brute_force.log_weights(logs).argmax()] == authors).all())
        marginals = np.exp(brute_force.log_marginals(logs))
        best = orders[marginals[np.arange(N), orders].sum(axis=1).argmax()]
        number.append((best == authors).sum())
    score = score_belief(Belief(evidence), truth, decode="marginals")
    assert score.exact is not None and score.exact.value == pytest.approx(np.mean(whole))
    assert score.expected_right.value == pytest.approx(np.mean(number))
    alone = score_belief(Belief(evidence), truth)
    # knowing that each made one helps
    assert alone.exact is not None and score.exact.value > alone.exact.value


@pytest.mark.parametrize("decode", ["independent", "marginals"])
def test_information_is_log_n_plus_the_mean_log_belief_in_the_author(decode: Any) -> None:
    evidence, truth = noisy()
    logs = Belief(evidence).log_belief(decode)
    per_episode = [
        math.log(N) + np.mean([logs[b, j, k, truth[b, j, k]] for j in range(J) for k in range(N)])
        for b in range(B)
    ]
    score = score_belief(Belief(evidence), truth, decode=decode)
    assert score.information.value == pytest.approx(np.mean(per_episode))
    expected = t_interval(per_episode)
    assert (score.information.low, score.information.high) == pytest.approx(
        (expected.low, expected.high)
    )
    assert score.effective_agents.value == pytest.approx(math.exp(np.mean(per_episode)))
    np.testing.assert_allclose(episode_information(logs, truth), per_episode)


def test_joint_information_is_of_whole_permutations() -> None:
    evidence, truth = noisy()
    logs = []
    for matrix, authors in zip(evidence.reshape(-1, N, N), truth.reshape(-1, N), strict=True):
        logs.append(matrix[np.arange(N), authors].sum() - brute_force.log_sum(matrix))
    for decode in ("independent", "marginals"):
        score = score_belief(Belief(evidence), truth, decode=decode)  # type: ignore[arg-type]
        assert score.joint_information is not None
        assert score.joint_information.value == pytest.approx(
            math.log(math.factorial(N)) + np.mean(logs)
        )


def test_brier_and_calibration_follow_their_definitions() -> None:
    evidence, truth = noisy(strength=0.7)
    belief = Belief(2.5 * evidence).independent()  # overconfident
    squared, stated, right = [], [], []
    for place in np.ndindex(B, J, N):
        squared.append(sum((belief[place][n] - (truth[place] == n)) ** 2 for n in range(N)))
        stated.append(belief[place].max())
        right.append(belief[place].argmax() == truth[place])
    order = np.argsort(stated)
    bins = np.array_split(order, 15)
    error = sum(
        abs(np.array(stated)[bin].sum() - np.array(right)[bin].sum()) for bin in bins
    ) / len(stated)
    score = score_belief(Belief(2.5 * evidence), truth)
    assert score.brier.value == pytest.approx(np.mean(squared))
    assert score.calibration_error.value == pytest.approx(error, abs=1e-9)
    assert error > 0.1


def test_a_calibrated_belief_has_a_small_calibration_error() -> None:
    rng = np.random.default_rng(8)
    evidence = rng.normal(scale=1.5, size=(4000, 1, 3, 3))
    orders = brute_force.all_orders(3)
    weights = np.exp(evidence[:, 0][:, np.arange(3), orders].sum(axis=2))
    weights /= weights.sum(axis=1, keepdims=True)
    picked = (weights.cumsum(axis=1) < rng.random((4000, 1))).sum(axis=1)
    truth = orders[picked][:, None]
    calibrated = score_belief(Belief(evidence), truth, decode="marginals").calibration_error.value
    sharpened = score_belief(
        Belief(2 * evidence), truth, decode="marginals"
    ).calibration_error.value
    assert calibrated < 0.03 < 0.05 < sharpened


def test_self_figures_follow_signal_detection() -> None:
    evidence, truth = noisy(strength=1.0)
    z = NormalDist().inv_cdf
    verdict = evidence.argmax(axis=-1)
    dprimes, criteria, advantages = [], [], []
    for j in range(J):
        mine = truth[:, j] == j
        hits, alarms = (verdict[:, j] == j)[mine].sum(), (verdict[:, j] == j)[~mine].sum()
        h, f = (hits + 0.5) / (B + 1), (alarms + 0.5) / (B * (N - 1) + 1)
        dprimes.append(z(h) - z(f))
        criteria.append(-(z(h) + z(f)) / 2)
        known_by = [np.mean((verdict[:, i] == j)[truth[:, i] == j]) for i in range(J)]
        advantages.append(known_by[j] - np.mean([known_by[i] for i in range(J) if i != j]))
    score = score_belief(Belief(evidence), truth)
    assert (
        score.self_dprime is not None
        and score.self_criterion is not None
        and score.self_advantage is not None
    )
    assert score.self_dprime.value == pytest.approx(np.mean(dprimes))
    assert score.self_criterion.value == pytest.approx(np.mean(criteria))
    assert score.self_advantage.value == pytest.approx(np.mean(advantages), abs=1e-12)
    assert score.self_dprime.low < score.self_dprime.value < score.self_dprime.high


def test_intervals_are_as_wide_as_figures_vary_from_run_to_run() -> None:
    names = (
        "top1",
        "information",
        "self_dprime",
        "self_criterion",
        "calibration_error",
        "brier",
        "efficiency",
    )
    values: dict[str, list[float]] = {name: [] for name in names}
    widths: dict[str, list[float]] = {name: [] for name in names}
    for seed in range(60):
        evidence, truth = noisy(seed, strength=1.0)
        limit = episode_information(Belief(evidence).log_belief("marginals"), truth)
        score = score_belief(Belief(2.0 * evidence), truth, limit_information=limit + 0.5)
        for name in names:
            figure = getattr(score, name)
            values[name].append(figure.value)
            # t quantile at 29 degrees of freedom
            widths[name].append((figure.high - figure.low) / (2 * 2.045))
    for name in names:
        assert np.mean(widths[name]) == pytest.approx(np.std(values[name], ddof=1), rel=0.35), name


def test_an_agent_that_knows_itself_better_shows_a_self_advantage() -> None:
    evidence, truth = noisy(strength=0.5)
    own = truth == np.arange(J)[:, None]
    evidence += 2.0 * own[..., None] * (truth[..., None] == np.arange(N))
    score = score_belief(Belief(evidence), truth)
    assert score.self_advantage is not None and score.self_advantage.low > 0.1
    plain = score_belief(Belief(noisy(strength=0.5)[0]), truth).self_advantage
    assert plain is not None and plain.low < 0 < plain.high


@pytest.mark.parametrize("decode", ["independent", "marginals"])
@pytest.mark.parametrize("ordered", [False, True])
def test_chance_scores_chance_even_in_author_order(decode: Any, ordered: bool) -> None:
    batch = 400
    truth = np.broadcast_to(np.arange(N), (batch, J, N)) if ordered else shuffles(batch)
    score = score_belief(
        Belief(np.zeros((batch, J, N, N))), truth, decode=decode, limit_information=np.zeros(batch)
    )
    assert score.top1.value == pytest.approx(1 / N)
    assert score.information.value == pytest.approx(0.0, abs=1e-12)
    assert score.joint_information is not None and score.joint_information.value == pytest.approx(
        0.0, abs=1e-12
    )
    assert score.effective_agents.value == pytest.approx(1.0)
    assert score.brier.value == pytest.approx(1 - 1 / N)
    assert score.calibration_error.value == pytest.approx(0.0, abs=1e-9)
    assert score.self_dprime is not None and score.self_dprime.value == pytest.approx(0.0, abs=0.01)
    assert score.self_advantage is not None and score.self_advantage.value == pytest.approx(
        0.0, abs=1e-12
    )
    assert score.expected_right.value == pytest.approx(1.0, abs=0.12)
    chance = 1 / math.factorial(N) if decode == "marginals" else N**-N
    assert score.exact is not None and score.exact.value == pytest.approx(chance, abs=0.02)
    assert score.efficiency is None and "zero" in score.undefined["efficiency"]


def test_certainty_scores_the_ceilings() -> None:
    truth = shuffles()
    evidence = 50.0 * (truth[..., None] == np.arange(N))
    score = score_belief(Belief(evidence), truth, limit_information=np.full(B, math.log(N)))
    assert score.top1.value == 1.0 and 0.8 < score.top1.low < 1.0
    assert score.information.value == pytest.approx(math.log(N))
    assert score.joint_information is not None
    assert score.joint_information.value == pytest.approx(math.log(math.factorial(N)))
    assert score.efficiency is not None and score.efficiency.value == pytest.approx(1.0)
    assert score.expected_right.value == N


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), decode=st.sampled_from(["independent", "marginals"]))
def test_the_order_of_the_slots_does_not_matter(seed: int, decode: Any) -> None:
    evidence, truth = noisy(seed)
    shuffle = np.random.default_rng(seed).permuted(np.tile(np.arange(N), (B, J, 1)), axis=2)
    moved = np.take_along_axis(evidence, shuffle[..., None], axis=2)
    limit = np.full(B, 1.0) + 0.1 * np.arange(B)
    first = score_belief(Belief(evidence), truth, decode=decode, limit_information=limit).to_dict()
    second = score_belief(
        Belief(moved),
        np.take_along_axis(truth, shuffle, axis=2),
        decode=decode,
        limit_information=limit,
    ).to_dict()
    for name, found in first.items():
        assert (found is None) == (second[name] is None)
        if found is not None:
            assert found == pytest.approx(second[name], abs=1e-9), name


def test_efficiency_is_the_ratio_of_information_on_the_same_episodes() -> None:
    shown, truth, _ = in_time(steps=6)
    limit = episode_information(Belief(shown[:, -1]).log_belief("marginals"), truth)
    score = score_belief(Belief(shown[:, -1]), truth, limit_information=limit)
    assert score.efficiency is not None
    assert score.efficiency.value == pytest.approx(score.information.value / limit.mean())
    assert (
        score.efficiency.value < 1.0
        and score.efficiency.low < score.efficiency.value < score.efficiency.high
    )
    full = score_belief(Belief(shown[:, -1]), truth, decode="marginals", limit_information=limit)
    assert full.efficiency is not None and full.efficiency.value == pytest.approx(1.0)


def test_efficiency_against_almost_no_information_is_undefined() -> None:
    evidence, truth = noisy()
    # tiny; large but not clear of zero
    for limit in (np.full(B, 0.005), np.where(np.arange(B) % 2, 3.0, -2.5)):
        score = score_belief(Belief(evidence), truth, limit_information=limit)
        assert score.efficiency is None and score.to_dict()["efficiency"] is None


def test_matrices_average_beliefs_by_true_author() -> None:
    evidence, truth = noisy()
    logs = Belief(evidence).log_belief()
    confusion, recognition = np.zeros((N, N)), np.zeros((J, N))
    for b, j, k in np.ndindex(B, J, N):
        author = truth[b, j, k]
        confusion[author] += np.exp(logs[b, j, k]) / (B * J)
        recognition[j, author] += np.exp(logs[b, j, k, author]) / B
    np.testing.assert_allclose(confusion_matrix(logs, truth), confusion)
    np.testing.assert_allclose(recognition_matrix(logs, truth), recognition)


def test_a_judge_from_outside_has_no_self() -> None:
    evidence, truth = noisy()
    score = score_belief(Belief(evidence[:, :1]), truth[:, :1])
    assert (
        score.self_dprime is None and score.self_criterion is None and score.self_advantage is None
    )
    assert "observer j to be agent j" in score.undefined["self_dprime"]


def test_belief_zero_in_the_truth_is_minus_infinity_and_said_so() -> None:
    evidence, truth = noisy()
    evidence[3, 1, 2, truth[3, 1, 2]] = -np.inf
    score = score_belief(Belief(evidence), truth, limit_information=np.ones(B))
    assert score.information.value == -math.inf and "1 of 30 episodes" in score.information.method
    assert score.effective_agents.value == 0.0 and score.efficiency is None
    assert score.joint_information is not None and score.joint_information.value == -math.inf
    json.dumps(score.to_dict(), allow_nan=False)


def test_a_decoded_belief_scores_like_its_marginals() -> None:
    evidence, truth = noisy()
    full = score_belief(Belief(evidence), truth, decode="marginals")
    for decode in ("independent", "marginals"):
        decoded = score_belief(Belief(evidence).decode(), truth, decode=decode)  # type: ignore[arg-type]
        assert decoded.information.value == pytest.approx(full.information.value)
        assert decoded.expected_right.value == pytest.approx(full.expected_right.value)
        assert decoded.exact is None and decoded.joint_information is None
        assert {"exact", "joint_information"} <= set(decoded.undefined)


def test_a_score_goes_to_json_whole() -> None:
    shown, truth, alive = in_time()
    score = score_belief(
        Belief(shown[:, -1]),
        truth,
        limit_information=np.ones(B),
        evidence_over_time=shown,
        mask=alive,
    )
    found = json.loads(json.dumps(score.to_dict(), allow_nan=False))
    assert list(found) == [name for name in Score.__dataclass_fields__ if name != "undefined"]
    assert all(set(figure) == {"value", "low", "high"} for figure in found.values())
    assert not score.undefined


def test_one_episode_scores_without_intervals() -> None:
    shown, truth, alive = in_time()
    score = score_belief(
        Belief(shown[:1, -1]),
        truth[:1],
        limit_information=[1.0],
        evidence_over_time=shown[:1],
        mask=alive[:1],
    )
    assert math.isfinite(score.information.value) and score.information.low == -math.inf
    json.dumps(score.to_dict(), allow_nan=False)


def test_nonsense_is_refused() -> None:
    evidence, truth = noisy()
    belief = Belief(evidence)
    with pytest.raises(ShapeError, match=r"\(B, J, N, N\)"):
        score_belief(Belief(evidence[0]), truth)
    with pytest.raises(ShapeError, match="not empty"):
        score_belief(Belief(evidence[:0]), truth[:0])
    with pytest.raises(ShapeError, match="exactly once"):
        score_belief(belief, np.zeros_like(truth))
    with pytest.raises(ShapeError, match="permutations must be integers"):
        score_belief(belief, truth[:, 0])
    with pytest.raises(ConfigError, match="decode"):
        score_belief(belief, truth, decode="sinkhorn")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="one number for each of 30"):
        score_belief(belief, truth, limit_information=np.ones(3))
    with pytest.raises(ShapeError, match="NaN"):
        score_belief(belief, truth, limit_information=np.full(B, np.nan))
    shown, truth, alive = in_time()
    with pytest.raises(ShapeError, match="needs the mask"):
        score_belief(belief, truth, evidence_over_time=shown)
    with pytest.raises(ShapeError, match="no live step"):
        score_belief(belief, truth, evidence_over_time=shown, mask=np.zeros_like(alive))
    with pytest.raises(ShapeError, match="mask must be bool"):
        score_belief(belief, truth, evidence_over_time=shown, mask=alive[:, :3])
    with pytest.raises(ShapeError, match="evidence_over_time must be"):
        score_belief(belief, truth, evidence_over_time=shown[:, :, :2], mask=alive)
