"""Files that survive a crash: atomic writes, append-only JSON lines, checksums.

Three promises, each tested by killing a writer, cutting a file or filling a disk:

* a file written by `atomic_write_text` or `atomic_write_bytes` holds the old content or the new
  one, never a mixture;
* a file of JSON lines loses at most the one line that was being written, and a reader says so;
* a folder with a manifest answers any changed byte with an error (against damage; a checksum beside
  the file is no defence against someone who rewrites both).

Everything that goes wrong with the disk is a `RunFolderError` that names the file.

**Numbers that JSON does not have.** NaN and both infinities are written as ``null``: an undefined
figure is a missing figure, and every reader of a run folder must cope with missing ones. Reading
never brings them back.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from mirrorenv.errors import CheckpointError, MirrorError, RunFolderError

__all__ = [
    "JsonLines",
    "append_jsonl",
    "append_jsonl_rows",
    "atomic_write_bytes",
    "atomic_write_json",
    "atomic_write_parts",
    "atomic_write_text",
    "json_lines",
    "read_json",
    "read_jsonl",
    "sha256_of",
    "to_json",
    "verify_manifest",
    "write_manifest",
]

MANIFEST = "manifest.json"
# a metrics file of a very long run has some 10 MB; what is a hundred times larger is not ours
MAX_BYTES = 1 << 30


class JsonLines(NamedTuple):
    """What a file of JSON lines held.

    Attributes:
        rows: one dict a line, in file order.
        torn_bytes: length of an unfinished last line that was left out; 0 if the file was whole.
    """

    rows: list[dict[str, Any]]
    torn_bytes: int


@contextmanager
def _disk(doing: str, path: Path) -> Iterator[None]:
    """Turn an OSError into a RunFolderError that says what was being done to which file, and what
    to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = (
            "free some space and run again"
            if full
            else "check that the path exists and is yours to use"
        )
        raise RunFolderError(
            f"cannot {doing} {path}: {error.strerror or error}; {remedy}"
        ) from error


def to_json(value: Any, where: str = "value") -> Any:
    """A copy of `value` made of what JSON has: dict, list, str, int, float, bool, None.

    NumPy scalars and arrays become numbers and nested lists, tuples become lists, paths become
    strings, NaN and infinities become None (see the module docstring).

    Args:
        value: the thing to write.
        where: its name in messages.

    Raises:
        RunFolderError: for a key that is not a string or a value JSON has no word for; the message
            names its place.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (np.generic, np.ndarray)):
        return to_json(value.tolist(), where)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise RunFolderError(
                    f"{where} has the key {key!r}, which is not a string; JSON needs string keys"
                )
        return {key: to_json(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item, f"{where}[{index}]") for index, item in enumerate(value)]
    raise RunFolderError(
        f"{where} is a {type(value).__name__}, which cannot be written as JSON; convert it first"
    )


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _parse(text: str) -> Any:
    """`json.loads` without NaN and infinities; every kind of bad input is a ValueError."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def _sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable. Systems that cannot open a folder (Windows) do without."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    """Write every byte. The first call takes all of them except on a full disk, where the second
    raises."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def atomic_write_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file so that a crash leaves the old content or the new one.

    A temporary file in the same folder is written and synced, then renamed over `path`, then the
    folder is synced. A reader never sees the temporary file under the name `path`; a killed writer
    may leave ``.<name>.<hex>.tmp``.

    Raises:
        RunFolderError: if the disk is full or the folder cannot be written; the old file is then
            untouched.
    """
    return atomic_write_parts(path, (data,))


def atomic_write_parts(path: str | os.PathLike[str], parts: Iterable[bytes]) -> Path:
    """`atomic_write_bytes` of a file that is too long to be held: its parts are written one after
    the other.

    Args:
        path: the file.
        parts: its content in order; what they raise leaves the old file untouched too.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    with _disk("write", path):
        try:
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
            )
            try:
                for part in parts:
                    _write_all(descriptor, part)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(path.parent)
    return path


def atomic_write_text(path: str | os.PathLike[str], text: str) -> Path:
    """`atomic_write_bytes` of UTF-8 text."""
    return atomic_write_bytes(path, text.encode("utf-8"))


def atomic_write_json(path: str | os.PathLike[str], value: Any) -> Path:
    """`atomic_write_text` of indented JSON, through `to_json`."""
    return atomic_write_text(
        path, json.dumps(to_json(value, Path(path).name), indent=2, allow_nan=False) + "\n"
    )


def _read_bytes(path: Path) -> bytes:
    with _disk("read", path):
        if path.stat().st_size > MAX_BYTES:
            raise RunFolderError(
                f"{path} is larger than {MAX_BYTES} bytes; no file of a run folder is"
            )
        return path.read_bytes()


def read_json(path: str | os.PathLike[str]) -> dict[str, Any]:
    """One JSON object from a file.

    Raises:
        RunFolderError: if the file is missing, too large, not UTF-8, not JSON or not an object.
    """
    path = Path(path)
    try:
        value = _parse(_read_bytes(path).decode("utf-8"))
    except ValueError as error:
        raise RunFolderError(
            f"{path} is damaged ({error}); restore it or start the run in a new folder"
        ) from error
    if not isinstance(value, dict):
        raise RunFolderError(f"{path} holds a {type(value).__name__} where a JSON object belongs")
    return value


def _parse_row(line: bytes) -> dict[str, Any]:
    row = _parse(line.decode("utf-8"))
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
    with _disk("append to", path):
        descriptor = os.open(
            path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666
        )
        try:
            line = _mend_tail(descriptor) + line
            size = os.fstat(descriptor).st_size
            try:
                _write_all(descriptor, line)
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _mend_tail(descriptor: int) -> bytes:
    """Cut off an unfinished last line; return the newline that a finished one may lack."""
    size = os.fstat(descriptor).st_size
    tail, start = b"", size
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
    *whole, last = _read_bytes(path).split(b"\n")
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


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, in hex."""
    path = Path(path)
    with _disk("read", path), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: str | os.PathLike[str], names: Iterable[str] | None = None) -> Path:
    """Write ``manifest.json``: length and SHA-256 of files in `folder`.

    Args:
        folder: an existing folder.
        names: files relative to it, with ``/``; by default every file below it except the manifest
            itself.

    Returns:
        Path of the manifest.
    """
    folder = Path(folder)
    if names is None:
        files = (path for path in folder.rglob("*") if path.is_file())
        names = (
            name for path in files if (name := path.relative_to(folder).as_posix()) != MANIFEST
        )
    entries = {name: _entry(folder / name) for name in sorted(names)}
    return atomic_write_json(folder / MANIFEST, {"algorithm": "sha256", "files": entries})


def _entry(path: Path) -> dict[str, Any]:
    with _disk("read", path):
        return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


def verify_manifest(
    folder: str | os.PathLike[str], error: type[MirrorError] = CheckpointError
) -> tuple[str, ...]:
    """Check every file that the manifest of `folder` names.

    Args:
        folder: a folder with a ``manifest.json``.
        error: the class to raise.

    Returns:
        The names that were checked, sorted.

    Raises:
        CheckpointError: (or `error`) if the manifest or a file is missing, cut short or changed.
    """
    folder = Path(folder)
    remedy = "take an older checkpoint or write this one again"
    try:
        manifest = read_json(folder / MANIFEST)
        entries = manifest.get("files")
        if manifest.get("algorithm") != "sha256" or not isinstance(entries, dict):
            raise RunFolderError(f"{folder / MANIFEST} is not a sha256 manifest")
        for name, expected in entries.items():
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise RunFolderError(
                    f"{folder / MANIFEST} names '{name}', which lies outside the folder"
                )
            found = _entry(folder / name)
            if found != expected:
                raise RunFolderError(f"{folder / name} does not match its checksum")
    except RunFolderError as reason:
        raise error(f"{reason}; {remedy}") from reason
    return tuple(sorted(entries))
