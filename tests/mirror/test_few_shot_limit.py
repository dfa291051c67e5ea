"""The few-shot limit: the Dirichlet-multinomial posterior, checked by urns, by sampling and by its
two ends."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror import count_actions, few_shot_limit
from tests.mirror import brute_force

FloatArray = npt.NDArray[np.float64]
counts = arrays(np.int64, (3, 2, 4), elements=st.integers(0, 6))  # (K or N, S, A)


def urn(now: FloatArray, past: FloatArray, alpha: float) -> float:
    """Log probability of the counts, one action after the other, each from the agent's mean law so
    far."""
    held = past + alpha
    total = 0.0
    for state, action in np.argwhere(now > 0):
        for _ in range(int(now[state, action])):
            total += np.log(held[state, action] / held[state].sum())
            held[state, action] += 1
    return total


@settings(max_examples=40)
@given(now=counts, past=counts, alpha=st.sampled_from([0.1, 1.0, 7.0]))
def test_evidence_is_that_of_drawing_from_an_urn(
    now: FloatArray, past: FloatArray, alpha: float
) -> None:
    belief = few_shot_limit(now, past, alpha)
    expected = np.array(
        [[urn(now[k], past[n].astype(float), alpha) for n in range(3)] for k in range(3)]
    )
    np.testing.assert_allclose(belief.evidence, expected, atol=1e-9)
    np.testing.assert_allclose(
        belief.marginals(), np.exp(brute_force.log_marginals(expected)), atol=1e-9
    )


def test_evidence_is_the_likelihood_averaged_over_policies_that_fit_the_past() -> None:
    rng = np.random.default_rng(0)
    now, past = rng.integers(0, 3, size=(1, 2, 3)), rng.integers(0, 4, size=(1, 2, 3))
    # (M, S, A)
    policies = np.stack([rng.dirichlet(past[0, s] + 0.5, size=200_000) for s in range(2)], axis=1)
    likelihood = np.exp((now[0] * np.log(policies)).sum(axis=(1, 2)))
    error = likelihood.std() / np.sqrt(len(likelihood))
    found = float(np.exp(few_shot_limit(now, past, 0.5).evidence[0, 0]))
    assert found == pytest.approx(likelihood.mean(), abs=4 * error)
    assert error < 0.02 * found


def test_without_a_past_nothing_can_be_told() -> None:
    now = np.random.default_rng(1).integers(0, 9, size=(5, 4, 3, 6))
    belief = few_shot_limit(now, np.zeros((5, 4, 3, 6)), 1.0)
    np.testing.assert_allclose(belief.independent(), 0.25, atol=1e-12)
    np.testing.assert_allclose(belief.marginals(), 0.25, atol=1e-12)


def test_with_an_endless_past_it_is_the_known_policy_limit() -> None:
    rng = np.random.default_rng(2)
    policies = rng.dirichlet(np.ones(5), size=(4, 3))  # (N, S, A)
    now = rng.integers(0, 3, size=(4, 3, 5))
    known = np.einsum("ksa,nsa->kn", now, np.log(policies))
    gaps = [
        np.abs(few_shot_limit(now, policies * past, 1.0).evidence - known).max()
        for past in (1e2, 1e4, 1e8)
    ]
    assert gaps[0] > gaps[1] > gaps[2] and gaps[2] < 1e-4


def test_more_past_gives_more_information() -> None:
    rng = np.random.default_rng(3)
    policies = rng.dirichlet(np.ones(4), size=(300, 3, 2))  # (B, N, S, A)
    now = rng.multinomial(6, policies)
    found = []
    for episodes in (1, 10, 100):
        belief = few_shot_limit(now, rng.multinomial(6 * episodes, policies), 1.0)
        found.append(np.log(belief.marginals().diagonal(axis1=1, axis2=2)).mean())
    assert -np.log(3) < found[0] < found[1] < found[2] < 0


def test_actions_are_counted_by_state_where_alive() -> None:
    rng = np.random.default_rng(4)
    states, actions = rng.integers(3, size=(2, 4, 9)), rng.integers(5, size=(2, 4, 9))
    alive = np.arange(9) < rng.integers(1, 10, size=(2, 4, 1))
    found = count_actions(states, actions, 3, 5, alive)
    expected = np.zeros((2, 4, 3, 5))
    for b, k, t in np.argwhere(alive):
        expected[b, k, states[b, k, t], actions[b, k, t]] += 1
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(count_actions(states, actions, 3, 5).sum(axis=(2, 3)), 9)


def test_nonsense_is_refused() -> None:
    good = np.ones((3, 2, 4))
    with pytest.raises(ShapeError, match="counts end in"):
        few_shot_limit(good, np.ones((3, 2, 5)), 1.0)
    with pytest.raises(ShapeError, match="0 or more"):
        few_shot_limit(-good, good, 1.0)
    for alpha in (0.0, np.nan):
        with pytest.raises(ConfigError, match="alpha"):
            few_shot_limit(good, good, alpha)
    with pytest.raises(ShapeError, match=r"actions in \[0, 5\)"):
        count_actions([0, 1], [5, 0], 3, 5)
    with pytest.raises(ShapeError, match="one shape"):
        count_actions([0, 1], [5], 3, 5)
