"""Sampled marginals: near the exact ones, by no more than their own standard error says."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import permutation_marginals, sampled_marginals


@pytest.mark.parametrize(("agents", "scale"), [(3, 1.0), (6, 3.0), (8, 0.5), (8, 2.0), (8, 8.0)])
def test_samples_agree_with_the_exact_marginals_within_their_error(
    agents: int, scale: float
) -> None:
    rng = np.random.default_rng([agents, int(10 * scale)])
    logs = rng.normal(scale=scale, size=(4, agents, agents))
    exact = permutation_marginals(logs)
    found, error = sampled_marginals(logs, 128, rng)
    z = (found - exact) / error
    assert np.sqrt((z**2).mean()) < 1.6  # errors claimed too small would push this up
    assert np.abs(z).max() < 7.0
    assert np.abs(found - exact).max() < 0.12


def test_errors_are_not_idle() -> None:
    """A wrong answer must be seen as wrong: the errors are small against a shuffled truth."""
    rng = np.random.default_rng(3)
    logs = rng.normal(scale=2.0, size=(6, 6))
    found, error = sampled_marginals(logs, 256, rng)
    z = (found - permutation_marginals(logs.T)) / error
    assert np.sqrt((z**2).mean()) > 10


def test_more_samples_shrink_the_error() -> None:
    rng = np.random.default_rng(4)
    logs = rng.normal(scale=1.0, size=(10, 10))
    few, many = (sampled_marginals(logs, samples, rng)[1].mean() for samples in (32, 512))
    assert many < 0.5 * few  # a quarter is expected


def test_twenty_agents_with_a_known_answer() -> None:
    """Block-diagonal evidence: ten pairs, each a two-agent problem of its own."""
    rng = np.random.default_rng(5)
    logs = np.full((20, 20), -60.0)
    advantage = rng.normal(size=10)
    for pair, nats in enumerate(advantage):
        block = slice(2 * pair, 2 * pair + 2)
        logs[block, block] = [[nats, 0.0], [0.0, 0.0]]
    found, error = sampled_marginals(logs, 128, rng)
    exact = 1.0 / (1.0 + np.exp(-advantage))
    diagonal = np.arange(0, 20, 2)
    assert (np.abs(found[diagonal, diagonal] - exact) < 5 * error[diagonal, diagonal]).all()
    assert np.abs(found[diagonal, diagonal] - exact).max() < 0.05
    np.testing.assert_allclose(found.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.sum(axis=0), 1.0, atol=0.02)


def test_orders_that_no_move_connects_are_weighed_rightly() -> None:
    """Either everyone stays or everyone moves on by one, 2 nats likelier, and nothing cheap lies
    between."""
    logs = np.full((8, 8), -30.0)
    slots = np.arange(8)
    logs[slots, slots] = 0.0
    logs[slots, (slots + 1) % 8] = 2.0 / 8
    found, error = sampled_marginals(logs, 512, np.random.default_rng(8))
    assert permutation_marginals(logs)[0, 0] == pytest.approx(1 / (1 + np.exp(2.0)), abs=1e-6)
    # unweighted it is 0.45
    assert abs(found[0, 0] - 0.119) < 4 * error[0, 0] and error[0, 0] < 0.04


def test_impossible_pairs_and_huge_differences_are_sampled_too() -> None:
    rng = np.random.default_rng(6)
    logs = rng.normal(scale=300.0, size=(18, 18))
    logs[0, 5] = -np.inf
    found, error = sampled_marginals(logs, 32, rng)
    assert found[0, 5] < 1e-12 and np.isfinite(error).all() and (error > 0).all()


def test_the_generator_is_the_only_source_of_randomness() -> None:
    logs = np.random.default_rng(7).normal(size=(5, 5))
    first, second = (sampled_marginals(logs, 32, np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_too_few_samples_and_bad_evidence_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ConfigError, match="at least 16"):
        sampled_marginals(np.zeros((3, 3)), 15, rng)
    with pytest.raises(ShapeError, match="admits no permutation"):
        sampled_marginals(np.full((3, 3), -np.inf), 16, rng)
