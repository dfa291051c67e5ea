"""The coverage benchmark sees what is known: t covers normal seeds, percentile bootstraps do
not."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    return importlib.import_module("benchmarks.proofs.interval_coverage")


def test_five_normal_seeds_are_covered_by_t_and_not_by_percentiles(benchmark: ModuleType) -> None:
    draw, mean = benchmark.DISTRIBUTIONS["normal"]
    found = benchmark.coverage(draw, mean, 5, trials=600, resamples=200, seed=1)
    assert 0.92 < found["t"] < 0.98  # standard error 0.009
    assert found["percentile"] < 0.88  # known value 0.84, standard error 0.015
    assert found["percentile width"] < found["t width"]


def test_the_stated_means_are_the_means(benchmark: ModuleType) -> None:
    import numpy as np

    for draw, mean in benchmark.DISTRIBUTIONS.values():
        values = draw(np.random.default_rng(0), 400_000)
        assert abs(values.mean() - mean) < 5 * values.std() / 400_000**0.5
