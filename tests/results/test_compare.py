"""Comparisons count seeds, pair them, and leave nothing out silently."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mirrorenv.errors import ConfigError, RunFolderError
from mirrorenv.results.runs.run_folder import RunFolder
from mirrorenv.results.stats.compare import (
    format_table,
    paired,
    read_results,
    summarise,
    varying_keys,
)

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


def test_conditions_are_what_the_configurations_differ_in(paths: list[Path]) -> None:
    results = read_results(paths)
    assert varying_keys(results) == ("mirror.weight",)
    assert [row.condition for row in summarise(results, "learned.top1")] == [
        "mirror.weight=1.0",
        "mirror.weight=0.0",
    ]
    assert [row.condition for row in summarise(results[:5], "learned.top1")] == ["all runs"]


def test_the_mean_and_its_t_interval_are_student_s(paths: list[Path]) -> None:
    row = summarise(read_results(paths), "learned.top1")[0]
    low, high = stats.t.interval(0.95, 4, np.mean(WITH), stats.sem(WITH))
    assert row.t is not None and row.bootstrap_t is not None
    assert (row.t.value, row.t.low, row.t.high) == pytest.approx((np.mean(WITH), low, high))
    assert row.bootstrap_t.value == pytest.approx(np.mean(WITH))
    assert row.bootstrap_t.low < low, "one weak seed: the long tail is below"
    assert row.values == dict(enumerate(WITH))
    assert row == summarise(read_results(paths), "learned.top1")[0], "made again, the same"


def test_pairs_are_formed_by_seed(paths: list[Path]) -> None:
    results = read_results(reversed(paths))
    row = paired(results, "learned.top1", "mirror.weight=1.0", "mirror.weight=0.0")
    differences = np.subtract(WITH, WITHOUT)
    test = stats.ttest_rel(WITH, WITHOUT).confidence_interval()
    assert row.t is not None
    assert (row.t.value, row.t.low, row.t.high) == pytest.approx(
        (differences.mean(), test.low, test.high)
    )
    assert list(row.values.values()) == pytest.approx(differences)
    assert row.unmatched == ()


def test_seeds_without_a_partner_or_a_figure_are_named(tmp_path: Path) -> None:
    on = [
        _run(tmp_path / f"on{seed}", seed, 1.0, value)
        for seed, value in ((1, 0.9), (2, None), (3, 0.8), (4, 0.7))
    ]
    off = [_run(tmp_path / f"off{seed}", seed, 0.0, 0.5) for seed in (1, 2, 3, 5)]
    results = read_results(on + off)
    row = paired(results, "learned.top1", "mirror.weight=1.0", "mirror.weight=0.0")
    assert (list(row.values), row.unmatched) == ([1, 3], (2, 4, 5))
    summary = summarise(results, "learned.top1")[0]
    assert (list(summary.values), summary.missing) == ([1, 3, 4], (2,))
    assert "3 (1 left out)" in format_table([summary])


def test_a_figure_nobody_has_is_unknown_and_not_zero(paths: list[Path]) -> None:
    row = summarise(read_results(paths), "limit.top1")[0]
    assert row.t is row.bootstrap_t is None
    assert format_table([row]).endswith(
        "| mirror.weight=1.0 | limit.top1 | 0 (5 left out) | unknown | unknown | unknown |"
    )


def test_one_seed_has_no_interval(tmp_path: Path) -> None:
    rows = summarise(read_results([_run(tmp_path / "run", 0, 1.0, 0.9)]), "learned.top1")
    assert format_table(rows).endswith(
        "| all runs | learned.top1 | 1 | 0.900 | unknown | unknown |"
    )
    assert json.loads(format_table(rows, "json"))[0]["t"] == {
        "value": 0.9,
        "low": None,
        "high": None,
    }


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


def test_a_seed_counts_once(tmp_path: Path, paths: list[Path]) -> None:
    again = _run(tmp_path / "again", 0, 1.0, 0.9)
    with pytest.raises(RunFolderError, match=r"both seed 0 of mirror\.weight=1\.0"):
        summarise(read_results([*paths, again]), "learned.top1")


def test_an_unknown_condition_or_style_is_answered_with_the_known_ones(paths: list[Path]) -> None:
    results = read_results(paths)
    with pytest.raises(ConfigError, match=r"mirror\.weight=1\.0; mirror\.weight=0\.0"):
        paired(results, "learned.top1", "weight=1", "mirror.weight=0.0")
    with pytest.raises(ConfigError, match="markdown, json"):
        format_table([], "latex")  # type: ignore[arg-type]


def test_tables_hold_what_they_show(tmp_path: Path) -> None:
    path = tmp_path / "run"
    run = RunFolder.create(path, {"name": "a|b\n<c>"}, 1)
    run.log_evaluation({"iteration": 0, "env_steps": 7, "return": math.e})
    run.finish()
    rows = summarise(read_results([path]), "return", by=["name"])
    assert "name=a\\|b &lt;c>" in format_table(rows)
    assert len(format_table(rows).splitlines()) == 3
    decoded = json.loads(format_table(rows, "json"))
    assert decoded[0]["values"] == {"1": math.e}
    assert decoded[0]["env_steps"] == [7.0, 7.0]
