"""Beliefs keep their evidence, decode it by row or jointly, and cannot be decoded twice."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import log_softmax, softmax

from mirrorenv.errors import ConfigError, MirrorError, ShapeError
from mirrorenv.mirror import Belief, log_permutation_posterior
from tests.mirror import brute_force

EVIDENCE = np.random.default_rng(0).normal(scale=2.0, size=(6, 2, 4, 4))  # (B, J, K, N)


def test_rows_and_marginals_are_the_two_readings_of_one_evidence() -> None:
    belief = Belief(EVIDENCE)
    np.testing.assert_allclose(belief.independent(), softmax(EVIDENCE, axis=-1), atol=1e-14)
    np.testing.assert_allclose(belief.log_belief(), log_softmax(EVIDENCE, axis=-1), atol=1e-12)
    expected = [[brute_force.log_marginals(one) for one in row] for row in EVIDENCE]
    np.testing.assert_allclose(belief.marginals(), np.exp(expected), atol=1e-13)
    np.testing.assert_allclose(belief.log_belief("marginals"), expected, atol=1e-11)


def test_decoding_again_changes_nothing() -> None:
    once = Belief(EVIDENCE).decode()
    twice = once.decode().decode()
    for again in (
        once.marginals(),
        twice.marginals(),
        once.independent(),
        np.exp(once.log_belief("marginals")),
    ):
        np.testing.assert_allclose(again, Belief(EVIDENCE).marginals(), atol=1e-13)


def test_taking_marginals_for_evidence_would_have_counted_twice() -> None:
    """Why the guard is there: without it, the same evidence is believed more than it deserves."""
    naive = Belief(np.log(Belief(EVIDENCE).marginals()))
    assert np.abs(naive.marginals() - Belief(EVIDENCE).marginals()).max() > 0.05


def test_a_decoded_belief_says_what_it_no_longer_knows() -> None:
    decoded = Belief(EVIDENCE).decode()
    for ask in (decoded.assignment, lambda: decoded.log_posterior(np.zeros((6, 2, 4), int))):
        with pytest.raises(MirrorError, match="needs the evidence"):
            ask()


def test_the_two_assignments_each_maximise_what_they_promise() -> None:
    orders = brute_force.all_orders(4)
    differ = 0
    for logs in np.random.default_rng(1).normal(size=(200, 4, 4)):
        belief = Belief(logs)
        posterior = brute_force.log_weights(logs)
        assert (belief.assignment() == orders[posterior.argmax()]).all()
        expected_right = belief.marginals()[np.arange(4), orders].sum(axis=1)
        found = belief.marginals()[np.arange(4), belief.expected_assignment()].sum()
        assert found == pytest.approx(expected_right.max())
        differ += int((belief.assignment() != belief.expected_assignment()).any())
    assert differ > 0  # they are not one and the same


def test_the_posterior_of_a_permutation_comes_from_the_evidence() -> None:
    truth = np.broadcast_to(np.array([2, 0, 3, 1]), (6, 2, 4))
    np.testing.assert_allclose(
        Belief(EVIDENCE).log_posterior(truth), log_permutation_posterior(EVIDENCE, truth)
    )


@settings(max_examples=50)
@given(
    evidence=arrays(np.float64, (3, 3), elements=st.floats(-500, 500)),
    shift=arrays(np.float64, (3, 1), elements=st.floats(-500, 500)),
)
def test_a_constant_per_slot_is_no_evidence(evidence: np.ndarray, shift: np.ndarray) -> None:
    for decode in ("independent", "marginals"):
        plain, shifted = (
            np.exp(Belief(logs).log_belief(decode)) for logs in (evidence, evidence + shift)
        )  # type: ignore[arg-type]
        np.testing.assert_allclose(plain, shifted, atol=1e-9)
        np.testing.assert_allclose(plain.sum(axis=1), 1.0, atol=1e-9)


def test_evidence_is_copied_and_read_only() -> None:
    mine = EVIDENCE.copy()
    belief = Belief(mine)
    mine[:] = 0.0
    np.testing.assert_array_equal(belief.evidence, EVIDENCE)
    with pytest.raises(ValueError, match="read-only"):
        belief.evidence[0] = 1.0


def test_an_agent_ruled_out_stays_out() -> None:
    evidence = np.zeros((2, 2))
    evidence[0, 0] = -np.inf
    np.testing.assert_array_equal(Belief(evidence).independent(), [[0.0, 1.0], [0.5, 0.5]])
    np.testing.assert_array_equal(Belief(evidence).marginals(), [[0.0, 1.0], [1.0, 0.0]])
    assert Belief(evidence).log_belief("marginals")[0, 0] == -np.inf


def test_fewer_slots_than_agents_can_be_read_by_row_only() -> None:
    belief = Belief(np.zeros((2, 5)))
    assert (belief.num_slots, belief.num_agents) == (2, 5)
    np.testing.assert_allclose(belief.independent(), 0.2)
    with pytest.raises(ShapeError, match="one agent per slot"):
        belief.marginals()


def test_nonsense_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"nan at index \(0, 1\)"):
        Belief(np.array([[0.0, np.nan]]))
    with pytest.raises(ShapeError, match=r"rules out every agent for the slot at index \(1,\)"):
        Belief(np.array([[0.0, 0.0], [-np.inf, -np.inf]]))
    with pytest.raises(ConfigError, match="independent, marginals"):
        Belief(np.zeros((2, 2))).log_belief("sinkhorn")  # type: ignore[arg-type]


def test_large_lineups_are_decoded_by_sampling() -> None:
    logs = np.where(np.eye(18, dtype=bool), 30.0, 0.0)
    with pytest.raises(ShapeError, match="sampled_marginals"):
        Belief(logs).marginals()
    found, error = Belief(logs).sampled_marginals(16, np.random.default_rng(0))
    np.testing.assert_allclose(found, np.eye(18), atol=1e-6)
    assert (error > 0).all()
