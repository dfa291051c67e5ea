"""Files that survive a crash: a reader finds the old content or the new one, never a mixture.

Tested by killing a writer, cutting a file or filling a disk. Everything that goes wrong with the
disk is a `RunFolderError` that names the file. Rows are appended in
:mod:`mirrorenv.results.runs.json_lines`, checksums are in :mod:`mirrorenv.results.runs.manifest`.

**Numbers that JSON does not have.** NaN and both infinities are written as `null`: an undefined
figure is a missing figure, and every reader of a run folder must cope with missing ones. Reading
never brings them back.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.errors import RunFolderError, disk_problem

__all__ = [
    "MAX_PARTS",
    "atomic_write_bytes",
    "atomic_write_json",
    "atomic_write_parts",
    "atomic_write_text",
    "disk",
    "parse_json",
    "read_bytes",
    "read_json",
    "refuse_device",
    "to_json",
    "write_all",
]

# a metrics file of a very long run has some 10 MB; what is twenty times larger is not ours
MAX_BYTES = 1 << 28
MAX_PARTS = 4_000_000
"""Lists, objects and what they hold in one JSON document: each takes some hundred bytes of memory
where two stood in the file."""


@contextmanager
def disk(doing: str, path: Path) -> Iterator[None]:
    """Turn an OSError into a RunFolderError that says what was being done to which file, and what
    to do."""
    try:
        yield
    except OSError as error:
        named = OSError(error.errno, error.strerror or str(error), str(path))
        raise RunFolderError(disk_problem(named, doing)) from error
    except ValueError as error:  # a name with a zero byte, or with a lone surrogate
        if "null byte" not in str(error) and not isinstance(error, UnicodeEncodeError):
            raise
        raise RunFolderError(f"cannot {doing} {str(path)!a}: {error}; use another name") from error


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


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:80]!a} is there twice")
    return held


def parse_json(text: str, *, constants: bool = False) -> Any:
    """`json.loads` without NaN, infinities and keys that are there twice, and of bounded size:
    whatever is read that may come from anybody is read by this function.

    Args:
        text: a document.
        constants: let NaN and infinities through, as servers of models write them.

    Raises:
        ValueError: for every kind of bad input.
    """
    parts = sum(map(text.count, ",[{"))
    if parts > MAX_PARTS:
        raise ValueError(f"more than {MAX_PARTS:,} parts; no file of ours has so many")
    try:
        return json.loads(
            text,
            parse_constant=None if constants else _refuse_constant,
            object_pairs_hook=_refuse_twins,
        )
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


def write_all(descriptor: int, data: bytes) -> None:
    """Write every byte. The first call takes all of them except on a full disk, where the second
    raises."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def refuse_device(path: Path) -> None:
    """A pipe can make a reader wait for ever, a device has no end, and neither may be replaced by a
    file.

    Raises:
        RunFolderError: if there is something of this name that is neither a file nor a folder.
        OSError: if it cannot be looked at.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise RunFolderError(f"{path} is a device or a pipe, and a file belongs there")


def atomic_write_bytes(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file so that a crash leaves the old content or the new one.

    A temporary file in the same folder is written and synced, then renamed over `path`, then the
    folder is synced. A reader never sees the temporary file under the name `path`; a killed writer
    may leave `.<name>.<hex>.tmp`.

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
    with disk("write", path):
        refuse_device(path)
        try:
            descriptor = os.open(
                temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666
            )
            try:
                for part in parts:
                    write_all(descriptor, part)
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


def read_bytes(path: Path) -> bytes:
    """A whole file of a run folder.

    Raises:
        RunFolderError: if it is missing, or larger than any file of a run folder is.
    """
    with disk("read", path):
        refuse_device(path)
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
        value = parse_json(read_bytes(path).decode("utf-8"))
    except ValueError as error:
        raise RunFolderError(
            f"{path} is damaged ({error}); restore it or start the run in a new folder"
        ) from error
    if not isinstance(value, dict):
        raise RunFolderError(f"{path} holds a {type(value).__name__} where a JSON object belongs")
    return value
