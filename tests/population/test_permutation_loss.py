"""The likelihood of the true permutation, against enumeration and against the NumPy marginals."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import Tensor

from mirrorenv.errors import ShapeError
from mirrorenv.mirror import log_permutation_sum as exact_log_sum
from mirrorenv.mirror import permutation_marginals
from mirrorenv.population.permutations import MAX_EXACT_LOSS, log_permutation_sum, permutation_loss


def random_evidence(*shape: int, scale: float = 3.0, seed: int = 0) -> Tensor:
    return scale * torch.randn(
        *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )


def matrices(largest: int) -> st.SearchStrategy[np.ndarray]:
    entries = st.floats(-300.0, 300.0, allow_nan=False)
    return st.integers(1, largest).flatmap(
        lambda n: hnp.arrays(np.float64, (n, n), elements=entries)
    )


@given(matrices(5))
@settings(deadline=None, max_examples=60)
def test_the_log_sum_is_the_sum_over_all_permutations(evidence: np.ndarray) -> None:
    n = len(evidence)
    terms = [
        evidence[np.arange(n), list(order)].sum() for order in itertools.permutations(range(n))
    ]
    expected = np.logaddexp.reduce(terms)
    assert log_permutation_sum(torch.from_numpy(evidence)).item() == pytest.approx(
        expected, abs=1e-8, rel=1e-10
    )


def test_the_log_sum_agrees_with_the_exact_one_at_the_largest_size() -> None:
    evidence = random_evidence(2, 3, MAX_EXACT_LOSS, MAX_EXACT_LOSS)
    np.testing.assert_allclose(
        log_permutation_sum(evidence), exact_log_sum(evidence.numpy()), rtol=1e-12
    )


def test_gradients_agree_with_finite_differences_and_are_the_marginals() -> None:
    evidence = random_evidence(2, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(log_permutation_sum, (evidence,))
    (gradient,) = torch.autograd.grad(log_permutation_sum(evidence).sum(), evidence)
    np.testing.assert_allclose(
        gradient, permutation_marginals(evidence.detach().numpy()), atol=1e-12
    )


@given(st.integers(2, 6), st.integers(0, 1000))
@settings(deadline=None, max_examples=30)
def test_the_loss_is_a_likelihood_over_all_permutations(n: int, seed: int) -> None:
    evidence = random_evidence(n, n, seed=seed)
    orders = torch.tensor(list(itertools.permutations(range(n))))
    # nats per trajectory times trajectories
    nll = n * permutation_loss(evidence.expand(len(orders), n, n), orders)
    assert (nll > -1e-9).all()
    assert torch.exp(-nll).sum().item() == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("n", [4, 10])
def test_the_loss_is_lowest_at_the_truth_and_chance_costs_chance(n: int) -> None:
    truth = torch.randperm(n, generator=torch.Generator().manual_seed(n))
    right = 50.0 * torch.nn.functional.one_hot(truth, n).double()
    assert permutation_loss(right, truth).item() == pytest.approx(0.0, abs=1e-6)
    chance = math.lgamma(n + 1) / n if n <= MAX_EXACT_LOSS else math.log(n)
    assert permutation_loss(torch.zeros(n, n), truth).item() == pytest.approx(chance, rel=1e-5)
    assert permutation_loss(right, truth.roll(1)).item() > 10


@pytest.mark.parametrize("n", [4, 10])
def test_shifting_a_row_or_the_order_of_slots_changes_nothing(n: int) -> None:
    evidence, truth = (
        random_evidence(n, n),
        torch.randperm(n, generator=torch.Generator().manual_seed(1)),
    )
    order = torch.randperm(n, generator=torch.Generator().manual_seed(2))
    loss = permutation_loss(evidence, truth).item()
    assert permutation_loss(evidence[order], truth[order]).item() == pytest.approx(loss)
    if n <= MAX_EXACT_LOSS:
        assert permutation_loss(evidence + random_evidence(n, 1), truth).item() == pytest.approx(
            loss
        )


@pytest.mark.parametrize("shape", [(3, 4), (MAX_EXACT_LOSS + 1,) * 2, (4,)])
def test_what_cannot_be_summed_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="N from 1 to 8"):
        log_permutation_sum(torch.zeros(*shape))
