"""A tuned population as a result folder: recomputed by strangers, damage found, on the board beside
others."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("trl", reason="needs the extra trl")

from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import ResultError
from mirrorenv.preference.export import export_preference
from mirrorenv.preference.run import train
from mirrorenv.results.board.board import collect
from mirrorenv.results.folders.result_folder import ResultFolder
from mirrorenv.results.folders.tables import read_table, table_file, write_table
from mirrorenv.results.folders.verify import verify_result
from mirrorenv.results.runs.manifest import write_manifest
from mirrorenv.results.runs.run_folder import RunFolder
from tests.preference.small import first_texts, small_settings
from tests.results.results_of_ants import table_folder


@pytest.fixture(scope="module")
def run(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    settings = small_settings(
        tiny_model, "learning.rounds=1", "learning.steps=12", "learning.on_policy=false"
    )
    path = tmp_path_factory.mktemp("runs") / "tuned"
    found = train(settings, path, pairs=first_texts())
    # voices that are one model would look alike under any change
    assert found.evaluations()[-1]["best"] == 1
    return found


@pytest.fixture(scope="module")
def result(run: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("out") / "result"
    return export_preference(run.path, out, form="npz")


def test_the_scores_are_those_of_the_run(run: RunFolder, result: Path) -> None:
    end = run.evaluations()[-1]["fresh"]["recognition"]
    voices, limit = (row["figures"] for row in ResultFolder.open(result).scores())
    assert voices["own"]["value"] == pytest.approx(end["sum"]["joint"]["value"])
    assert limit["own"] is None and limit["kl"] is None
    assert voices["nats"]["value"] == pytest.approx(end["lineup"]["information"]["value"], abs=1e-5)
    assert limit["nats"]["value"] == pytest.approx(end["limit"]["information"]["value"], abs=1e-5)
    assert voices["hits"]["episodes"] == end["lineups"]


def test_a_stranger_recomputes_hits_nats_and_own_over_other(result: Path) -> None:
    found = verify_result(result)
    assert any("own-over-other" in line for line in found.checks)
    assert any("only the models' weights" in line for line in found.unchecked)


@pytest.mark.parametrize(
    ("table", "column", "named"),
    [
        ("beliefs", "evidence", "nats"),
        ("episodes", "own", "own"),
        ("labels", "agent", "(hits|nats|own)"),
    ],
)
def test_a_number_changed_with_its_manifest_is_found_by_recomputation(
    result: Path, tmp_path: Path, table: str, column: str, named: str
) -> None:
    copy = Path(shutil.copytree(result, tmp_path / "copy"))
    path = table_file(copy, table)
    assert path is not None
    held = read_table(path)
    values = np.array(held[column])
    if column == "agent":
        values = 1 - values  # everybody is the other one
    else:
        values[~np.isnan(values)] *= 0.5
    write_table(copy, table, {**held, column: values}, "npz")
    write_manifest(copy)
    with pytest.raises(ResultError, match=named):
        verify_result(copy)


def test_an_unfinished_run_is_refused(run: RunFolder, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run.path, tmp_path / "copy"))
    path = copy / "run.json"
    path.write_text(path.read_text("utf-8").replace('"finished"', '"running"'), "utf-8")
    with pytest.raises(ResultError, match="prefer train"):
        export_preference(copy, tmp_path / "out")


def test_the_command_exports_and_the_board_keeps_kinds_apart(
    run: RunFolder, tmp_path: Path
) -> None:
    done = CliRunner().invoke(
        app, ["results", "export", str(run.path), "--condition", "tuned", "--npz"]
    )
    assert done.exit_code == 0, done.output
    ours = run.path / "result"
    table_folder(tmp_path / "other", {"scripted": {0: [1.0], 1: [2.0]}})
    sections = collect([ours, tmp_path / "other"])
    assert [section.title.split(": ")[-1] for section in sections] == ["preference", "table"]
    tuned, limit = sections[0].lines
    assert {tuned.agents, limit.agents} == {"fine-tuned language model", "exact limit"}
    assert {tuned.condition, limit.condition} == {"tuned", "tuned: limit"}
