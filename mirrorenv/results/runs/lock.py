"""One writer for each run folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mirrorenv.errors import RunFolderError

__all__ = ["only_writer"]

LOCK = ".lock"


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold a run folder against other writers, this process's own included.

    The operating system lets go of the lock when the process ends, however it ends; the file that
    carries it may stay.

    Args:
        folder: an existing run folder.

    Raises:
        RunFolderError: if another writer holds it.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise RunFolderError(
            f"{folder} is being written by another process; wait for it, or choose another "
            "folder with --out"
        ) from error
    try:
        yield
    finally:
        lock.release()
