"""Faults of the disk and of the run folder, and a run that is started again with something in it
changed."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from mirrorenv.results.runs.manifest import write_manifest
from mirrorenv.results.runs.run_folder import RunFolder
from tests.faults.fault_list import FaultList
from tests.faults.judging import Happening, Outcome
from tests.faults.runs import attempt, attempt_again, cut_run, small_run

__all__ = ["FAULTS", "foreign_pickle", "small_disk"]

FAULTS = FaultList()

_WEIGHTS = "population.safetensors"


@FAULTS.add(
    "full disk",
    "ENOSPC from the 12th write; then the same command",
    "stopped",
    "cannot (write|append to)",
    "No space left",
    "free some space",
)
def _full_disk(path: Path) -> Happening:
    left = 12
    real = os.write

    def write(descriptor: int, data: Any) -> int:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data)

    with patch("os.write", write):
        first = attempt(small_run(), path)
    again = attempt_again(small_run(), path)
    first.problem = again.error or again.problem
    return first


def small_disk(place: Path, kilobytes: int) -> bool:
    """Mount an empty disk of a size at a folder, which is made; False where that is not allowed."""
    place.mkdir(parents=True, exist_ok=True)
    mount = shutil.which("mount")
    command = [str(mount), "-t", "tmpfs", "-o", f"size={kilobytes}k", "mirrorenv", str(place)]
    return (
        mount is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )


@FAULTS.add(
    "full disk, a real one",
    "a file system of 400 kB (where one can be mounted)",
    "stopped",
    "(cannot|No space left)",
    "(N|n)o space left",
    "(F|f)ree some space",
)
def _small_disk(path: Path) -> Happening:
    place = path.with_name("disk")
    if not small_disk(place, 400):
        return Happening(
            path, "skipped: no permission to mount", problem="skipped: no permission to mount"
        )
    try:
        happening = attempt(
            small_run("total_steps=2560", "evaluation.checkpoints=40"), place / "run"
        )
        if happening.claims == "finished":
            happening.problem = "the disk was large enough"
        return happening
    finally:
        subprocess.run(["umount", str(place)], check=False)


@FAULTS.add("run folder disappears", "removed after the second iteration", "stopped", "is gone")
def _disappears(path: Path) -> Happening:
    from mirrorenv.rllib.run import Progress

    def remove(row: dict[str, Any]) -> None:
        if row["iteration"] == 2:
            shutil.rmtree(path)

    return attempt(small_run(), path, progress=Progress(iteration=remove))


# -- what a run finds when it is started again -----------------------------------------------------


def _found(
    name: str, where: str, wanted: Outcome, *says: str
) -> Callable[[Callable[[Path], None]], None]:
    """Register a change of the folder of a run that was cut short; then the same command."""

    def add(harm: Callable[[Path], None]) -> None:
        @FAULTS.add(name, where, wanted, *says)
        def happen(path: Path) -> Happening:
            settings = cut_run(path)
            harm(path)
            return attempt_again(settings, path)

    return add


def _last(path: Path) -> Path:
    last: Path = RunFolder.open(path).checkpoints()[-1]
    return last


def _cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def _change(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))


_BEFORE = ("damaged", "going on from the checkpoint before it", "going on after 0 steps")


@_found("torn checkpoint", "weights of the last checkpoint cut in half", "survived", *_BEFORE)
def _torn_weights(path: Path) -> None:
    _cut(_last(path) / _WEIGHTS)


@_found("changed byte in a checkpoint", "weights of the last checkpoint", "survived", *_BEFORE)
def _changed_weights(path: Path) -> None:
    _change(_last(path) / _WEIGHTS)


@_found(
    "torn training state", "optimisers in the last checkpoint cut in half", "survived", *_BEFORE
)
def _torn_state(path: Path) -> None:
    _cut(_last(path) / "training" / "state.safetensors")


@_found(
    "half a checkpoint",
    "a writer killed before it named the folder",
    "survived",
    "going on after 128 steps",
)
def _half(path: Path) -> None:
    partial = path / "checkpoints" / ".000000000192.partial"
    shutil.copytree(_last(path), partial)
    (partial / "manifest.json").unlink()


@_found("deleted checkpoint", "the last one", "survived", "going on after 0 steps")
def _deleted(path: Path) -> None:
    shutil.rmtree(_last(path))


@_found("all checkpoints deleted", "checkpoints/", "survived", "starting again from the beginning")
def _all_deleted(path: Path) -> None:
    shutil.rmtree(path / "checkpoints")


@_found("torn metrics line", "last line of metrics.jsonl", "survived", "going on after 128 steps")
def _torn_line(path: Path) -> None:
    file = path / "metrics.jsonl"
    file.write_bytes(file.read_bytes()[:-20])


@_found(
    "lost metrics lines",
    "all but the first of metrics.jsonl",
    "survived",
    "lacks rows",
    "going on after 0 steps",
)
def _lost_lines(path: Path) -> None:
    file = path / "metrics.jsonl"
    file.write_text(file.read_text("utf-8").splitlines(keepends=True)[0], "utf-8")


@_found(
    "damaged metrics line",
    "first line of metrics.jsonl",
    "stopped",
    "metrics.jsonl, line 1: damaged",
    "restore",
)
def _damaged_line(path: Path) -> None:
    file = path / "metrics.jsonl"
    file.write_bytes(b"{" + file.read_bytes())


@_found("torn run.json", "cut in half", "stopped", "run.json is damaged", "new folder")
def _torn_run(path: Path) -> None:
    _cut(path / "run.json")


@_found("killed before run.json", "a folder with config.json alone", "survived")
def _begun(path: Path) -> None:
    for entry in path.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        elif entry.name != "config.json":
            entry.unlink()


def foreign_pickle(mark: Path) -> bytes:
    """A pickle that makes a file when it is loaded: protocol 0, written by hand."""
    return f"cos\nsystem\n(S'touch {mark}'\ntR.".encode("ascii")


@FAULTS.add(
    "foreign pickle",
    "wherever RLlib and torch look for one, in the run folder",
    "survived",
    "going on after 128",
)
def _foreign_pickle(path: Path) -> Happening:
    settings = cut_run(path)
    mark = path.with_name("loaded")
    last = _last(path)
    names = (
        "algorithm_state.pkl",
        "class_and_ctor_args.pkl",
        "state.pkl",
        "module_state.pkl",
        "data.pkl",
    )
    for folder in (path, last, last / "training", last / "rllib", last / "rllib" / "learner_group"):
        folder.mkdir(exist_ok=True)
        for name in names:
            (folder / name).write_bytes(foreign_pickle(mark))
    happening = attempt_again(settings, path)
    if mark.exists():
        happening.problem = "the pickle was loaded"
    return happening


@FAULTS.add(
    "weights replaced by a pickle",
    "the last checkpoint, manifest written anew",
    "survived",
    *_BEFORE,
)
def _pickle_as_weights(path: Path) -> Happening:
    settings = cut_run(path)
    mark = path.with_name("loaded")
    (_last(path) / _WEIGHTS).write_bytes(foreign_pickle(mark))
    write_manifest(_last(path))
    happening = attempt_again(settings, path)
    if mark.exists():
        happening.problem = "the pickle was loaded"
    return happening


@FAULTS.add(
    "changed configuration",
    "another mirror weight",
    "stopped",
    r"mirror\.weight = 1\.0, not 0\.5",
    "another folder",
)
def _changed_configuration(path: Path) -> Happening:
    cut_run(path)
    before = (path / "metrics.jsonl").read_bytes()
    happening = attempt(small_run("mirror.weight=0.5"), path)
    if (path / "metrics.jsonl").read_bytes() != before:
        happening.problem = "the old run was touched"
    return happening
