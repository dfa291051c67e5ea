"""A run folder says what it holds, refuses another run's configuration, and keeps whole checkpoints
only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.json_values import first_difference
from mirrorenv.results.runs.manifest import verify_manifest
from mirrorenv.results.runs.run_folder import RunFolder

CONFIG = {
    "world": "mirrorenv/ants-v0",
    "mirror": {"weight": 1.0, "credit": "author"},
    "total_steps": 100,
}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run", CONFIG, 3, device="cpu, 2 threads")


def test_what_was_created_is_what_is_opened(run: RunFolder) -> None:
    again = RunFolder.open(run.path)
    assert again.config == CONFIG
    assert again.info == run.info
    assert (again.info["seed"], again.info["device"], again.status) == (
        3,
        "cpu, 2 threads",
        "running",
    )
    assert again.info["versions"]["numpy"] == np.__version__
    assert again.info["versions"]["python"] == sys.version.split()[0]


def test_an_interrupted_run_says_so_and_a_finished_one_stays_finished(run: RunFolder) -> None:
    run.interrupt()
    assert RunFolder.open(run.path).status == "interrupted"
    resumed = RunFolder.create(run.path, CONFIG, 3, if_exists="resume")
    assert (resumed.status, resumed.info["reason"]) == ("running", None)
    resumed.finish()
    resumed.interrupt()
    assert RunFolder.open(run.path).status == "finished"


def test_status_moves_with_the_run(run: RunFolder) -> None:
    run.fail("no sample arrived for 10 iterations")
    failed = RunFolder.open(run.path)
    assert (failed.status, failed.info["reason"]) == (
        "failed",
        "no sample arrived for 10 iterations",
    )
    resumed = RunFolder.create(run.path, CONFIG, 3, if_exists="resume")
    assert (resumed.status, resumed.info["reason"], resumed.info["ended"]) == (
        "running",
        None,
        None,
    )
    resumed.finish()
    assert RunFolder.open(run.path).status == "finished"
    assert RunFolder.open(run.path).info["created"] == run.info["created"]


def test_rows_are_appended_and_come_back(run: RunFolder) -> None:
    run.log_metrics(
        {"iteration": 0, "env_steps": np.int64(10), "top1": np.float32(0.5), "kl": float("nan")}
    )
    run.log_metrics({"iteration": 1, "env_steps": 20, "top1": 0.75})
    run.log_evaluation({"iteration": 0, "env_steps": 0, "recognition_matrix": np.eye(2)})
    assert [row["top1"] for row in run.metrics()] == [0.5, 0.75]
    assert run.metrics()[0]["kl"] is None
    assert run.evaluations()[0]["recognition_matrix"] == [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("sign", [1, -1])
def test_an_infinite_e_value_is_not_lost(run: RunFolder, sign: int) -> None:
    run.log_evaluation({"iteration": 1, "env_steps": 5, "log_e_value": sign * float("inf")})
    assert run.evaluations()[0]["log_e_value"] == sign * 1e9


@pytest.mark.parametrize(
    "row",
    [{}, {"iteration": 0}, {"iteration": True, "env_steps": 1}, {"iteration": 0, "env_steps": 1.5}],
)
def test_a_row_that_cannot_be_placed_is_refused(run: RunFolder, row: dict[str, Any]) -> None:
    for log in (run.log_metrics, run.log_evaluation):
        with pytest.raises(RunFolderError, match="whole number"):
            log(row)
    assert run.metrics() == run.evaluations() == []


def test_metrics_are_flat(run: RunFolder) -> None:
    with pytest.raises(RunFolderError, match="'top1' is not a scalar"):
        run.log_metrics({"iteration": 0, "env_steps": 1, "top1": {"value": 1}})


def test_an_unfinished_line_is_left_out_and_noted_once(run: RunFolder) -> None:
    run.log_metrics({"iteration": 0, "env_steps": 1})
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"iteration": 1, "env_')
    assert len(run.metrics()) == len(run.metrics()) == 1
    assert run.notes == ["metrics.jsonl: an unfinished last line (22 bytes) was left out"]


def test_another_configuration_is_refused_by_its_first_differing_key(run: RunFolder) -> None:
    other = {**CONFIG, "mirror": {"weight": 0.5, "credit": "team"}}
    for choice in ("refuse", "resume"):
        with pytest.raises(
            RunFolderError, match=r"mirror\.credit .*'author'.*'team'.*choose another folder"
        ):
            RunFolder.create(run.path, other, 3, if_exists=choice)  # type: ignore[arg-type]
    elsewhere = {**other, "a": 1, "world": "mirrorenv/turn-v0"}  # the rest follows from it
    with pytest.raises(RunFolderError, match=r"with world = .*turn-v0"):
        RunFolder.create(run.path, elsewhere, 4, if_exists="resume")
    with pytest.raises(RunFolderError, match="seed"):
        RunFolder.create(run.path, CONFIG, 4, if_exists="resume")
    with pytest.raises(RunFolderError, match="already holds this run"):
        RunFolder.create(run.path, CONFIG, 3)


def test_a_resumed_run_may_change_what_it_is_told_it_may(run: RunFolder) -> None:
    longer = {**CONFIG, "total_steps": 200}
    with pytest.raises(RunFolderError, match="total_steps"):
        RunFolder.create(run.path, longer, 3, if_exists="resume")
    RunFolder.create(run.path, longer, 3, if_exists="resume", may_differ=["total_steps"])
    assert RunFolder.open(run.path).config["total_steps"] == 200


def test_overwriting_removes_the_old_run_and_nothing_else(run: RunFolder) -> None:
    run.log_metrics({"iteration": 0, "env_steps": 1})
    with run.new_checkpoint(1) as folder:
        (folder / "weights").write_text("old")
    (run.path / "notes.txt").write_text("mine")
    fresh = RunFolder.create(run.path, {"world": "other"}, 5, if_exists="overwrite")
    assert fresh.metrics() == fresh.checkpoints() == []
    assert sorted(path.name for path in run.path.iterdir()) == [
        "config.json",
        "notes.txt",
        "run.json",
    ]


@pytest.mark.parametrize("choice", ["refuse", "resume", "overwrite"])
def test_a_folder_with_other_things_is_never_touched(tmp_path: Path, choice: Any) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RunFolderError, match="not a run folder"):
        RunFolder.create(tmp_path, CONFIG, 3, if_exists=choice)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("info", ["{}", '{"format": 99}', '{"format": "1"}', "torn {"])
def test_a_folder_of_another_format_is_refused(run: RunFolder, info: str) -> None:
    (run.path / "run.json").write_text(info)
    with pytest.raises(RunFolderError, match=r"run\.json"):
        RunFolder.open(run.path)


def test_a_missing_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="nowhere is not a run folder"):
        RunFolder.open(tmp_path / "nowhere")


def test_checkpoints_are_whole_and_ordered(run: RunFolder) -> None:
    for steps in (2_000_000, 500):
        with run.new_checkpoint(steps) as folder:
            (folder / "weights").write_text(str(steps))
    with pytest.raises(ZeroDivisionError), run.new_checkpoint(900) as folder:
        (folder / "weights").write_text("half")
        _ = 1 / 0
    run.checkpoint_path(700).mkdir()  # without a manifest: somebody was killed in the middle
    assert [path.name for path in run.checkpoints()] == ["000000000500", "000002000000"]
    assert all(verify_manifest(path) == ("weights",) for path in run.checkpoints())
    assert not list((run.path / "checkpoints").glob(".*"))


def test_rewinding_drops_rows_after_a_checkpoint(run: RunFolder) -> None:
    for steps in (10, 20, 30):
        run.log_metrics({"iteration": steps, "env_steps": steps})
        run.log_evaluation({"iteration": steps, "env_steps": steps})
    run.rewind(20)
    assert (
        [row["env_steps"] for row in run.metrics()]
        == [row["env_steps"] for row in run.evaluations()]
        == [10, 20]
    )


def test_first_difference_is_the_first_in_order_and_none_for_equals() -> None:
    assert first_difference({"b": 1, "a": {"x": 1, "y": 2}}, {"b": 2, "a": {"x": 1, "y": 3}}) == (
        "a.y",
        2,
        3,
    )
    assert first_difference({"a": 1}, {}) == ("a", 1, "(absent)")
    assert first_difference({"a": {"x": 1}}, {"a": {"x": 2}}, ignore=["a.x"]) is None
    assert first_difference({"a": [1]}, {"a": [1]}) is None


def test_run_folders_need_nothing_heavy() -> None:
    code = """
import sys
from mirrorenv.results import RunFolder
RunFolder.open
heavy = {"torch", "ray", "matplotlib", "pandas"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_files_are_readable_without_this_package(run: RunFolder) -> None:
    run.log_metrics({"iteration": 0, "env_steps": 1})
    assert json.loads((run.path / "config.json").read_text()) == CONFIG
    assert json.loads((run.path / "metrics.jsonl").read_text())["env_steps"] == 1


def test_a_folder_whose_making_was_killed_is_made_again(run: RunFolder) -> None:
    # killed between writing and naming
    (run.path / "run.json").rename(run.path / ".run.json.0a1b2c3d.tmp")
    again = RunFolder.create(run.path, CONFIG, 3, if_exists="resume")
    assert again.status == "running"


def test_a_config_of_somebody_else_is_not_written_over(tmp_path: Path) -> None:
    theirs = '{"world": "mine"}'
    (tmp_path / "config.json").write_text(theirs)
    with pytest.raises(RunFolderError, match="not a run folder"):
        RunFolder.create(tmp_path, CONFIG, 3, if_exists="resume")
    assert (tmp_path / "config.json").read_text() == theirs


def test_a_folder_that_leads_elsewhere_is_refused(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (run.path / "plots").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunFolderError, match="plots is a link"):
        RunFolder.open(run.path)
    with pytest.raises(RunFolderError, match="plots is a link"):
        RunFolder.create(run.path, CONFIG, 3, if_exists="resume")


def test_what_was_exported_from_a_run_goes_with_it(run: RunFolder) -> None:
    (run.path / "result").mkdir()
    (run.path / "result" / "scores.json").write_text("{}")
    RunFolder.create(run.path, CONFIG, 4, if_exists="overwrite")
    assert not (run.path / "result").exists()
