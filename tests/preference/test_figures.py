"""The figures themselves, against loops and closed forms. No torch."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mirrorenv.preference.recognition import assigned, observer_evidence, pairwise, recognition
from mirrorenv.preference.usefulness import distinct, relevance, repetition

SCORES = st.integers(2, 4).flatmap(
    lambda n: arrays(
        np.float64,
        st.tuples(st.integers(1, 5), st.just(n), st.just(n)),
        elements=st.integers(-9, 0),
    )
)


@given(SCORES)
@settings(deadline=None)
def test_own_against_other_is_what_a_loop_counts(values: np.ndarray) -> None:
    accuracy, margin = pairwise(values)
    for b in range(values.shape[0]):
        for n in range(values.shape[2]):
            gaps = [values[b, n, n] - values[b, k, n] for k in range(values.shape[1]) if k != n]
            wins = [1.0 if gap > 0 else 0.5 if gap == 0 else 0.0 for gap in gaps]
            assert accuracy[b, n] == pytest.approx(np.mean(wins)) and margin[b, n] == pytest.approx(
                np.mean(gaps)
            )


@given(SCORES)
@settings(deadline=None)
def test_players_that_are_one_model_are_at_chance_together_whatever_is_typical(
    values: np.ndarray,
) -> None:
    alike = np.repeat(values[:, :, :1], values.shape[2], axis=2)
    assert pairwise(alike)[0].mean(axis=1) == pytest.approx(0.5)
    assert pairwise(alike)[1].mean(axis=1) == pytest.approx(0.0)


@given(SCORES)
@settings(deadline=None)
def test_two_texts_are_assigned_as_a_loop_over_both_ways_round_does(values: np.ndarray) -> None:
    found = assigned(values)
    for b, under in enumerate(values):
        right = []
        for i, j in itertools.combinations(range(values.shape[2]), 2):
            kept, swapped = under[i, i] + under[j, j], under[j, i] + under[i, j]
            right.append(1.0 if kept > swapped else 0.5 if kept == swapped else 0.0)
        assert found[b] == pytest.approx(np.mean(right))


def test_one_model_in_all_seats_assigns_nothing_whatever_its_rounding() -> None:
    nats = np.random.default_rng(0).normal(-40, 15, (200, 3))
    assert (assigned(np.repeat(nats[..., None], 3, axis=-1)) == 0.5).all()


@given(SCORES, st.integers(-50, 50))
@settings(deadline=None)
def test_what_is_likely_under_everybody_does_not_decide_an_assignment(
    values: np.ndarray, much: int
) -> None:
    typical = np.zeros_like(values)
    typical[:, 0, :] = much  # the first author's texts are short, or plain
    assert (assigned(values) == assigned(values + typical)).all()
    assert (assigned(np.repeat(values[:, :, :1], values.shape[2], axis=2)) == 0.5).all()


def test_untouched_voices_know_nothing_and_distinct_ones_know_themselves() -> None:
    draws = np.random.default_rng(0)
    untouched = draws.normal(-20, 5, (40, 3))
    lengths = np.full((40, 3), 10.0)
    same = recognition(np.repeat(untouched[..., None], 3, axis=-1), untouched, lengths, "same")
    assert same["pmi"]["joint"]["value"] == 0.5 and same["self_advantage"][
        "value"
    ] == pytest.approx(0)
    assert same["lineup"]["top1"]["value"] == pytest.approx(1 / 3)
    known = untouched[..., None] + 8.0 * np.eye(3) - 4.0
    apart = recognition(known, untouched, lengths, "apart")
    assert apart["pmi"]["joint"]["value"] == 1.0 and apart["limit"]["top1"]["value"] == 1.0
    # Who knows itself and nobody else names its own text, and one of the two others by luck: 2 of N
    # rightly.
    assert apart["lineup"]["top1"]["value"] == pytest.approx(2 / 3)
    assert apart["self_advantage"]["value"] == pytest.approx(0.8)


def test_an_observer_knows_its_own_likelihood_only() -> None:
    by_player = np.arange(9.0).reshape(1, 3, 3)
    evidence = observer_evidence(by_player, np.zeros((1, 3)))
    assert evidence.shape == (1, 3, 3, 3)
    for player in range(3):
        assert (evidence[0, player, :, player] == by_player[0, :, player]).all()
        assert (np.delete(evidence[0, player], player, axis=1) == 0).all()


def test_the_limit_knows_at_least_as_much_as_any_observer() -> None:
    """Texts of five letters, drawn from three known distributions: the limit holds all three, an
    observer one."""
    draws = np.random.default_rng(1)
    logs = np.log(draws.dirichlet(np.ones(6), size=3))
    neutral = np.log(np.exp(logs).mean(axis=0))
    texts = np.array(
        [[draws.choice(6, size=5, p=np.exp(logs[n])) for n in range(3)] for _ in range(400)]
    )
    by_player = logs[:, texts].sum(axis=-1).transpose(1, 2, 0)
    found = recognition(by_player, neutral[texts].sum(axis=-1), np.full((400, 3), 5.0), "limit")
    limit, own = found["limit"]["information"], found["lineup"]["information"]
    assert limit["value"] > own["value"] > 0


def test_repetition_counts_pieces_that_came_before() -> None:
    assert repetition([1, 2, 3, 4, 5]) == 0
    assert repetition([7] * 12) == pytest.approx(0.9)
    assert repetition([1, 2]) == repetition([]) == 0
    assert distinct([[1, 2, 3], [1, 2, 4]], 2) == pytest.approx(3 / 4) and distinct([[1]], 2) == 0


@given(arrays(np.float64, (5, 4), elements=st.floats(-50, 0)), st.integers(0, 3))
def test_relevance_compares_the_own_topic_with_the_others_only(
    scores: np.ndarray, own: int
) -> None:
    found = relevance(scores, np.full(5, own))
    for row, value in zip(scores, found, strict=True):
        others = [math.exp(score) for number, score in enumerate(row) if number != own]
        assert value == pytest.approx(row[own] - math.log(sum(others) / 3), abs=1e-9)
    same = np.repeat(scores[:, :1], 4, axis=1)
    assert relevance(same, np.full(5, own)) == pytest.approx(0)


def test_relevance_does_not_level_off_at_the_number_of_topics() -> None:
    """The contrastive bound (van den Oord et al. 2018) does: it keeps the own topic among those it
    compares with."""
    scores = np.array([[gap, 0.0, 0.0, 0.0] for gap in (0.0, 5.0, 10.0, 20.0)])
    found = relevance(scores, np.zeros(4, dtype=int))
    assert found == pytest.approx([0, 5, 10, 20])
    contrastive = math.log(4) - np.log(1 + 3 * np.exp(-found))  # one is a function of the other
    assert (contrastive < math.log(4)).all() and contrastive[-1] - contrastive[-2] < 1e-3
