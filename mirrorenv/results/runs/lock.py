"""One writer for each run folder."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from mirrorenv.errors import MirrorError, RunFolderError
from mirrorenv.results.runs.files import read_json

__all__ = ["HIDDEN", "one_at_a_time", "only_writer", "refuse_second_writer"]

LOCK = ".lock"
HOLDER = ".writer"
HIDDEN = (LOCK, HOLDER)
"""Files of the lock; a folder that holds nothing else is empty."""


def refuse_second_writer(folder: Path) -> None:
    """Say at once what `only_writer` would say after everything slow was loaded. Nothing is made
    where there is no folder, and nothing is held afterwards.

    Args:
        folder: that is going to be written to.

    Raises:
        RunFolderError: if another writer holds it.
    """
    if (folder / LOCK).is_file():
        with only_writer(folder):
            pass


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a run folder against other writers, this process's own included.

    Take it before anything is written. The operating system lets go of the lock when the process
    ends, however it ends. Beside it stands who holds it: a writer of another machine that has not
    said that it ended is believed, because not every shared disk shares its locks.

    Args:
        folder: a run folder, or where one is going to be; made if it is not there.

    Raises:
        RunFolderError: if another writer holds it, which is named; if the folder cannot be made;
            or if its disk knows no locks.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(
            f"cannot make {folder}: {error.strerror}; choose a folder you may write to"
        ) from error
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunFolderError(
            f"{folder} is being written by {_named(_holder(folder))}; wait for it, or choose "
            "another folder"
        ) from error
    except (OSError, NotImplementedError) as error:
        raise RunFolderError(
            f"{folder} cannot be locked ({error}); a run needs a disk with locks: choose another "
            "folder"
        ) from error
    try:
        _refuse_elsewhere(folder)
        _sign(folder)
        yield
    finally:
        if _holder(folder).get("pid") == os.getpid():
            (folder / HOLDER).unlink(missing_ok=True)
        if not (folder / "run.json").exists():  # nothing came of it
            with suppress(OSError):
                (folder / LOCK).unlink(missing_ok=True)
                folder.rmdir()  # only if it is empty
        lock.release()


@contextmanager
def one_at_a_time(target: Path, error: type[MirrorError], seconds: float = 0) -> Iterator[None]:
    """Hold a file or folder that is written whole and then takes its name, against another who
    writes the same; of this machine, since nothing of a half-written one is kept anyway.

    Args:
        target: what is going to be written; its folder is there.
        error: raised where somebody else is writing it.
        seconds: to wait for whoever does.

    Raises:
        MirrorError: of the class given.
    """
    place = Path(os.path.abspath(target))
    if not place.name:
        raise error(f"{target} has no name to be written under; choose another place")
    lock = FileLock(place.with_name(f".{place.name}{LOCK}"), timeout=seconds)
    try:
        lock.acquire()
    except Timeout as held:
        raise error(
            f"{target} is being written by another process; wait for it, or choose another place"
        ) from held
    try:
        yield
    finally:
        with suppress(OSError):
            Path(lock.lock_file).unlink()  # while it is held: who comes next makes its own
        lock.release()


def _sign(folder: Path) -> None:
    since = datetime.now(UTC).isoformat(timespec="seconds")
    signed = {"pid": os.getpid(), "host": socket.gethostname(), "since": since}
    with suppress(OSError):  # a full disk is said by what is written next
        (folder / HOLDER).write_text(json.dumps(signed))


def _holder(folder: Path) -> dict[str, Any]:
    try:
        return read_json(folder / HOLDER)
    except MirrorError:
        return {}


def _refuse_elsewhere(folder: Path) -> None:
    """Refuse a folder that a writer of another machine has not let go of.

    Raises:
        RunFolderError: it names the writer, and the file to remove if it is gone.
    """
    holder = _holder(folder)
    if holder.get("host") not in (None, socket.gethostname()):
        raise RunFolderError(
            f"{folder} is being written by {_named(holder)}; if that process is gone, remove "
            f"{folder / HOLDER}"
        )


def _named(holder: dict[str, Any]) -> str:
    if not holder:
        return "another process"
    return f"process {holder.get('pid')} on {holder.get('host')} since {holder.get('since')}"
