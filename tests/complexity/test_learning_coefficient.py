"""The estimator against models whose coefficient is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from mirrorenv.complexity.exact import quadratic_estimate, reduced_rank_coefficient
from mirrorenv.complexity.learning_coefficient import learning_coefficients, sweep
from mirrorenv.complexity.models import flat_weights, module_loss
from mirrorenv.complexity.sampling import ChainSettings, Loss
from mirrorenv.errors import ConfigError

CURVATURE = torch.linspace(0.5, 2.0, 10, dtype=torch.float64)


def quadratic(curvature: Tensor) -> Loss:
    return lambda weights: 0.5 * (curvature * weights.square()).sum(-1)


def noise(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("curvature", "gamma", "step"),
    [
        (CURVATURE, 0.0, 1e-3),
        (CURVATURE, 100.0, 1e-3),
        (CURVATURE, 0.0, 1e-2),  # half too large, and so it should be
        (CURVATURE * (torch.arange(10) < 4), 1.0, 1e-3),
    ],
)
def test_a_quadratic_gives_what_the_chain_must_give(
    curvature: Tensor, gamma: float, step: float
) -> None:
    settings = ChainSettings(100.0, gamma, step, chains=64, burn_in=1000, draws=2000)
    centre = torch.zeros(1, 10, dtype=torch.float64)
    (found,) = learning_coefficients(quadratic(curvature), centre, settings, noise(0))
    exact = quadratic_estimate(curvature.numpy(), 100.0, gamma, step)
    assert found.value is not None, found.reason
    assert abs(found.value - exact) < 3 * found.error
    assert found.error < 0.03 * exact


@pytest.mark.parametrize(("power", "true"), [(1, 0.5263), (2, 0.25), (3, 1 / 6)])
def test_a_power_of_one_weight(power: int, true: float) -> None:
    settings = ChainSettings(1000.0, 0.0, 1e-4, chains=256, burn_in=4000, draws=8000)
    if power == 1:  # with a pull of 100 against a curvature of 2000
        settings = ChainSettings(1000.0, 100.0, 1e-4, chains=256, burn_in=1000, draws=4000)
        true = quadratic_estimate([2.0], 1000.0, 100.0, 1e-4)
    centre = torch.zeros(1, 1, dtype=torch.float64)
    (found,) = learning_coefficients(
        lambda weights: weights.square().sum(-1) ** power, centre, settings, noise(1)
    )
    assert found.estimate == pytest.approx(true, rel=0.05)


def quadrature(first: int, second: int, n_beta: float) -> float:
    """n_beta E[L] of w1^2a w2^2b on [-1, 1]^2 by a fine grid in the logarithm of the weights."""
    grid = np.concatenate([[0.0], np.geomspace(1e-9, 1.0, 4001)])
    middle = 0.5 * (grid[1:] + grid[:-1])
    width = np.diff(grid)
    loss = middle[:, None] ** (2 * first) * middle[None, :] ** (2 * second)
    weight = np.exp(-n_beta * loss) * width[:, None] * width[None, :]
    return float(n_beta * (loss * weight).sum() / weight.sum())


def test_normal_crossings_in_a_box() -> None:
    powers = [(1, 1), (1, 2), (2, 2)]  # three models side by side: their chains share every step

    def loss(weights: Tensor) -> Tensor:
        # a box with mirrors: w goes on, what counts is its reflection into [-1, 1]
        folded = 1 - (torch.remainder(weights + 1, 4) - 2).abs()  # (M, C, 2)
        once = folded.square()
        twice = once.square()
        by_power = (once, twice)
        models = [
            by_power[first - 1][m, ..., 0] * by_power[second - 1][m, ..., 1]
            for m, (first, second) in enumerate(powers)
        ]
        return torch.stack(models)

    settings = ChainSettings(1000.0, 0.0, 2e-4, chains=512, burn_in=8000, draws=12000)
    start = torch.zeros(len(powers), 2, dtype=torch.float64)
    for (first, second), found in zip(
        powers, learning_coefficients(loss, start, settings, noise(2)), strict=True
    ):
        assert found.estimate == pytest.approx(quadrature(first, second, 1000.0), rel=0.05)


def rank_regression(widths: tuple[int, int, int], rank: int) -> tuple[Loss, Tensor]:
    """Population loss of a linear network around a true product of the given rank."""
    inputs, hidden, outputs = widths
    first = torch.zeros(hidden, inputs, dtype=torch.float64)
    second = torch.zeros(outputs, hidden, dtype=torch.float64)
    for i in range(rank):
        first[i, i] = 1.0
        second[i, i] = 1.0
    truth = second @ first

    def loss(weights: Tensor) -> Tensor:
        a = weights[..., : hidden * inputs].unflatten(-1, (hidden, inputs))
        b = weights[..., hidden * inputs :].unflatten(-1, (outputs, hidden))
        return 0.5 * (b @ a - truth).square().sum((-1, -2))

    return loss, torch.cat([first.reshape(-1), second.reshape(-1)])[None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("widths", "rank"),
    [((5, 3, 5), 0), ((5, 4, 5), 0), ((5, 3, 5), 1), ((5, 3, 5), 2), ((4, 3, 8), 0)],
)
def test_reduced_rank_regression(widths: tuple[int, int, int], rank: int) -> None:
    loss, centre = rank_regression(widths, rank)
    settings = ChainSettings(1e4, 10.0, 5e-6, chains=16, burn_in=10_000, draws=30_000)
    (found,) = learning_coefficients(loss, centre, settings, noise(3))
    assert found.estimate == pytest.approx(reduced_rank_coefficient(*widths, rank), rel=0.15)


def test_reduced_rank_regression_small() -> None:
    loss, centre = rank_regression((2, 1, 2), 1)
    settings = ChainSettings(1e3, 1.0, 1e-4, chains=64, burn_in=1000, draws=3000)
    (found,) = learning_coefficients(loss, centre, settings, noise(3))
    assert found.value == pytest.approx(reduced_rank_coefficient(2, 1, 2, 1), rel=0.1)


def test_independent_blocks_add_up() -> None:
    settings = ChainSettings(100.0, 1.0, 1e-3, chains=128, burn_in=500, draws=2000)
    values = []
    for columns in (slice(0, 4), slice(4, 10), slice(0, 10)):
        part = CURVATURE[columns]
        centre = torch.zeros(1, len(part), dtype=torch.float64)
        values.append(learning_coefficients(quadratic(part), centre, settings, noise(4))[0])
    first, second, whole = values
    error = (first.error**2 + second.error**2 + whole.error**2) ** 0.5
    assert abs(first.estimate + second.estimate - whole.estimate) < 4 * error


def small_network(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).double().eval()
    return model.requires_grad_(False)


def test_permuted_hidden_units_are_the_same_model() -> None:
    model, other = small_network(0), small_network(0)
    order = torch.tensor([2, 0, 3, 1])
    other[0].weight.copy_(model[0].weight[order])
    other[0].bias.copy_(model[0].bias[order])
    other[2].weight.copy_(model[2].weight[:, order])
    inputs = torch.randn(32, 3, generator=noise(5), dtype=torch.float64)
    target = model(inputs)
    loss = module_loss(model, lambda said: (said - target).square().mean(), inputs)
    settings = ChainSettings(200.0, 20.0, 1e-3, chains=96, burn_in=500, draws=1000)
    both = flat_weights([model, other])
    first, second = learning_coefficients(loss, both, settings, noise(6))
    assert first.start_loss == pytest.approx(second.start_loss, abs=1e-12)
    assert abs(first.estimate - second.estimate) < 4 * (first.error**2 + second.error**2) ** 0.5


def test_a_slope_at_the_centre_is_refused_and_so_is_a_negative_value() -> None:
    settings = ChainSettings(100.0, 100.0, 1e-3, chains=32, burn_in=500, draws=1000)
    aside = torch.full((1, 10), 0.5, dtype=torch.float64)
    (found,) = learning_coefficients(quadratic(CURVATURE), aside, settings, noise(7))
    assert found.value is None
    assert found.estimate < 0
    assert "negative" in found.reason
    near = torch.full((1, 10), 0.06, dtype=torch.float64)
    (found,) = learning_coefficients(quadratic(CURVATURE), near, settings, noise(7))
    assert found.value is None
    assert "gradient at the centre" in found.reason


def test_chains_that_still_climb_are_refused() -> None:
    settings = ChainSettings(100.0, 0.0, 1e-5, chains=32, burn_in=0, draws=400)
    centre = torch.zeros(1, 10, dtype=torch.float64)
    (found,) = learning_coefficients(quadratic(CURVATURE), centre, settings, noise(8))
    assert found.value is None
    assert "settled" in found.reason


def test_chains_that_leave_are_refused() -> None:
    settings = ChainSettings(10.0, 0.0, 1e-2, chains=32, burn_in=500, draws=500)
    centre = torch.zeros(1, 10, dtype=torch.float64)
    (found,) = learning_coefficients(
        quadratic(CURVATURE), centre, settings, noise(9), worst_loss=0.5
    )
    assert found.value is None
    assert "left the minimum" in found.reason


def test_a_step_that_diverges_is_named() -> None:
    settings = ChainSettings(100.0, 0.0, 1.0, chains=2, burn_in=0, draws=2000)
    with pytest.raises(ConfigError, match="step_size"):
        learning_coefficients(
            quadratic(CURVATURE), torch.zeros(1, 10, dtype=torch.float64), settings, noise(0)
        )


def test_a_preconditioned_chain_agrees_on_a_badly_scaled_quadratic() -> None:
    curvature = torch.tensor([0.01, 1.0, 100.0], dtype=torch.float64)
    settings = ChainSettings(
        1000.0, 0.0, 3e-4, chains=128, burn_in=8000, draws=8000, preconditioned=True
    )
    centre = torch.zeros(1, 3, dtype=torch.float64)
    (found,) = learning_coefficients(quadratic(curvature), centre, settings, noise(10))
    assert found.estimate == pytest.approx(1.5, rel=0.1)


def test_a_sweep_shows_how_gamma_lowers_a_regular_model() -> None:
    settings = ChainSettings(1.0, 1.0, 1e-3, chains=32, burn_in=300, draws=700)
    found = sweep(
        quadratic(CURVATURE),
        torch.zeros(1, 10, dtype=torch.float64),
        settings,
        gammas=[0.0, 100.0],
        n_betas=[100.0],
    )
    assert [one.settings.gamma for one in found] == [0.0, 100.0]
    assert found[1].estimate < 0.7 * found[0].estimate


@pytest.mark.parametrize("name", ["n_beta", "gamma", "step_size", "chains", "draws", "decay"])
def test_settings_out_of_range_are_named(name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        ChainSettings(**{"n_beta": 1.0, name: -1})


def test_draws_may_lie_apart() -> None:
    every = ChainSettings(100.0, 10.0, 1e-3, chains=64, burn_in=500, draws=2000)
    apart = ChainSettings(100.0, 10.0, 1e-3, chains=64, burn_in=500, draws=100, thin=20)
    centre = torch.zeros(1, 10, dtype=torch.float64)
    for settings in (every, apart):
        (found,) = learning_coefficients(quadratic(CURVATURE), centre, settings, noise(5))
        exact = quadratic_estimate(CURVATURE.numpy(), 100.0, 10.0, 1e-3)
        assert abs(found.estimate - exact) < 3 * found.error


def test_scale_moved_between_layers_moves_the_estimate_though_not_the_function() -> None:
    """The true coefficient cannot change; the pull gamma makes the estimate do so."""
    model, other = small_network(0), small_network(0)
    other[0].weight.mul_(4.0)
    other[0].bias.mul_(4.0)
    other[2].weight.div_(4.0)
    inputs = torch.randn(32, 3, generator=noise(11), dtype=torch.float64)
    target = model(inputs)
    torch.testing.assert_close(other(inputs), target)
    loss = module_loss(model, lambda said: (said - target).square().mean(), inputs)
    settings = ChainSettings(200.0, 20.0, 1e-3, chains=96, burn_in=500, draws=1000)
    first, second = learning_coefficients(loss, flat_weights([model, other]), settings, noise(12))
    error = (first.error**2 + second.error**2) ** 0.5
    assert abs(first.start_loss - second.start_loss) < 1e-12
    assert abs(first.estimate - second.estimate) > 4 * error
