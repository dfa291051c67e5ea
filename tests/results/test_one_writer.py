"""A run folder has one writer, who is named, and a crash or another machine is told apart."""

from __future__ import annotations

import json
import os
import socket

import pytest

from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.lock import HOLDER, only_writer


def test_the_holder_is_named_and_lets_go(tmp_path):
    folder = tmp_path / "run"
    with only_writer(folder):
        said = f"process {os.getpid()} on {socket.gethostname()}"
        with pytest.raises(RunFolderError, match=said), only_writer(folder):
            pass
    assert not folder.exists()  # nothing came of it
    with only_writer(folder):
        (folder / "run.json").write_text("{}")
    with only_writer(folder):
        assert json.loads((folder / HOLDER).read_text())["pid"] == os.getpid()


def test_a_writer_of_this_machine_that_was_killed_is_no_hindrance(tmp_path):
    (tmp_path / HOLDER).write_text(json.dumps({"pid": 1, "host": socket.gethostname()}))
    with only_writer(tmp_path):
        pass


def test_a_writer_of_another_machine_is_believed_until_its_file_is_removed(tmp_path):
    (tmp_path / HOLDER).write_text(json.dumps({"pid": 7, "host": "another", "since": "now"}))
    with (
        pytest.raises(RunFolderError, match=r"process 7 on another.*remove"),
        only_writer(tmp_path),
    ):
        pass
    (tmp_path / HOLDER).unlink()
    with only_writer(tmp_path):
        pass


def test_a_damaged_note_of_the_holder_is_no_hindrance(tmp_path):
    (tmp_path / HOLDER).write_text("{")
    with only_writer(tmp_path):
        pass
