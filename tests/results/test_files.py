"""Files keep their promises when a writer is killed, a line is cut or the disk is full."""

from __future__ import annotations

import errno
import json
import math
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs import files
from mirrorenv.results.runs.files import atomic_write_bytes, atomic_write_text, read_json, to_json
from mirrorenv.results.runs.json_lines import append_jsonl, read_jsonl

TEXT = st.text(st.characters(), max_size=20)  # lone surrogates and controls included
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.floats(width=32).map(np.float32)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4)
)
ROWS = st.dictionaries(TEXT, VALUES, max_size=5)

WRITER = """
    import os, sys
    from mirrorenv.results.runs.files import atomic_write_json
    from mirrorenv.results.runs.json_lines import append_jsonl
    folder, count = sys.argv[1], 0
    while True:
        rows = [count] * 5000
        atomic_write_json(os.path.join(folder, "state.json"), {"count": count, "rows": rows})
        append_jsonl(os.path.join(folder, "rows.jsonl"), {"count": count, "padding": "x" * 2000})
        os.write(1, b".")  # one dot for each row that was promised to be safe
        count += 1
"""


@given(st.lists(ROWS, max_size=5))
@settings(max_examples=40, deadline=None)
def test_rows_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    for row in rows:
        append_jsonl(path, row)
    assert read_jsonl(path) == ([to_json(row) for row in rows], 0)


def test_numbers_that_json_lacks_are_written_as_null(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    append_jsonl(
        path,
        {"a": math.nan, "b": [math.inf, np.float32("-inf"), 1.5], "c": np.array([[1.0, np.nan]])},
    )
    assert path.read_text() == '{"a": null, "b": [null, null, 1.5], "c": [[1.0, null]]}\n'


@pytest.mark.parametrize("value", [{1: 2}, {"x": {2, 3}}, {"x": 1j}, {"deep": [{"er": object()}]}])
def test_what_is_not_json_is_refused_with_its_place(tmp_path: Path, value: Any) -> None:
    with pytest.raises(RunFolderError, match=r"row|row\.deep\[0\]\.er"):
        append_jsonl(tmp_path / "rows.jsonl", value)
    assert not (tmp_path / "rows.jsonl").exists()


def test_a_line_cut_anywhere_costs_that_line_only(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    for index in range(3):
        append_jsonl(path, {"index": index, "nested": {"é": [index]}})
    whole = path.read_bytes()
    ends = [position for position, byte in enumerate(whole, start=1) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        # a row that lost its newline only is whole
        kept = sum(end <= cut for end in ends) + (cut + 1 in ends)
        found = read_jsonl(path)
        assert [row["index"] for row in found.rows] == list(range(kept))
        assert (found.torn_bytes > 0) == (cut not in ends and cut + 1 not in ends and cut != 0)
        append_jsonl(path, {"index": 99})
        assert [row["index"] for row in read_jsonl(path).rows] == [*range(kept), 99]


@pytest.mark.parametrize(
    "damage", [b"\xff\xfe\n", b"{]\n", b"[1]\n", b"\n", b'{"a": NaN}\n', b"[" * 100_000 + b"\n"]
)
def test_damage_elsewhere_is_an_error_that_names_the_line(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"a": 1}\n' + damage + b'{"a": 2}\n')
    with pytest.raises(RunFolderError, match=r"rows\.jsonl, line 2: damaged"):
        read_jsonl(path)


def test_a_missing_file_has_no_rows_but_a_missing_object_is_an_error(tmp_path: Path) -> None:
    assert read_jsonl(tmp_path / "rows.jsonl") == ([], 0)
    with pytest.raises(RunFolderError, match=r"cannot read .*state\.json"):
        read_json(tmp_path / "state.json")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff", b'{"a": Infinity}'])
def test_a_damaged_object_is_an_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.json"
    path.write_bytes(content)
    with pytest.raises(RunFolderError, match=r"state\.json"):
        read_json(path)


def test_a_file_of_absurd_size_is_refused_unread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    (tmp_path / "rows.jsonl").write_text('{"a": "long enough"}\n')
    with pytest.raises(RunFolderError, match="larger than"):
        read_jsonl(tmp_path / "rows.jsonl")


def test_a_writer_killed_at_any_moment_leaves_whole_files(tmp_path: Path) -> None:
    state, rows, promised, delays = (
        tmp_path / "state.json",
        tmp_path / "rows.jsonl",
        0,
        random.Random(7),
    )
    for _ in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=Path.cwd(),
        )
        assert writer.stdout is not None
        promised += len(os.read(writer.stdout.fileno(), 1))  # it is at work now
        time.sleep(delays.uniform(0.0, 0.08))
        writer.send_signal(signal.SIGKILL)
        promised += len(writer.stdout.read())
        writer.wait()
        found = read_json(state)
        assert found["rows"] == [found["count"]] * 5000
        assert len(read_jsonl(rows).rows) >= promised
    leftovers = [path.name for path in tmp_path.iterdir() if path not in (state, rows)]
    assert all(name.startswith(".state.json.") and name.endswith(".tmp") for name in leftovers)


def _full_after(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk with space for `room` more bytes: a short write first, then ENOSPC."""
    real, left = os.write, [room]

    def write(descriptor: int, data: bytes) -> int:
        if left[0] == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = real(descriptor, bytes(data)[: left[0]])
        left[0] -= written
        return written

    monkeypatch.setattr(os, "write", write)


@pytest.mark.parametrize("room", [0, 5])
def test_a_full_disk_is_a_typed_error_and_leaves_the_old_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    state, rows = tmp_path / "state.json", tmp_path / "rows.jsonl"
    atomic_write_text(state, "old")
    append_jsonl(rows, {"index": 0})
    with monkeypatch.context() as patch:
        _full_after(room, patch)
        with pytest.raises(RunFolderError, match=r"cannot write .*state\.json.*free some space"):
            atomic_write_text(state, "something new")
        _full_after(room, patch)
        with pytest.raises(
            RunFolderError, match=r"cannot append to .*rows\.jsonl.*free some space"
        ):
            append_jsonl(rows, {"index": 1})
    assert state.read_text() == "old"
    assert read_jsonl(rows) == ([{"index": 0}], 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl", "state.json"]


def test_a_really_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        atomic_write_bytes(disk / "state", b"o" * 20_000)
        with pytest.raises(RunFolderError, match="free some space"):
            atomic_write_bytes(disk / "state", b"n" * 60_000)
        assert (disk / "state").read_bytes() == b"o" * 20_000
        with pytest.raises(RunFolderError, match="free some space"):
            for index in range(100):
                append_jsonl(disk / "rows.jsonl", {"index": index, "padding": "x" * 3000})
        lines = read_jsonl(disk / "rows.jsonl")
        assert lines.torn_bytes == 0
        assert [row["index"] for row in lines.rows] == list(range(len(lines.rows)))
        assert 5 < len(lines.rows) < 20
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_does_not_exist_is_a_typed_error(tmp_path: Path) -> None:
    for write in (lambda path: atomic_write_text(path, "x"), lambda path: append_jsonl(path, {})):
        with pytest.raises(RunFolderError, match="No such file"):
            write(tmp_path / "missing" / "file")


def test_json_lines_are_plain_ascii_lines(tmp_path: Path) -> None:
    append_jsonl(tmp_path / "rows.jsonl", {"a": "line\nbreak\u2028é"})
    text = (tmp_path / "rows.jsonl").read_text("ascii")
    assert text.count("\n") == 1
    assert json.loads(text) == {"a": "line\nbreak\u2028é"}
