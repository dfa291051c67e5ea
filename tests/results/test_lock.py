"""A run folder has one writer, and a writer that was killed holds nothing."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.lock import only_writer
from mirrorenv.results.runs.run_folder import RunFolder

HOLD = """
import sys, time
from pathlib import Path
from mirrorenv.results.runs.lock import only_writer
with only_writer(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


def test_another_process_is_refused_by_name_until_the_writer_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "held\n"
        said = f"^{re.escape(str(tmp_path))} is being written by process {writer.pid} "
        try:
            with pytest.raises(RunFolderError, match=said), only_writer(tmp_path):
                pass
        finally:
            writer.send_signal(signal.SIGKILL)
    with only_writer(tmp_path):
        pass


def test_the_same_process_is_refused_too_and_may_come_back(tmp_path: Path) -> None:
    with only_writer(tmp_path), pytest.raises(RunFolderError), only_writer(tmp_path):
        pass
    with only_writer(tmp_path):
        pass


def test_an_error_inside_lets_go(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"), only_writer(tmp_path):
        raise ValueError("inside")
    with only_writer(tmp_path):
        pass


def test_a_training_is_refused_where_another_one_writes_and_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("ray")
    from mirrorenv.rllib.run import train
    from mirrorenv.rllib.settings import load_settings

    run = tmp_path / "run"
    with only_writer(run):
        (run / "metrics.jsonl").write_text("")
        before = {file.name: file.read_bytes() for file in run.iterdir()}
        with pytest.raises(RunFolderError, match="is being written by process"):
            train(load_settings("mirrorenv/ants-v0"), run)
        assert {file.name: file.read_bytes() for file in run.iterdir()} == before


def test_the_record_of_a_finished_run_is_not_written_again(tmp_path: Path) -> None:
    folder = RunFolder.create(tmp_path / "run", {"a": 1}, 0)
    folder.finish()
    record = (folder.path / "run.json").read_bytes()
    again = RunFolder.create(folder.path, {"a": 1}, 0, if_exists="resume")
    assert again.status == "finished"
    again.fail("what came later")
    again.finish()
    assert (folder.path / "run.json").read_bytes() == record
