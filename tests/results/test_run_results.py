"""Runs are read at their last evaluation, whole, and none is left out silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.run_folder import RunFolder
from mirrorenv.results.stats.estimates import compare_with
from mirrorenv.results.stats.run_results import read_results, varying_keys

WITH, WITHOUT = [0.95, 0.93, 0.97, 0.60, 0.94], [0.41, 0.38, 0.44, 0.40, 0.35]


def _run(
    path: Path, seed: int, weight: float, top1: Any, *, finish: bool = True, steps: int = 100
) -> Path:
    run = RunFolder.create(path, {"world": "w", "seed": seed, "mirror": {"weight": weight}}, seed)
    run.log_evaluation(
        {"iteration": 0, "env_steps": 0, "learned": {"top1": {"value": 0.99}}, "return": 1.0}
    )
    run.log_evaluation(
        {
            "iteration": 1,
            "env_steps": steps,
            "learned": {"top1": {"value": top1}},
            "return": 1.0 + seed,
        }
    )
    if finish:
        run.finish()
    return path


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    made = [_run(tmp_path / f"on{seed}", seed, 1.0, value) for seed, value in enumerate(WITH)]
    return made + [
        _run(tmp_path / f"off{seed}", seed, 0.0, value) for seed, value in enumerate(WITHOUT)
    ]


def test_runs_differ_in_what_their_configurations_differ_in_seeds_apart(paths: list[Path]) -> None:
    results = read_results(paths)
    assert varying_keys(results) == ("mirror.weight",)
    assert varying_keys(results[:5]) == ()


def test_values_by_seed_are_what_a_comparison_takes(paths: list[Path]) -> None:
    by_weight: dict[str, dict[int, float]] = {}
    for run in read_results(reversed(paths)):
        value = run.value("learned.top1")
        assert value is not None
        by_weight.setdefault(f"weight {run.settings['mirror.weight']}", {})[run.seed] = value
    (found,) = compare_with("weight 0.0", by_weight)
    differences = np.subtract(WITH, WITHOUT)
    test = stats.ttest_rel(WITH, WITHOUT).confidence_interval()
    estimate = found.difference.estimate
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(
        (differences.mean(), test.low, test.high)
    )


def test_a_missing_figure_is_unknown_and_not_zero(tmp_path: Path, paths: list[Path]) -> None:
    without = _run(tmp_path / "run", 0, 1.0, None)
    assert read_results([without])[0].value("learned.top1") is None
    assert read_results(paths)[0].value("limit.top1") is None


def test_an_unfinished_run_is_an_error_unless_allowed(tmp_path: Path, paths: list[Path]) -> None:
    unfinished = _run(tmp_path / "half", 9, 1.0, 0.1, finish=False)
    with pytest.raises(RunFolderError, match="half is running, not finished"):
        read_results([*paths, unfinished])
    assert len(read_results([*paths, unfinished], allow_unfinished=True)) == 11


def test_the_last_evaluation_counts_or_the_one_at_a_fixed_step(tmp_path: Path) -> None:
    path = _run(tmp_path / "run", 0, 1.0, 0.3)
    assert read_results([path])[0].value("learned.top1") == 0.3, "never the best one"
    assert read_results([path], at_steps=99)[0].value("learned.top1") == 0.99
    with pytest.raises(RunFolderError, match="no evaluation"):
        read_results([path], at_steps=-1)
