"""Bash sees bytes inside bubblewrap or not at all, and an empty script scores nothing."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mirrorenv.bytes import shell
from mirrorenv.bytes.shell import BashRecorder, missing_for_bash
from mirrorenv.errors import WorldError


@pytest.fixture(scope="module")
def recorder() -> BashRecorder:
    if missing := missing_for_bash():
        pytest.skip(f"not installed: {', '.join(missing)}")
    try:
        return BashRecorder(seconds=1.0)
    except WorldError as error:
        pytest.skip(str(error))


def test_an_empty_script_scores_nothing(recorder: BashRecorder) -> None:
    assert recorder.record(b"") == Counter()
    assert recorder.empty.total() > 100


def test_what_a_script_does_is_what_is_left(recorder: BashRecorder) -> None:
    found = recorder.record(b"mkdir a b; exit 0")
    assert found is not None and found["mkdir"] == 2


def test_nothing_of_the_host_is_touched_or_reached(recorder: BashRecorder, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("kept")
    script = f"echo gone > {there}; rm -rf {tmp_path} /usr/bin; echo > /dev/tcp/127.0.0.1/9"
    assert recorder.record(script.encode()) is not None
    assert there.read_text() == "kept"
    assert Path("/usr/bin/bash").exists()


def test_a_script_without_end_is_ended(recorder: BashRecorder) -> None:
    recorder.record(b"while :; do :; done")


def test_it_is_refused_where_bubblewrap_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shell, "_PATH", "/nowhere")
    with pytest.raises(WorldError, match="bubblewrap"):
        BashRecorder()
