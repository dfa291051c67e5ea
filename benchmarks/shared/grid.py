"""Conditions x seeds of training runs through the public command, resumable, and their table.

Not a benchmark itself: the suites beside it import it. A run that is finished is not run again; a
run that was cut short starts over. Every run is a folder that `mirrorenv report` turns into a page.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.shared.runner import Progress, Script
from mirrorenv.mirror import bootstrap_t_interval, t_interval
from mirrorenv.results import RunFolder

Row = dict[str, Any]


class GridScript(Script):
    """The options that all grids of runs share.

    Args:
        about: the script's docstring.
        seeds: how many of every condition if nothing is said.
        out: folder under `runs`.
    """

    def __init__(self, about: str | None, *, seeds: int, out: str) -> None:
        super().__init__(about, json=True, seeds=seeds, smoke={})
        self.add_argument("--first-seed", type=int, default=0, help="the first seed (default 0)")
        self.add_argument(
            "--out", type=Path, default=Path("runs") / out, help="folder of the run folders"
        )
        self.add_argument(
            "--jobs", type=int, default=1, help="runs at a time; each takes about one core"
        )
        self.add_argument("--only", default="", help="only conditions whose name contains this")
        self.add_argument("--table", action="store_true", help="run nothing; print what is there")


def run_grid(
    conditions: Mapping[str, Sequence[str]], options: argparse.Namespace, smoke: Sequence[str]
) -> dict[str, list[Path]]:
    """Train every condition with every seed.

    Args:
        conditions: name -> arguments of `mirrorenv train`, world first.
        options: of a `GridScript`.
        smoke: further arguments of a smoke run.

    Returns:
        finished run folders by condition, in order of seeds.
    """
    chosen = {name: list(args) for name, args in conditions.items() if options.only in name}
    seeds = range(options.first_seed, options.first_seed + (1 if options.smoke else options.seeds))
    out = options.out / "smoke" if options.smoke else options.out
    # Seeds outside, conditions inside: whatever is there when time runs out is balanced.
    jobs = [(name, args, seed) for seed in seeds for name, args in chosen.items()]
    if not options.table:
        progress = Progress(len(jobs))

        def work(job: tuple[str, list[str], int]) -> None:
            name, args, seed = job
            words = [*args, *(smoke if options.smoke else ()), "--set", f"seed={seed}"]
            _train(out / name / f"seed{seed}", words)
            progress.done(f"{name} seed {seed}")

        with ThreadPoolExecutor(max(1, options.jobs)) as pool:
            list(pool.map(work, jobs))
    found = {}
    for name in chosen:
        folders = [out / name / f"seed{seed}" for seed in seeds]
        found[name] = [folder for folder in folders if _finished(folder)]
    return found


def _finished(path: Path) -> bool:
    return (path / "run.json").is_file() and RunFolder.open(path).status == "finished"


def _train(path: Path, args: Sequence[str]) -> None:
    if _finished(path):
        return
    command = [
        sys.executable,
        "-m",
        "mirrorenv",
        "train",
        *args,
        "--set",
        "evaluation.episodes_before_last=0",  # curves of studies rest on whole evaluations
        "--set",
        "evaluation.draws=common",  # as recorded, and conditions are compared on the same draws
        "--run",
        str(path),
        "--overwrite",
        "--quiet",
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode or not _finished(path):
        raise SystemExit(f"{' '.join(command)}\nfailed:\n{result.stderr[-3000:]}")


def rows_of(path: Path) -> list[Row]:
    """Every evaluation of a run."""
    return RunFolder.open(path).evaluations()


def figure(row: Row, key: str) -> float:
    """A figure of an evaluation by dotted key; NaN if it is undefined."""
    found: Any = row
    for part in key.split("."):
        found = (found or {}).get(part)
    if isinstance(found, Mapping):
        found = found.get("value")
    return float("nan") if found is None else float(found)


def interval(values: Sequence[float]) -> str:
    """Mean and t interval over seeds."""
    if len(values) < 2:
        return ", ".join(f"{value:.3f}" for value in values) or "-"
    return t_interval(values).text()


def summary(values: Sequence[float]) -> Row:
    """For the JSON: the values by seed, and t and bootstrap-t intervals of their mean."""
    row: Row = {"values": [round(value, 5) for value in values]}
    if len(values) > 1:
        row["t"] = t_interval(values).to_dict()
        if len(set(values)) > 1:
            row["bootstrap_t"] = bootstrap_t_interval(values, np.random.default_rng(0)).to_dict()
    return row


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Print and return a Markdown table."""
    by_column = zip(columns, *rows, strict=True)
    widths = [max(map(len, map(str, cells))) for cells in by_column]

    def line(cells: Sequence[str]) -> str:
        padded = [str(cell).ljust(width) for cell, width in zip(cells, widths, strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    table = "\n".join([line(columns), rule, *map(line, rows)])
    print(f"\n{title}\n\n{table}\n")
    return table
