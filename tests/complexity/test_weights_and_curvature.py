"""Norms, ranks and Hessian eigenvalues against direct computations."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from mirrorenv.complexity.curvature import hessian_product, largest_eigenvalues
from mirrorenv.complexity.weights import (
    effective_rank,
    path_norm,
    root_mean_square,
    scaled_spread,
    weight_spread,
)
from mirrorenv.errors import ConfigError, ShapeError


def layers(seed: int, *widths: int) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    return [torch.from_numpy(rng.normal(size=(b, a))) for a, b in itertools.pairwise(widths)]


def test_weight_spread_is_that_of_matrices_only() -> None:
    model = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    found = weight_spread(model)
    assert list(found) == ["0.weight", "2.weight"]
    assert found["0.weight"] == pytest.approx(float(np.std(model[0].weight.tolist(), ddof=1)))


def test_path_norm_sums_over_every_path() -> None:
    first, second = layers(0, 3, 4, 2)
    total = 0.0
    for i, h, o in itertools.product(range(3), range(4), range(2)):
        total += float(first[h, i] * second[o, h]) ** 2
    assert path_norm([first, second]) == pytest.approx(total**0.5)


@pytest.mark.parametrize("factor", [0.1, 3.0])
def test_scale_shared_otherwise_changes_spread_but_neither_path_norm_nor_product(
    factor: float,
) -> None:
    first, second = layers(1, 3, 6, 2)
    inputs = torch.from_numpy(np.random.default_rng(2).normal(size=(50, 3)))
    plain = torch.relu(inputs @ first.T)
    scaled = torch.relu(inputs @ (factor * first).T)
    assert path_norm([factor * first, second / factor]) == pytest.approx(path_norm([first, second]))
    assert scaled_spread(second / factor, scaled) == pytest.approx(scaled_spread(second, plain))
    assert root_mean_square(scaled) == pytest.approx(factor * root_mean_square(plain))


def test_masked_rows_do_not_count() -> None:
    rows = torch.tensor([[3.0, 4.0], [100.0, 100.0]])
    assert root_mean_square(rows, torch.tensor([1, 0])) == pytest.approx(12.5**0.5)


def test_layers_that_do_not_fit_are_named() -> None:
    with pytest.raises(ShapeError, match="layer 1"):
        path_norm([torch.ones(4, 3), torch.ones(2, 5)])


def test_effective_rank_counts_equal_directions() -> None:
    assert effective_rank(torch.eye(5)) == pytest.approx(5.0)
    assert effective_rank(torch.ones(7, 3)) == pytest.approx(1.0)
    assert effective_rank(torch.zeros(4, 2)) == 0.0


def test_lanczos_finds_the_largest_eigenvalues_of_a_hessian() -> None:
    rng = np.random.default_rng(3)
    square = rng.normal(size=(40, 40))
    matrix = torch.from_numpy(square + square.T)
    product = hessian_product(
        lambda w: 0.5 * w @ matrix @ w + w.sum() ** 3, torch.zeros(40, dtype=torch.float64)
    )
    found = largest_eigenvalues(product, 40, 4, torch.Generator().manual_seed(0))
    exact = torch.linalg.eigvalsh(matrix).flip(0)[:4]
    torch.testing.assert_close(found, exact, rtol=1e-6, atol=1e-6)


def test_a_hessian_of_low_rank_ends_the_iteration_early() -> None:
    direction = torch.tensor([3.0, 4.0, 0.0], dtype=torch.float64)
    found = largest_eigenvalues(
        lambda v: direction * (direction @ v), 3, 2, torch.Generator().manual_seed(1)
    )
    torch.testing.assert_close(found, torch.tensor([25.0, 0.0], dtype=torch.float64))


def test_more_eigenvalues_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match="count = 4"):
        largest_eigenvalues(lambda v: v, 3, 4, torch.Generator())
