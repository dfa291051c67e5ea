"""The exact limit against Bayes' rule on a world small enough to enumerate, dynamics, starts and
all."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import numpy.typing as npt
import pytest

from mirrorenv.errors import ConfigError, ShapeError, WorldError
from mirrorenv.mirror import Belief, cumulative_evidence, exact_limit, limit_evidence
from tests.mirror.simulated_agents import log_probabilities, play

FloatArray = npt.NDArray[np.float64]
FLIP = 0.2  # chance that what an agent saw of the other was wrong


class Mirrors:
    """Two agents, two steps, bits: each first acts on a random bit, then on a noisy view of what
    the other did.

    policies (N, T, O, A) is the chance of action a on seeing o; start (N, O) the chance of the
    first bit.
    """

    def __init__(self, seed: int, start: FloatArray | None = None) -> None:
        self.policies = np.random.default_rng(seed).dirichlet([0.5, 0.5], size=(2, 2, 2))
        self.start = np.full((2, 2), 0.5) if start is None else start
        # (256, [o, a], T, K)
        lineups = np.array(list(product((0, 1), repeat=8))).reshape(-1, 2, 2, 2)
        self.seen, self.done = lineups[:, 0], lineups[:, 1]  # (256, T, K)

    def chance(self, authors: tuple[int, ...]) -> FloatArray:
        """(256,) probability of every lineup if slot k was made by authors[k]: the whole generative
        model."""
        total = np.ones(len(self.seen))
        for k, n in enumerate(authors):
            other = self.done[:, 0, 1 - k]
            view = np.where(self.seen[:, 1, k] == other, 1 - FLIP, FLIP)
            total *= self.start[n, self.seen[:, 0, k]] * view
            for t in (0, 1):
                total *= self.policies[n, t, self.seen[:, t, k], self.done[:, t, k]]
        return total

    def posterior(self) -> tuple[FloatArray, FloatArray]:
        """(256, K, N) probability that slot k is agent n, and the (256,) probability of the
        lineup."""
        marginals = np.zeros((len(self.seen), 2, 2))
        for authors in permutations((0, 1)):
            for k, n in enumerate(authors):
                marginals[:, k, n] += self.chance(authors) / 2
        evidence = marginals.sum(axis=2)[:, 0]
        return marginals / evidence[:, None, None], evidence

    def log_probabilities(self) -> FloatArray:
        """(256, T, K, N) of every policy on every slot's own history."""
        steps = np.arange(2)[None, :, None]
        return np.log(np.moveaxis(self.policies[:, steps, self.seen, self.done], 0, -1))


@pytest.mark.parametrize("seed", range(5))
def test_the_limit_is_bayes_rule_though_agents_watch_one_another(seed: int) -> None:
    world = Mirrors(seed)
    limit = exact_limit(
        world.log_probabilities(), np.ones((256, 2, 2), bool), slot_exchangeable=True
    )
    assert limit.valid and limit.reason == ""
    np.testing.assert_allclose(limit.belief.marginals(), world.posterior()[0], atol=1e-12)


def test_reading_one_trajectory_alone_is_not_the_limit() -> None:
    """Two agents that always repeat, and always contradict, what they see: only together do they
    give it away."""
    world = Mirrors(0)
    repeat = np.array([[0.95, 0.05], [0.05, 0.95]])
    world.policies = np.array(
        [[np.full((2, 2), 0.5), repeat], [np.full((2, 2), 0.5), np.full((2, 2), 0.5)]]
    )
    world.policies[1, 0] = [[0.9, 0.1], [0.9, 0.1]]
    limit = exact_limit(
        world.log_probabilities(), np.ones((256, 2, 2), bool), slot_exchangeable=True
    )
    chance = world.chance((0, 1))
    together, alone = (
        chance @ np.log(reading.diagonal(axis1=1, axis2=2)).mean(axis=1)
        for reading in (limit.belief.marginals(), limit.belief.independent())
    )
    assert together > alone + 0.05


def test_no_belief_beats_the_limit_in_expectation() -> None:
    world = Mirrors(3)
    marginals = exact_limit(
        world.log_probabilities(), np.ones((256, 2, 2), bool), slot_exchangeable=True
    ).belief.marginals()
    posterior, chance = world.posterior()
    best = chance @ (posterior * np.log(marginals)).sum(axis=(1, 2))
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = Belief(
            np.log(marginals) + rng.normal(scale=0.3, size=marginals.shape)
        ).independent()
        assert chance @ (posterior * np.log(other)).sum(axis=(1, 2)) < best


def test_a_start_that_depends_on_the_agent_needs_its_own_term() -> None:
    start = np.array([[0.8, 0.2], [0.3, 0.7]])
    world = Mirrors(1, start)
    logs, mask = world.log_probabilities(), np.ones((256, 2, 2), bool)
    with pytest.raises(WorldError, match="not exchangeable"):
        exact_limit(logs, mask, slot_exchangeable=False)
    marked = exact_limit(logs, mask, slot_exchangeable=False, on_invalid="mark")
    assert not marked.valid and "not exchangeable" in marked.reason
    assert np.abs(marked.belief.marginals() - world.posterior()[0]).max() > 0.1
    first = np.log(start[:, world.seen[:, 0]]).transpose(1, 2, 0)  # (256, K, N)
    restored = exact_limit(logs, mask, slot_exchangeable=False, start_log_probability=first)
    assert restored.valid
    np.testing.assert_allclose(restored.belief.marginals(), world.posterior()[0], atol=1e-12)


def ragged() -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    policies = np.random.default_rng(0).dirichlet(np.ones(4), size=3)
    actions = play(np.random.default_rng(1), policies, episodes=5, steps=6)
    lengths = np.random.default_rng(2).integers(1, 7, size=(5, 3))
    return log_probabilities(policies, actions), np.arange(6)[None, :, None] < lengths[:, None]


def test_evidence_adds_up_over_live_steps_and_stands_still_after() -> None:
    logs, mask = ragged()
    running = cumulative_evidence(logs, mask)
    by_hand = np.zeros((5, 3, 3))
    for t in range(6):
        for b, k in product(range(5), range(3)):
            if mask[b, t, k]:
                by_hand[b, k] += logs[b, t, k]
        np.testing.assert_allclose(running[:, t], by_hand, atol=1e-12)
    np.testing.assert_allclose(limit_evidence(logs, mask), by_hand, atol=1e-12)


def test_steps_that_did_not_happen_are_not_read() -> None:
    logs, mask = ragged()
    spoiled = np.where(mask[..., None], logs, np.nan)
    np.testing.assert_array_equal(limit_evidence(spoiled, mask), limit_evidence(logs, mask))


def test_an_action_a_policy_never_takes_rules_its_agent_out() -> None:
    logs, mask = np.zeros((1, 2, 2, 2)), np.ones((1, 2, 2), bool)
    logs[0, 1, 0, 1] = -np.inf
    limit = exact_limit(logs, mask, slot_exchangeable=True)
    np.testing.assert_array_equal(limit.belief.marginals()[0], np.eye(2))
    assert np.isneginf(cumulative_evidence(logs, mask)[0, :, 0, 1]).tolist() == [False, True]


def test_nonsense_is_refused() -> None:
    logs, mask = ragged()
    wrong = logs.copy()
    wrong[2, 0, 1, 2] = np.nan
    with pytest.raises(ShapeError, match="episode 2, step 0, slot 1, policy 2"):
        limit_evidence(wrong, mask)
    with pytest.raises(ShapeError, match="mask must be bool"):
        limit_evidence(logs, mask[..., None])
    with pytest.raises(ShapeError, match="4 dimensions"):
        limit_evidence(logs[0], mask)
    with pytest.raises(ConfigError, match="'raise' or 'mark'"):
        exact_limit(logs, mask, slot_exchangeable=True, on_invalid="ignore")  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="start_log_probability"):
        exact_limit(logs, mask, slot_exchangeable=True, start_log_probability=np.zeros((5, 3)))
