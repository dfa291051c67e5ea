"""Lineups over a neighbourhood: who is shown to whom, what that gives away, and the exact limit
that includes it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import (
    Belief,
    exact_limit,
    log_selection,
    mean_distance,
    mirror_reward,
    nearest_agents,
    neighbourhood_evidence,
    neighbourhood_limit,
    neighbourhood_permutations,
    score_belief,
    seen_by,
)


@st.composite
def neighbourhoods(draw: Any) -> tuple[Any, int, Any]:
    """Distances with many ties, k, and the generator that made them."""
    agents = draw(st.integers(2, 7))
    k = draw(st.integers(1, agents - 1))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    gaps = rng.integers(0, draw(st.integers(1, 6)), size=(5, agents, agents)).astype(float)
    gaps[rng.random(gaps.shape) < 0.1] = np.inf
    return gaps, k, rng


@settings(max_examples=60, deadline=None)
@given(neighbourhoods())
def test_everybody_is_shown_itself_and_its_nearest(case: Any) -> None:
    gaps, k, _ = case
    whom = nearest_agents(gaps, k, run=1, episodes=np.arange(5))
    assert whom.shape == (*gaps.shape[:2], k + 1) and (np.diff(whom, axis=2) > 0).all()
    for b, j in itertools.product(range(5), range(gaps.shape[1])):
        chosen = set(whom[b, j].tolist())
        assert j in chosen
        others = [n for n in range(gaps.shape[1]) if n not in chosen]
        farthest = max(gaps[b, j, n] for n in chosen if n != j)
        assert all(gaps[b, j, n] >= farthest for n in others)
    np.testing.assert_array_equal(whom, nearest_agents(gaps, k, run=1, episodes=np.arange(5)))
    assert seen_by(whom).sum() == whom.size and seen_by(whom).any(axis=1).all()


def test_equally_near_agents_are_drawn_by_lot() -> None:
    whom = nearest_agents(np.ones((4000, 4, 4)), 1, run="lots", episodes=np.arange(4000))
    for j in range(4):
        shares = np.bincount(whom[:, j].ravel(), minlength=4) / 4000
        assert shares[j] == 1.0
        np.testing.assert_allclose(np.delete(shares, j), 1 / 3, atol=0.04)


@settings(max_examples=40, deadline=None)
@given(neighbourhoods())
def test_the_chance_of_being_chosen_is_what_the_lots_say(case: Any) -> None:
    """By enumeration of all sets that a centre could have been shown."""
    gaps, k, _ = case
    whom = nearest_agents(gaps, k, run=2, episodes=np.arange(5))
    found = np.exp(log_selection(gaps, whom))
    agents = gaps.shape[1]
    for b, j, slot in itertools.product(range(5), range(agents), range(k + 1)):
        centre = whom[b, j, slot]
        others = [n for n in range(agents) if n != centre]
        best = sorted(gaps[b, centre, n] for n in others)[:k]
        sets = [
            s for s in itertools.combinations(others, k) if sorted(gaps[b, centre, list(s)]) == best
        ]
        shown = tuple(n for n in whom[b, j].tolist() if n != centre)
        assert found[b, j, slot] == pytest.approx((shown in sets) / len(sets))
    own = (whom == np.arange(agents)[None, :, None]).argmax(axis=2)
    # it was shown, so it was possible
    assert (np.take_along_axis(found, own[..., None], axis=2) > 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 6), st.integers(0, 10**6))
def test_the_neighbourhood_of_all_is_the_ordinary_lineup(agents: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gaps, logs = (
        rng.random((3, agents, agents)),
        np.log(rng.dirichlet(np.ones(agents), size=(3, 4, agents))),
    )
    mask = np.ones((3, 4, agents), bool)
    whom = nearest_agents(gaps, agents - 1, run=0, episodes=np.arange(3))
    near = neighbourhood_limit(logs, mask, gaps, whom, slot_exchangeable=True)
    every = exact_limit(logs, mask, slot_exchangeable=True)
    for j in range(agents):
        np.testing.assert_allclose(
            near.belief.marginals()[:, j], every.belief.marginals(), atol=1e-12
        )
    evidence = rng.normal(size=(3, agents, agents, agents))
    np.testing.assert_array_equal(neighbourhood_evidence(evidence, whom), evidence)
    truth = np.broadcast_to(np.arange(agents), whom.shape)
    # observer j is candidate j
    assert score_belief(Belief(evidence), truth).self_dprime is not None


def walkers(episodes: int, agents: int, steps: int, seed: int) -> tuple[Any, Any, Any]:
    """Agents on a line, each with a habit: (B, T, N, N) log probabilities, distances with ties,
    mask."""
    rng = np.random.default_rng(seed)
    habits = rng.dirichlet(np.ones(3), size=agents)  # (N, A)
    # (B, T, N)
    moves = (rng.random((episodes, steps, agents))[..., None] > habits.cumsum(1)[:, :2]).sum(-1)
    logs = np.log(habits)[:, moves].transpose(1, 2, 3, 0)  # (B, T, K, N)
    mask = np.ones(moves.shape, bool)
    places = (moves - 1).cumsum(axis=1)[..., None]
    return logs, mean_distance(places, mask), mask


@pytest.mark.parametrize(("agents", "k"), [(4, 1), (4, 2), (5, 3)])
def test_the_limit_is_calibrated_and_knows_who_stands_in_the_middle(agents: int, k: int) -> None:
    """An exact posterior q of the truth n satisfies E[q(n)] = E[sum of q^2], here for the slot that
    is one's own."""
    logs, gaps, mask = walkers(8_000, agents, 3, seed=1)
    whom = nearest_agents(gaps, k, run=3, episodes=np.arange(len(gaps)))
    limit = neighbourhood_limit(logs, mask, gaps, whom, slot_exchangeable=True)
    assert limit.valid
    # (B, J, 1) which candidate is oneself
    own = (whom == np.arange(agents)[None, :, None]).argmax(axis=2)[..., None]

    def of_oneself(belief: Belief) -> tuple[Any, Any]:
        """(B, J) belief in one's own slot, and (B, J, K) in every slot, that it is one's own."""
        at = np.broadcast_to(own[..., None], (*own.shape[:2], k + 1, 1))
        column = np.take_along_axis(belief.marginals(), at, axis=3)[..., 0]
        return np.take_along_axis(column, own, axis=2)[..., 0], column

    right, column = of_oneself(limit.belief)
    excess = (right - (column**2).sum(-1)).mean(axis=1)
    assert abs(excess.mean()) < 4 * excess.std() / np.sqrt(len(excess))
    blind, _ = of_oneself(Belief(neighbourhood_evidence(logs.sum(1)[:, None], whom)))
    gain = np.log(right / blind).mean(axis=1)  # what the policies alone do not tell
    assert gain.mean() > 8 * gain.std() / np.sqrt(len(gain))


def test_beliefs_scores_and_rewards_are_those_of_a_lineup_of_k() -> None:
    logs, gaps, mask = walkers(300, 6, 8, seed=2)
    whom = nearest_agents(gaps, 2, run=0, episodes=np.arange(300))
    evidence = neighbourhood_evidence(logs.sum(1)[:, None], whom)  # (B, J, K, K)
    order = neighbourhood_permutations(whom, run=0, episodes=np.arange(300))
    shuffled = np.take_along_axis(evidence, order[..., None], axis=2)
    score, plain = (
        score_belief(Belief(shuffled), order),
        score_belief(Belief(evidence), np.broadcast_to(np.arange(3), whom.shape)),
    )
    assert score.information.value == pytest.approx(plain.information.value)
    assert score.top1.value > 1 / 3 and "6 observers, 3 agents" in score.undefined["self_dprime"]
    coin = score_belief(Belief(np.zeros_like(evidence)), order)
    assert coin.information.value == pytest.approx(0.0) and coin.top1.value == pytest.approx(1 / 3)

    # (B, J, K) belief in each candidate's own slot
    own = np.einsum("bjkk->bjk", Belief(evidence).log_belief())
    author = np.full((300, 1, 6, 6), np.nan)
    np.put_along_axis(author[:, 0], whom, own, axis=2)  # what nobody was shown stays NaN
    paid = mirror_reward(author, mask[:, :1], seen=seen_by(whom))[:, 0]  # (B, N)
    for b, n in ((0, 0), (7, 3), (299, 5)):
        witnesses = [j for j in range(6) if n in whom[b, j]]
        worth = [np.log(3) + max(author[b, 0, j, n], np.log(1e-4)) for j in witnesses]
        assert paid[b, n] == pytest.approx(np.mean(worth), abs=1e-6)
    team = mirror_reward(author, mask[:, :1], seen=seen_by(whom), credit="team")[:, 0]
    np.testing.assert_allclose(
        team, np.broadcast_to(paid.mean(1, keepdims=True), paid.shape), atol=1e-6
    )


def test_seen_by_all_is_the_reward_as_it_was() -> None:
    rng = np.random.default_rng(0)
    logs = np.log(rng.random((4, 5, 3, 3)))
    mask = np.arange(5)[None, :, None] < rng.integers(0, 6, size=(4, 1, 3))
    everybody = np.ones((4, 3, 3), bool)
    for credit in ("author", "team", "observer", "self"):
        np.testing.assert_array_equal(
            mirror_reward(logs, mask, credit=credit, seen=everybody),
            mirror_reward(logs, mask, credit=credit),
        )
    others_only = everybody.copy()
    others_only[0, 0, 1] = False
    with pytest.raises(ConfigError, match="shown some agents only"):
        mirror_reward(logs, mask, credit="self", seen=others_only)
    with pytest.raises(ShapeError, match="seen by no observer"):
        mirror_reward(logs, mask, seen=everybody & (np.arange(3) < 2))


def test_distances_count_the_steps_lived_together() -> None:
    # (1, T, N, 1)
    places = np.array([[[0.0], [1.0], [5.0]], [[0.0], [3.0], [9.0]], [[0.0], [9.0], [9.0]]])[None]
    mask = np.array([[True, True, True], [True, True, False], [True, False, False]])[None]
    gaps = mean_distance(places, mask)
    np.testing.assert_allclose(gaps[0], [[0, 2, 5], [2, 0, 4], [5, 4, 0]])
    apart = mean_distance(places, mask & (np.arange(3)[:, None] == np.arange(3))[None])
    assert np.isinf(apart[0][~np.eye(3, dtype=bool)]).all()


def test_wrong_arrays_are_refused() -> None:
    gaps = np.ones((2, 3, 3))
    for k in (0, 3, True):
        with pytest.raises(ShapeError, match="k must be"):
            nearest_agents(gaps, k, run=0, episodes=[0, 1])
    for bad in (gaps[0], gaps[:, :2], -gaps, gaps * np.nan):
        with pytest.raises(ShapeError, match="distance"):
            nearest_agents(bad, 1, run=0, episodes=[0, 1])
    with pytest.raises(ShapeError, match="episodes"):
        nearest_agents(gaps, 1, run=0, episodes=[0])
    for bad in ([[[1, 0], [0, 1], [0, 2]]], [[[1, 2], [0, 1], [0, 2]]], [[0, 1]]):
        with pytest.raises(ShapeError, match="candidates"):
            neighbourhood_evidence(np.zeros((1, 1, 3, 3)), bad)
    with pytest.raises(ShapeError, match="evidence must be"):
        neighbourhood_evidence(np.zeros((1, 2, 3, 3)), [[[0, 1], [0, 1], [0, 2]]])
    assert not neighbourhood_limit(
        np.zeros((2, 1, 3, 3)),
        np.ones((2, 1, 3), bool),
        gaps,
        nearest_agents(gaps, 1, run=0, episodes=[0, 1]),
        slot_exchangeable=False,
    ).valid
