"""The suites `worlds`, `labour`, `diversity` and `third-party`: rows on one budget, and what their
runners write."""

from __future__ import annotations

import importlib
import json
import math
from argparse import Namespace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mirrorenv.envs import make_batch
from mirrorenv.population.migration import read_run
from mirrorenv.population.objectives import known_objectives
from mirrorenv.population.train_batch import check_reward
from mirrorenv.results.board.board import collect, result_folders
from mirrorenv.results.board.suite import Suite, SuiteRow, load_suite
from mirrorenv.results.folders.result_folder import ResultFolder
from mirrorenv.results.folders.verify import verify_result
from mirrorenv.rllib.settings import RunSettings

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
NAMES = ("worlds", "third-party", "diversity", "labour")
SUITES = {name: load_suite(BENCHMARKS / "suites" / f"{name}.toml") for name in NAMES}


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    return importlib.import_module("benchmarks.suites.suite")


def smoke(runner: ModuleType, name: str, out: Path, only: str) -> int:
    options = Namespace(
        out=out, smoke=True, part=(1, 1), only=only, cost=False, ray_address=None, replace=False
    )
    return int(runner.run(SUITES[name], options))


def trained_rows(suite: Suite) -> list[SuiteRow]:
    return [row for row in suite.rows if row.runner == "trained"]


def settings_of(row: SuiteRow) -> RunSettings:
    return RunSettings.checked(read_run({**row.arguments["settings"], "world": row.world}))


@pytest.mark.parametrize("suite", SUITES.values(), ids=list(SUITES))
def test_every_row_has_a_runner_and_settings_that_the_trainer_knows(runner, suite):
    assert all(callable(runner.runner_of(suite, row.runner)) for row in suite.rows)
    for row in trained_rows(suite):
        settings = settings_of(row)
        check_reward(settings.mirror, 4 if settings.mirror.teams else 2)


@pytest.mark.parametrize("suite", SUITES.values(), ids=list(SUITES))
def test_rows_of_one_table_differ_in_what_is_paid_and_whose_the_weights_are_and_in_nothing_else(
    suite,
):
    for table in {row.table for row in trained_rows(suite)}:
        rows = [row for row in trained_rows(suite) if row.table == table]
        left: set[str] = set()
        for row in rows:
            settings: dict[str, Any] = settings_of(row).model_dump()
            settings.pop("mirror")
            settings["learning"].pop("entropy")
            for name in ("weights", "diversity"):
                settings["population"].pop(name)
            left.add(json.dumps({**settings, "episodes": row.arguments["episodes"]}))
        assert len(left) == 1, table
        conditions = [row.arguments["condition"] for row in rows]
        assert len(set(conditions)) == len(conditions)


def test_rows_of_one_table_have_as_many_seeds_or_say_that_they_repeat_others():
    for suite in SUITES.values():
        for table in {row.table for row in suite.rows}:
            seeds = {
                (row.first_seed, row.seeds) for row in trained_rows(suite) if row.table == table
            }
            assert len(seeds) <= 1 or suite.name == "labour", table


def test_the_suite_labour_repeats_rows_of_the_suite_worlds_on_seeds_nobody_looked_at():
    known = {row.row: row for row in SUITES["worlds"].rows}
    for row in SUITES["labour"].rows:
        assert row.arguments == known[row.row].arguments and row.world == known[row.row].world
        assert row.all_seeds[0] == 20 > max(known[row.row].all_seeds)
        assert row.seeds >= 6, (
            "fewer runs cannot put the probability of improvement clear of one half"
        )


def test_every_reward_is_compared_in_every_world_with_both_kinds_of_weights():
    compared: dict[tuple[str, str], set[str]] = {}
    for row in trained_rows(SUITES["worlds"]):
        settings = settings_of(row)
        compared.setdefault((row.world, settings.population.weights), set()).add(
            settings.mirror.reward
        )
    worlds = ("ants", "conformity", "dispersion", "identity", "pacmen", "turn")
    assert set(compared) == {
        (f"mirrorenv/{one}-v0", kind) for one in worlds for kind in ("separate", "shared")
    }
    # least_changed is a reward of the room of bytes: it pays an update, not a step
    rewards = {"mirror", *known_objectives(paying=True)} - {"least_changed"}
    assert all(paid == rewards for paid in compared.values())


def test_weights_pay_the_same_for_a_perfect_name():
    for row in trained_rows(SUITES["worlds"]):
        mirror, agents = settings_of(row).mirror, make_batch(row.world, 1).num_agents
        if mirror.reward == "eoi":
            assert mirror.weight * (1 - 1 / agents) == pytest.approx(math.log(agents), rel=0.01)


def test_scripted_teams_stand_beside_the_trained_ones(runner, tmp_path):
    assert smoke(runner, "worlds", tmp_path, "pacmen-scripted/") == 1
    folder = ResultFolder.open(tmp_path / "pacmen-scripted" / "all")
    held = {
        row["condition"]: row["figures"]["return"]["value"]
        for row in folder.scores()
        if row["seed"] == 0
    }
    assert held["specialists"] > 100 > held["coordinated"] > 0 > held["random"]
    assert [entry.agents for entry in folder.result.entries] == [
        "random",
        "scripted",
        "scripted",
        "scripted",
    ]
    verify_result(folder.path)


@pytest.mark.slow
def test_smoke_runs_of_trained_rows_are_results_that_verify(runner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    only = (
        "ants-separate-eoi/,conformity-shared-limit/,identity-separate-cds/,"
        "turn-shared-team/,ants-sb3/"
    )
    assert smoke(runner, "worlds", tmp_path / "out", only) == 5
    assert smoke(runner, "worlds", tmp_path / "out", only) == 0
    for folder in result_folders([tmp_path / "out"]):
        verify_result(folder)
    sections = collect(result_folders([tmp_path / "out"]), SUITES)
    assert {section.primary for section in sections} == {"learned.information", "return"}
    assert not list((tmp_path / "runs").rglob("seed0"))  # what was only needed on the way is gone


def test_diversity_is_set_from_nothing_up_in_every_world():
    asked: dict[str, list[float | None]] = {}
    for row in trained_rows(SUITES["diversity"]):
        asked.setdefault(row.world, []).append(settings_of(row).population.diversity)
    for world, some in asked.items():
        given = [one for one in some if one is not None]
        assert 0.0 in given and given == sorted(given) and len(given) >= 4, world


@pytest.mark.slow
def test_a_smoke_run_with_set_diversity_is_a_result_that_verifies(runner, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert smoke(runner, "diversity", tmp_path / "out", "dispersion-diversity-1/") == 1
    (folder,) = result_folders([tmp_path / "out"])
    verify_result(folder)


@pytest.mark.slow
def test_smoke_runs_in_worlds_of_others_are_results_that_verify(runner, tmp_path, monkeypatch):
    pytest.importorskip("mpe2")
    monkeypatch.chdir(tmp_path)
    assert smoke(runner, "third-party", tmp_path / "out", "spread-audit/,spread-author/") == 2
    audit = ResultFolder.open(tmp_path / "out" / "spread-audit" / "all")
    leaks = {row["condition"]: row["figures"]["leak"]["value"] for row in audit.scores()}
    assert max(leaks.values()) in (0.0, 1.0) and len(leaks) == 16
    trained = tmp_path / "out" / "spread-author" / "seed0"
    verify_result(trained, world="mpe2.simple_spread_v3:parallel_env")
