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


@pytest.mark.parametrize("n", [8, 32, 256])
def test_the_printed_interval_of_shares_covers(benchmark: ModuleType, n: int) -> None:
    for name, (draw, mean) in benchmark.SHARES.items():
        found = benchmark.share_coverage(draw, mean, n, trials=400, seed=2)
        assert found["printed"] > 0.93, name  # standard error 0.011
    assert found["printed width"] < 2.5 * found["recorded width"]


def test_the_stated_means_are_the_means(benchmark: ModuleType) -> None:
    import numpy as np

    for draw, mean in (*benchmark.DISTRIBUTIONS.values(), *benchmark.SHARES.values()):
        values = draw(np.random.default_rng(0), 400_000)
        assert abs(values.mean() - mean) < 5 * values.std() / 400_000**0.5
