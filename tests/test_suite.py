"""The suite runner: cost first, resumable, split into parts, and the same command after anything
that stopped it."""

from __future__ import annotations

import importlib
import json
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import ConfigError, ResultError
from mirrorenv.results.board.board import collect, result_folders
from mirrorenv.results.board.check import check_submission
from mirrorenv.results.board.suite import find_suites, load_suite
from mirrorenv.results.folders.result_folder import ResultFolder

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    return importlib.import_module("benchmarks.suites.suite")


@pytest.fixture(autouse=True)
def without_ray() -> None:
    """Other tests of this process may have left Ray up, and the command starts its own."""
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


def options(out: Path, **changes: object) -> Namespace:
    return Namespace(
        **{
            "out": out,
            "smoke": True,
            "part": (1, 1),
            "only": "",
            "cost": False,
            "ray_address": None,
            "replace": False,
            **changes,
        }
    )


@pytest.fixture(scope="module")
def theory():
    return load_suite(BENCHMARKS / "suites" / "theory.toml")


def test_the_cost_is_printed_before_anything_runs(runner, theory, tmp_path, capsys):
    assert runner.run(theory, options(tmp_path, smoke=False, cost=True)) == 0
    said = capsys.readouterr().out
    assert (
        f"whole suite {theory.seconds / 60:.1f} minutes of one core" in said
        and "dirichlet-8-10-50" in said
    )
    assert not list(tmp_path.iterdir())


def test_a_piece_that_is_there_is_not_run_again(runner, theory, tmp_path, capsys):
    few = options(tmp_path, only="optimum-conformity-2-2")
    assert runner.run(theory, few) == 1
    assert runner.run(theory, few) == 0
    scores = tmp_path / "optimum-conformity-2-2" / "all" / "scores.json"
    scores.write_text(scores.read_text() + " ")  # torn, or touched
    assert runner.run(theory, few) == 1
    assert "left     0.0" in capsys.readouterr().out


def test_a_smoke_run_does_not_pass_for_the_real_one(runner, theory, tmp_path):
    few = options(tmp_path, only="optimum-conformity-2-2")
    runner.run(theory, few)
    pieces = runner.pieces_of(theory, tmp_path, few.only, (1, 1), False)
    assert not runner.is_done(pieces[0], theory.mark(pieces[0].row.row))


def test_parts_share_the_pieces_out(runner, theory, tmp_path):
    whole = runner.pieces_of(theory, tmp_path, "", (1, 1), False)
    parts = [runner.pieces_of(theory, tmp_path, "", (k, 3), False) for k in (1, 2, 3)]
    assert sorted(piece.folder for part in parts for piece in part) == sorted(
        piece.folder for piece in whole
    )
    # one row has a folder for each of 5 seeds
    assert len({piece.folder for piece in whole}) == len(whole) == 38 + 5
    assert [piece.seeds[0] for piece in whole] == sorted(piece.seeds[0] for piece in whole)


def test_one_command_runs_one_builds_one_checks(runner, theory, tmp_path):
    runner.run(theory, options(tmp_path / "smoke", only="dirichlet-4-10-20"))
    runner.run(theory, options(tmp_path / "smoke", only="orbit-identity"))
    out = tmp_path / "board.html"
    command = [
        "board",
        "build",
        str(tmp_path / "smoke"),
        "--suites",
        str(BENCHMARKS / "suites"),
        "--out",
        str(out),
    ]
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout.splitlines()[-1])["results"] == 2
    assert "smoke run" in out.read_text("utf-8")
    folder = tmp_path / "smoke" / "dirichlet-4-10-20" / "all"
    assert CliRunner().invoke(app, ["verify", str(folder)]).exit_code == 0
    done = CliRunner().invoke(
        app, ["board", "check", str(folder), "--suites", str(BENCHMARKS / "suites")]
    )
    assert "is a smoke run" in str(done.exception)


def test_the_rows_are_the_benchmarks_own_numbers(runner, theory, tmp_path):
    runner.run(theory, options(tmp_path, only="dirichlet-4-10-20"))
    table = importlib.import_module("benchmarks.studies.dirichlet_table")
    folder = ResultFolder.open(tmp_path / "dirichlet-4-10-20" / "all")
    drawn = table.known_matches(4, 10, 20, 20, seed=1)
    held = {(row["condition"], row["seed"]): row["figures"] for row in folder.scores()}
    found = held["exact limit, all together", 1]
    assert found["top1"]["value"] == pytest.approx(drawn["joint top-1"].mean())
    assert found["nats"]["value"] == pytest.approx(np.float32(drawn["joint nats"]).mean(), rel=1e-5)
    reference = folder.result.entries[1].references["top1"]
    assert (reference.value, reference.source) == (0.721, "300 recorded matches")


def test_recorded_suites_are_whole_and_true():
    """What is committed under benchmarks/results passes the same check as anybody's submission."""
    suites = {path.stem for path in (BENCHMARKS / "suites").glob("*.toml")}
    recorded = [path for path in (BENCHMARKS / "results").iterdir() if path.name in suites]
    assert len(recorded) >= 5
    for folder in recorded:
        assert check_submission(folder, find_suites(folder)).folders
        assert collect(result_folders([folder]), find_suites(folder))


def test_ray_spreads_the_pieces_and_makes_the_same_results(runner, theory, tmp_path):
    few = {"only": "optimum-identity,dirichlet-2-10-5/"}
    assert runner.run(theory, options(tmp_path / "here", **few)) == 2
    spread = options(tmp_path / "spread", ray_address="local", **few)
    assert runner.run(theory, spread) == 2
    assert runner.run(theory, spread) == 0
    for row in ("optimum-identity", "dirichlet-2-10-5"):
        here, there = (
            ResultFolder.open(tmp_path / where / row / "all") for where in ("here", "spread")
        )
        assert here.scores() == there.scores() and here.result.suite == there.result.suite


def test_a_piece_that_fails_on_ray_is_named_and_keeps_no_other_from_ending(
    runner, theory, tmp_path
):
    rows = [row for row in theory.rows if row.row in ("optimum-identity", "orbit-identity")]
    broken = rows[0].model_copy(update={"arguments": {"agents": "two"}})
    suite = theory.model_copy(update={"rows": (broken, rows[1])})
    with pytest.raises(ResultError, match=rf"1 of 2 pieces failed; .*{broken.row}/all: "):
        runner.run(suite, options(tmp_path, ray_address="local"))
    assert ResultFolder.open(tmp_path / rows[1].row / "all").result.suite.row == rows[1].row
    assert not (tmp_path / broken.row).exists()


def test_ray_removes_no_folder_that_is_no_result(runner, theory, tmp_path):
    kept = tmp_path / "optimum-identity" / "all" / "notes.txt"
    kept.parent.mkdir(parents=True)
    kept.write_text("mine")
    with pytest.raises(ResultError, match="holds no result; choose another --out"):
        runner.run(theory, options(tmp_path, only="optimum-identity", ray_address="local"))
    assert kept.read_text() == "mine"


@pytest.mark.slow
def test_a_lost_node_loses_no_piece(runner, theory, tmp_path):
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    lost = cluster.add_node(num_cpus=1)
    try:
        chosen = options(tmp_path, only="dirichlet-", ray_address=cluster.address)
        pieces = runner.pieces_of(theory, chosen.out, chosen.only, chosen.part, chosen.smoke)
        ended = 0
        for _ in runner.made(theory, pieces, chosen):
            ended += 1
            if ended == 2:
                cluster.remove_node(lost, allow_graceful=False)
    finally:
        cluster.shutdown()
    assert ended == len(pieces) == 18
    assert all(runner.is_done(piece, theory.mark(piece.row.row, smoke=True)) for piece in pieces)


def test_a_whole_result_of_another_kind_is_replaced_only_on_request(runner, theory, tmp_path):
    few = {"only": "optimum-identity"}
    assert runner.run(theory, options(tmp_path, smoke=False, **few)) == 1
    path = tmp_path / "optimum-identity" / "all" / "result.json"
    before = path.read_bytes()
    with pytest.raises(ConfigError, match=r"holds a whole result of 'theory' 1, hash .*--replace"):
        runner.run(theory, options(tmp_path, **few))
    newer = theory.model_copy(update={"version": 2})
    with pytest.raises(ConfigError, match="holds a whole result"):
        runner.run(newer, options(tmp_path, smoke=False, **few))
    assert path.read_bytes() == before
    assert runner.run(theory, options(tmp_path, replace=True, **few)) == 1
    with pytest.raises(ConfigError, match="a smoke run: choose another"):
        runner.run(theory, options(tmp_path, smoke=False, **few))


def test_a_name_that_no_row_has_is_an_error_and_blanks_are_nothing(runner, theory, tmp_path):
    with pytest.raises(ConfigError, match="no row of 'theory' has such a name"):
        runner.pieces_of(theory, tmp_path, "zzz", (1, 1), False)
    assert (
        len(runner.pieces_of(theory, tmp_path, "optimum-identity, orbit-identity", (1, 1), False))
        == 2
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["theory", "--only", ""], 2, "--only: it is empty"),
        (["theory", "--out", " "], 2, "--out: it is empty"),
        (["theory", "--ray-address", ""], 2, "--ray-address: it is empty"),
        (["theory", "--smoke", "--only", "zzz"], 1, "no row of 'theory'"),
        (["theory", "--smoke", "--only", "optimum-identity", "--out", "{file}"], 1, "error: "),
        (
            ["theory", "--smoke", "--only", "optimum-identity", "--ray-address", "nonsense"],
            1,
            "write host:port",
        ),
        (
            ["theory", "--smoke", "--only", "optimum-identity", "--ray-address", "127.0.0.1:1"],
            1,
            "no Ray cluster answers",
        ),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(
    runner, tmp_path, monkeypatch, capsys, words, code, said
):
    (tmp_path / "file").write_text("x")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "sys.argv", ["suite.py", *(word.format(file=tmp_path / "file") for word in words)]
    )
    with pytest.raises(SystemExit) as stopped:
        runner.main()
    told = str(stopped.value.code) if code == 1 else capsys.readouterr().err
    assert said in told and (stopped.value.code == 2 or "\n" not in told)


def test_without_options_the_whole_suite_is_meant(runner, theory, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["suite.py", "theory", "--cost", "--out", str(tmp_path)])
    runner.main()
    said = capsys.readouterr().out
    assert [row.row for row in theory.rows if row.row not in said] == []
