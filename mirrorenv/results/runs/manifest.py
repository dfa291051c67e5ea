"""Manifests: length and SHA-256 of every file of a folder, so that a changed byte is an error.

Against damage: a checksum beside the file is no defence against someone who rewrites both.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from mirrorenv.errors import CheckpointError, MirrorError, RunFolderError
from mirrorenv.results.runs.files import atomic_write_json, disk, read_json, refuse_device
from mirrorenv.results.runs.lock import one_at_a_time

__all__ = ["MANIFEST", "sha256_of", "verify_manifest", "whole_folder", "write_manifest"]

MANIFEST = "manifest.json"


def sha256_of(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file's content, in hex."""
    path = Path(path)
    with disk("read", path):
        refuse_device(path)
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(folder: str | os.PathLike[str], names: Iterable[str] | None = None) -> Path:
    """Write `manifest.json`: length and SHA-256 of files in `folder`.

    Args:
        folder: an existing folder.
        names: files relative to it, with `/`; by default every file below it except the manifest
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


@contextmanager
def whole_folder(target: Path, error: type[MirrorError], remedy: str) -> Iterator[Path]:
    """Write a folder whole or not at all.

    Yields an empty folder beside it to write into. On leaving, the manifest is written and the
    folder takes its name, in place of an older one; after an error nothing remains.

    Args:
        target: the folder; its parents are made.
        error: raised where the disk refuses, or somebody else is writing it.
        remedy: how that message ends.
    """
    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(target, error):
            shutil.rmtree(partial, ignore_errors=True)  # of somebody who was killed
            try:
                partial.mkdir()
                yield partial
                write_manifest(partial)
                if target.exists():
                    shutil.rmtree(target)
                partial.rename(target)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
    except OSError as refused:
        reason = refused.strerror or refused
        raise error(f"cannot write {target}: {reason}; {remedy}") from refused


def _entry(path: Path) -> dict[str, Any]:
    with disk("read", path):
        return {"bytes": path.stat().st_size, "sha256": sha256_of(path)}


def verify_manifest(
    folder: str | os.PathLike[str], error: type[MirrorError] = CheckpointError
) -> tuple[str, ...]:
    """Check every file that the manifest of `folder` names.

    Args:
        folder: a folder with a `manifest.json`.
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
