"""Files of JSON lines: rows are appended, and a crash costs at most the one being written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.files import MAX_PARTS, disk, parse_json, read_bytes, to_json, write_all

__all__ = ["JsonLines", "append_jsonl", "append_jsonl_rows", "json_lines", "read_jsonl"]

_MOST = 4 * MAX_PARTS  # values of one log


class JsonLines(NamedTuple):
    """What a file of JSON lines held.

    Attributes:
        rows: one dict a line, in file order.
        torn_bytes: length of an unfinished last line that was left out; 0 if the file was whole.
    """

    rows: list[dict[str, Any]]
    torn_bytes: int


def _parse_row(line: bytes) -> dict[str, Any]:
    row = parse_json(line.decode("utf-8"))
    if not isinstance(row, dict):
        raise ValueError(f"a {type(row).__name__} where an object belongs")
    return row


def _is_row(line: bytes) -> bool:
    # The text of an object ends with its closing brace, so no true prefix of it parses: if the last
    # line parses, only its newline was lost.
    with suppress(ValueError):
        _parse_row(line)
        return True
    return False


def json_lines(rows: Iterable[Mapping[str, Any]]) -> str:
    """Rows as ASCII text, one JSON object a line, through `to_json`."""
    return "".join(json.dumps(to_json(row, "row"), allow_nan=False) + "\n" for row in rows)


def append_jsonl(path: str | os.PathLike[str], row: Mapping[str, Any]) -> None:
    """`append_jsonl_rows` of one row."""
    append_jsonl_rows(path, [row])


def append_jsonl_rows(path: str | os.PathLike[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Append rows, one line each, in a single write, synced once. One writer at a time.

    An unfinished last line of a killed writer is removed first, so that the file stays readable. A
    write that fails half way (disk full) is taken back.

    Args:
        path: the file; made if it does not exist.
        rows: objects; see `to_json` for what their values may be.

    Raises:
        RunFolderError: if a row is not JSON or the disk refuses.
    """
    path = Path(path)
    line = json_lines(rows).encode("ascii")
    with disk("append to", path):
        descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666
        )
        try:
            line = _mend_tail(descriptor) + line
            size = os.fstat(descriptor).st_size
            try:
                write_all(descriptor, line)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _mend_tail(descriptor: int) -> bytes:
    """Cut off an unfinished last line; return the newline that a finished one may lack."""
    size = os.fstat(descriptor).st_size
    tail = b""
    start = size
    while start > 0 and b"\n" not in tail:
        step = min(start, 1 << 16)
        start -= step
        os.lseek(descriptor, start, os.SEEK_SET)
        tail = os.read(descriptor, step) + tail
    last = tail[tail.rfind(b"\n") + 1 :]
    if not last:
        return b""
    if _is_row(last):
        return b"\n"
    os.ftruncate(descriptor, size - len(last))
    return b""


def read_jsonl(path: str | os.PathLike[str]) -> JsonLines:
    """Every row of a file of JSON lines.

    Exactly one kind of damage is forgiven, the one a killed writer leaves: a last line without its
    newline that does not parse. It is left out and its length reported. A missing file has no rows.

    Raises:
        RunFolderError: for anything else that is not an object a line; the message names the line.
    """
    path = Path(path)
    if not path.exists():
        return JsonLines([], 0)
    data = read_bytes(path).removeprefix(b"\xef\xbb\xbf")
    if sum(map(data.count, (b",", b"[", b"{"))) > _MOST:
        raise RunFolderError(f"{path} holds more than {_MOST:,} values; no run logs so many")
    *whole, last = data.split(b"\n")
    rows = []
    for number, line in enumerate(whole, start=1):
        try:
            rows.append(_parse_row(line))
        except ValueError as error:
            raise RunFolderError(
                f"{path}, line {number}: damaged ({error}); restore the file, or remove that line "
                "by hand"
            ) from error
    if last and _is_row(last):
        return JsonLines([*rows, _parse_row(last)], 0)
    return JsonLines(rows, len(last))
