"""Several runs side by side: seeds and conditions, with intervals over seeds.

The seed is the unit here. Each run gives one number, read at its last evaluation (or at a step
count fixed beforehand), never at its best one. A run that has not finished is an error and not a
gap: leaving out the seeds that went wrong is the easiest way to a good average.

Shape legend: S seeds.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mirrorenv.errors import ConfigError, RunFolderError
from mirrorenv.mirror.intervals import Estimate, TextStyle, bootstrap_t_interval, t_interval
from mirrorenv.results.report.words import plain
from mirrorenv.results.runs.evaluation import Evaluation
from mirrorenv.results.runs.json_values import flatten
from mirrorenv.results.runs.record import RunRecord
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = [
    "Paired",
    "RunResult",
    "Summary",
    "format_table",
    "paired",
    "read_results",
    "summarise",
    "varying_keys",
]


@dataclass(frozen=True)
class RunResult:
    """What one run contributes to a comparison.

    Attributes:
        path: its folder.
        seed: its seed.
        settings: the configuration as dotted keys.
        evaluation: the one that counts.
    """

    path: Path
    seed: int
    settings: dict[str, Any]
    evaluation: Evaluation

    @property
    def env_steps(self) -> float:
        """Environment steps at which the run was read."""
        return float(self.evaluation.env_steps or 0.0)

    def value(self, key: str) -> float | None:
        """A figure without its interval.

        Args:
            key: dotted name in the evaluation, e.g. ``"learned.top1"``.

        Returns:
            the figure; None if it is missing or null.
        """
        found = self.evaluation.figure(key)
        return None if found is None else found.value


@dataclass(frozen=True)
class Summary:
    """One condition: mean over seeds with two intervals.

    Attributes:
        condition: what distinguishes these runs, e.g. ``"mirror.weight=1.0"``.
        key: the figure.
        t: mean with Student's t interval; None if no seed has the figure.
        bootstrap_t: mean with bootstrap-t interval, for skewed seeds; None likewise.
        values: figure by seed.
        missing: seeds whose figure is missing or null; they are in no mean.
        env_steps: least and most environment steps at which the runs were read.
    """

    condition: str
    key: str
    t: Estimate | None
    bootstrap_t: Estimate | None
    values: dict[int, float]
    missing: tuple[int, ...]
    env_steps: tuple[float, float]


@dataclass(frozen=True)
class Paired:
    """Differences by seed between two conditions, `condition` minus `against`.

    Attributes:
        condition: the one.
        against: the other.
        key: the figure.
        t: mean difference with Student's t interval; None if no seed is in both.
        bootstrap_t: the same with bootstrap-t interval.
        values: difference by seed.
        unmatched: seeds that lack a partner or a figure.
    """

    condition: str
    against: str
    key: str
    t: Estimate | None
    bootstrap_t: Estimate | None
    values: dict[int, float]
    unmatched: tuple[int, ...]


def read_results(
    paths: Iterable[str | os.PathLike[str]],
    *,
    at_steps: int | None = None,
    allow_unfinished: bool = False,
) -> list[RunResult]:
    """Read runs for a comparison.

    Args:
        paths: run folders.
        at_steps: read the latest evaluation at or before this many environment steps; by default
            the last one.
        allow_unfinished: also take runs that are running or failed.

    Raises:
        RunFolderError: if a folder is damaged, a run has not finished or has no evaluation to read.
    """
    return [_read(RunFolder.open(path), at_steps, allow_unfinished) for path in paths]


def _read(run: RunFolder, at_steps: int | None, allow_unfinished: bool) -> RunResult:
    if run.status != "finished" and not allow_unfinished:
        raise RunFolderError(
            f"{run.path} is {run.status}, not finished; finish it, or allow unfinished runs and "
            "say so beside the table"
        )
    rows = RunRecord.of(run.evaluations()).evaluations
    if at_steps is not None:
        rows = [row for row in rows if row.env_steps is not None and row.env_steps <= at_steps]
    if not rows:
        raise RunFolderError(
            f"{run.path} has no evaluation to read; run it longer or leave it out of the list"
        )
    seed = run.info.get("seed")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise RunFolderError(f"{run.path} does not say its seed in run.json")
    return RunResult(run.path, seed, dict(flatten(run.config)), rows[-1])


def varying_keys(results: Sequence[RunResult]) -> tuple[str, ...]:
    """Configuration keys in which the runs differ, without seeds."""
    keys = {key for result in results for key in result.settings if key.split(".")[-1] != "seed"}

    def varies(key: str) -> bool:
        return len({repr(result.settings.get(key)) for result in results}) > 1

    return tuple(key for key in sorted(keys) if varies(key))


def _condition(result: RunResult, by: Sequence[str]) -> str:
    return ", ".join(f"{key}={result.settings.get(key)}" for key in by) or "all runs"


def _grouped(
    results: Sequence[RunResult], by: Sequence[str] | None
) -> dict[str, dict[int, RunResult]]:
    """Runs by condition and seed, conditions in order of appearance."""
    keys = varying_keys(results) if by is None else by
    groups: dict[str, dict[int, RunResult]] = {}
    for result in results:
        group = groups.setdefault(_condition(result, keys), {})
        first = group.setdefault(result.seed, result)
        if first is not result:
            raise RunFolderError(
                f"{first.path} and {result.path} are both seed {result.seed} of "
                f"{_condition(result, keys)}; "
                "a seed counts once"
            )
    return groups


def _intervals(
    values: Sequence[float], confidence: float, seed: int
) -> tuple[Estimate | None, Estimate | None]:
    if not values:
        return None, None
    rng = np.random.default_rng(seed)
    return t_interval(values, confidence), bootstrap_t_interval(values, rng, confidence)


def summarise(
    results: Sequence[RunResult],
    key: str,
    *,
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> list[Summary]:
    """Mean of a figure over seeds, for each condition.

    Args:
        results: from `read_results`.
        key: dotted key of the evaluation, e.g. ``"learned.top1"`` or ``"return"``.
        by: configuration keys that make a condition; by default those in which the runs differ.
        confidence: of both intervals.
        seed: of the bootstrap, so that a table can be made again.

    Returns:
        One row a condition, in order of appearance.

    Raises:
        RunFolderError: if a condition holds a seed twice.
    """
    rows = []
    for condition, group in _grouped(results, by).items():
        found = {run_seed: group[run_seed].value(key) for run_seed in sorted(group)}
        values = {run_seed: value for run_seed, value in found.items() if value is not None}
        t, bootstrap_t = _intervals(list(values.values()), confidence, seed)
        missing = tuple(run_seed for run_seed, value in found.items() if value is None)
        read_at = [result.env_steps for result in group.values()]
        rows.append(
            Summary(condition, key, t, bootstrap_t, values, missing, (min(read_at), max(read_at)))
        )
    return rows


def paired(
    results: Sequence[RunResult],
    key: str,
    condition: str,
    against: str,
    *,
    by: Sequence[str] | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Paired:
    """Compare two conditions seed by seed.

    Args:
        results: from `read_results`.
        key: dotted key of the evaluation.
        condition: name of the one, as `summarise` gives it.
        against: name of the other.
        by: as in `summarise`.
        confidence: of both intervals.
        seed: of the bootstrap.

    Raises:
        ConfigError: if a condition does not exist.
        RunFolderError: if a condition holds a seed twice.
    """
    groups = _grouped(results, by)
    for name in (condition, against):
        if name not in groups:
            raise ConfigError(
                f"no runs of the condition '{name}'; there are: {'; '.join(groups) or 'none'}"
            )
    ours = groups[condition]
    theirs = groups[against]
    values = {}
    unmatched = []
    for run_seed in sorted({*ours, *theirs}):
        mine = ours[run_seed].value(key) if run_seed in ours else None
        other = theirs[run_seed].value(key) if run_seed in theirs else None
        if mine is None or other is None:
            unmatched.append(run_seed)
        else:
            values[run_seed] = mine - other
    t, bootstrap_t = _intervals(list(values.values()), confidence, seed)
    return Paired(condition, against, key, t, bootstrap_t, values, tuple(unmatched))


def _as_dict(row: Summary | Paired) -> dict[str, Any]:
    shared: dict[str, Any] = {
        "condition": row.condition,
        "key": row.key,
        "n": len(row.values),
        "t": row.t.to_dict() if row.t else None,
        "bootstrap_t": row.bootstrap_t.to_dict() if row.bootstrap_t else None,
        "values": {str(seed): value for seed, value in row.values.items()},
    }
    if isinstance(row, Paired):
        return {**shared, "against": row.against, "unmatched": list(row.unmatched)}
    return {**shared, "missing": list(row.missing), "env_steps": list(row.env_steps)}


def _three_decimals(value: float) -> str:
    return plain(value, 3)


STYLE = TextStyle(_three_decimals, interval="{low} to {high}", unknown="unknown")


def _ends(estimate: Estimate | None) -> str:
    """An interval alone."""
    return STYLE.unknown if estimate is None else estimate.interval_text(STYLE)


def _markdown_cell(text: str) -> str:
    kept = "".join(mark if mark.isprintable() else " " for mark in text)
    return kept.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _markdown_row(row: Summary | Paired) -> list[str]:
    name = f"{row.condition} minus {row.against}" if isinstance(row, Paired) else row.condition
    left_out = row.unmatched if isinstance(row, Paired) else row.missing
    seeds = str(len(row.values)) + (f" ({len(left_out)} left out)" if left_out else "")
    mean = STYLE.unknown if row.t is None else _three_decimals(row.t.value)
    cells = [name, row.key, seeds, mean, _ends(row.t), _ends(row.bootstrap_t)]
    return [_markdown_cell(text) for text in cells]


def format_table(
    rows: Sequence[Summary | Paired], style: Literal["markdown", "json"] = "markdown"
) -> str:
    """Rows of `summarise` and `paired` as text.

    Args:
        rows: the rows, in the order to print.
        style: ``"markdown"`` for people, ``"json"`` for programs (it also holds the figure of every
            seed).

    Raises:
        ConfigError: for another style.
    """
    if style == "json":
        return json.dumps([_as_dict(row) for row in rows], indent=2, allow_nan=False)
    if style != "markdown":
        raise ConfigError(f"unknown table style '{style}'; there are: markdown, json")
    heads = ["condition", "figure", "seeds", "mean", "t interval", "bootstrap-t interval"]
    lines = [heads, ["---", "---", "---:", "---:", "---:", "---:"]]
    lines += [_markdown_row(row) for row in rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
