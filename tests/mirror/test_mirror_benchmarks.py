"""The room's benchmarks run, speak JSON, and the simulation behind the table meets closed forms and
the reference."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def table() -> ModuleType:
    return importlib.import_module("benchmarks.studies.dirichlet_table")


@pytest.mark.parametrize(
    ("script", "keys"),
    [("studies/dirichlet_table", {"known", "few_shot"}), ("speed/permutation_speed", {"rows"})],
)
def test_the_scripts_run_and_speak_json(script: str, keys: set[str]) -> None:
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--smoke", "--json"]
    printed = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=BENCHMARKS.parent
    ).stdout
    found = json.loads(printed)
    assert keys <= set(found)
    assert all(found[key] for key in keys)


def test_two_agents_and_one_step_meet_the_closed_form(table: ModuleType) -> None:
    """Best guess between two known laws after one step: 1/2 + total variation / 2, in each of the
    visited states."""
    rng = np.random.default_rng(0)
    policies = rng.dirichlet(np.ones(table.ACTIONS), size=(1, 2, table.STATES))
    variation = np.abs(policies[0, 0] - policies[0, 1]).sum(axis=1).mean() / 2
    many = np.repeat(policies, 40_000, axis=0)
    columns = table.known_columns(table.known_evidence(table.draw_counts(rng, many, 1), many))
    assert columns["independent top-1"].mean() == pytest.approx(0.5 + variation / 2, abs=0.008)


@pytest.mark.parametrize(("agents", "alpha", "steps"), [(2, 1, 5), (4, 10, 20)])
def test_rows_of_the_recorded_table_are_reproduced(
    table: ModuleType, agents: int, alpha: int, steps: int
) -> None:
    row = table.known_row(agents, alpha, steps, matches=1500, seed=0)
    assert all(row["inside"].values()), row


def test_a_reference_that_is_off_is_seen(table: ModuleType) -> None:
    values = (np.random.default_rng(0).random(2000) < 0.7).astype(float)
    assert table.reference_inside(0.7, values, 300)
    assert not table.reference_inside(0.8, values, 300)
    assert not table.reference_inside(1.0, values, 300)
    assert table.reference_inside(1.0, np.append(np.ones(999), 0.0), 300)
