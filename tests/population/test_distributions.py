"""Distributions of actions: what is sampled has the probabilities that are told."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from mirrorenv.population.distributions import Categorical, SquashedGaussian


def test_discrete_actions_are_drawn_with_their_probabilities() -> None:
    logits = torch.tensor([[0.0, 1.0, -1.0, 2.5, -3.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    count = 40_000
    drawn = Categorical(logits.expand(count, -1, -1)).sample(torch.Generator().manual_seed(0))
    for row, distribution in enumerate(logits.softmax(-1)):
        seen = torch.bincount(drawn[:, row], minlength=5).numpy()
        assert (
            stats.chisquare(
                seen, distribution.double().numpy() / distribution.double().sum().item() * count
            ).pvalue
            > 1e-3
        )


def test_discrete_law_is_the_softmax() -> None:
    logits = torch.randn(6, 5, generator=torch.Generator().manual_seed(0))
    distribution = Categorical(logits)
    every = torch.stack([distribution.log_probability(torch.full((6,), a)) for a in range(5)], -1)
    torch.testing.assert_close(every.exp().sum(-1), torch.ones(6))
    torch.testing.assert_close(
        distribution.entropy(), torch.from_numpy(stats.entropy(every.exp().numpy(), axis=-1))
    )


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, -0.5), (1.3, 0.2), (-2.0, -1.5)])
def test_squashed_gaussian_is_a_density_and_is_what_is_sampled(mean: float, log_std: float) -> None:
    width = np.exp(log_std)
    inner = np.linspace(mean - 12 * width, mean + 12 * width, 20_001)
    inner = inner[np.abs(inner) < 7.0]
    actions = torch.from_numpy(np.tanh(inner))[:, None]
    distribution = SquashedGaussian(
        torch.full((len(inner), 1), mean, dtype=torch.float64), torch.tensor([log_std]).double()
    )
    density = distribution.log_probability(actions).exp().numpy()
    assert np.trapezoid(density, np.tanh(inner)) == pytest.approx(1.0, abs=1e-3)
    drawn = SquashedGaussian(torch.full((4000, 1), mean), torch.tensor([log_std])).sample(
        torch.Generator().manual_seed(1)
    )
    assert drawn.abs().max() < 1.0
    under = stats.kstest(np.arctanh(drawn[:, 0].double().numpy()), stats.norm(mean, width).cdf)
    assert under.pvalue > 1e-3


def test_continuous_entries_are_independent_and_entropy_is_the_gaussians() -> None:
    means, log_std = torch.tensor([[0.3, -0.7]]), torch.tensor([-0.2, 0.4])
    action = torch.tensor([[0.5, -0.1]])
    parts = [
        SquashedGaussian(means[:, [i]], log_std[[i]]).log_probability(action[:, [i]])
        for i in range(2)
    ]
    distribution = SquashedGaussian(means, log_std)
    torch.testing.assert_close(distribution.log_probability(action), parts[0] + parts[1])
    expected = sum(stats.norm(0, np.exp(s)).entropy() for s in log_std.numpy())
    assert distribution.entropy().item() == pytest.approx(expected, abs=1e-5)


def test_the_log_probability_of_a_sample_is_finite_even_at_the_edge() -> None:
    distribution = SquashedGaussian(torch.tensor([[40.0, -40.0]]), torch.tensor([-0.5, -0.5]))
    assert torch.isfinite(
        distribution.log_probability(distribution.sample(torch.Generator().manual_seed(0)))
    ).all()


def test_sampling_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    Categorical(torch.zeros(3, 4)).sample(torch.Generator().manual_seed(0))
    SquashedGaussian(torch.zeros(3, 4), torch.zeros(4)).sample(torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.random.get_rng_state())
