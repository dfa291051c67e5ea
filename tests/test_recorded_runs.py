"""Recorded runs, trained again: the same bytes of evidence and trajectories, the same scores.

What is compared does not depend on when or where it was written: the tables of a result folder
file by file, and its scores; not `result.json`, which names versions and the commit.
"""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ray")

from benchmarks.shared.bare_grid import run_bare  # noqa: E402
from benchmarks.studies import hard_roles  # noqa: E402
from benchmarks.suites.suite import HERE as SUITES  # noqa: E402
from benchmarks.suites.suite import Piece, runner_of  # noqa: E402
from mirrorenv.results.board.suite import load_suite  # noqa: E402

pytestmark = pytest.mark.slow

RECORDED = Path(__file__).resolve().parents[1] / "benchmarks" / "results"
TABLES = ("beliefs", "episodes", "labels", "steps", "trials")


def again(name: str, row: str, seed: int, out: Path) -> Path:
    """One piece of a suite, trained and exported as `benchmarks/suites/suite.py` does."""
    suite = load_suite(SUITES / f"{name}.toml")
    (found,) = (one for one in suite.rows if one.row == row)
    piece = Piece(found, (seed,), out / row / f"seed{seed}")
    runner_of(suite, found.runner)(found, piece.seeds, suite.mark(row), piece.folder)
    return piece.folder


def scores_of(folder: Path) -> Any:
    return json.loads((folder / "scores.json").read_text())


@pytest.mark.parametrize(
    ("row", "seed"), [("ants-separate-author-terminal", 0), ("conformity-separate-author", 3)]
)
def test_a_recorded_row_of_the_suite_worlds_trains_to_the_same_bytes(
    row, seed, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    made = again("worlds", row, seed, tmp_path)
    recorded = RECORDED / "worlds" / row / f"seed{seed}"
    for table in TABLES:
        file = f"{table}.parquet"
        assert (made / file).read_bytes() == (recorded / file).read_bytes(), file
    assert scores_of(made) == scores_of(recorded)


@pytest.mark.parametrize(("condition", "seed"), [("mirror", 9), ("shuffled names", 0)])
def test_a_recorded_run_of_the_chain_ends_where_it_did(condition, seed, tmp_path):
    recorded = json.loads((RECORDED / "hard_roles.json").read_text())[condition]
    options = Namespace(
        seeds=1, first_seed=seed, only=condition, smoke=False, table=False, out=tmp_path, jobs=1
    )
    ((path,),) = run_bare(
        {condition: hard_roles.CONDITIONS[condition]}, options, hard_roles.SMOKE
    ).values()
    divided, top1 = hard_roles.measured(path)
    index = recorded["seeds"].index(seed)
    assert round(divided, 5) == recorded["divided_fraction"]["values"][index]
    assert round(top1, 5) == recorded["top1"]["values"][index]
