"""Formulas of known learning coefficients against each other and against simple cases."""

from __future__ import annotations

import itertools

import pytest

from mirrorenv.complexity.exact import (
    deep_linear_coefficient,
    monomial_coefficient,
    quadratic_estimate,
    reduced_rank_coefficient,
)
from mirrorenv.errors import ConfigError


def test_deep_and_one_layer_formulas_agree_on_all_small_networks() -> None:
    compared = 0
    for inputs, hidden, outputs in itertools.product(range(1, 7), repeat=3):
        for rank in range(min(inputs, hidden, outputs) + 1):
            shallow = reduced_rank_coefficient(inputs, hidden, outputs, rank)
            deep, _ = deep_linear_coefficient([inputs, hidden, outputs], rank)
            assert deep == pytest.approx(shallow, abs=1e-12), (inputs, hidden, outputs, rank)
            compared += 1
    assert compared > 500


@pytest.mark.parametrize(
    ("widths", "rank", "value"),
    [((5, 3, 5), 0, 6.5), ((5, 4, 5), 0, 8.0), ((5, 3, 5), 1, 8.0), ((5, 3, 5), 2, 9.5)],
)
def test_published_cases(widths: tuple[int, int, int], rank: int, value: float) -> None:
    assert reduced_rank_coefficient(*widths, rank) == value


def test_a_coefficient_is_never_above_half_the_parameters() -> None:
    for widths in itertools.product(range(1, 5), repeat=4):
        parameters = sum(a * b for a, b in itertools.pairwise(widths))
        for rank in range(min(widths) + 1):
            value, multiplicity = deep_linear_coefficient(widths, rank)
            assert 0 <= value <= parameters / 2 + 1e-12
            assert multiplicity >= 1


def test_a_linear_map_alone_is_regular() -> None:
    assert deep_linear_coefficient([3, 4], 3)[0] == pytest.approx(6.0)


def test_without_pull_and_step_a_quadratic_counts_half_its_directions() -> None:
    assert quadratic_estimate([0.5, 2.0, 1.0, 0.0], 100.0, 0.0) == pytest.approx(1.5)


def test_a_step_that_diverges_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"step_size = 0\.1"):
        quadratic_estimate([1.0], 100.0, 0.0, 0.1)


def test_monomials() -> None:
    assert monomial_coefficient([1, 2, 2]) == (0.25, 2)
