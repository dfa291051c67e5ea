"""A run folder: everything one training run leaves behind, readable without this package.

| name | content |
|---|---|
| `config.json` | the resolved configuration |
| `run.json` | seed, versions, git commit, device, when, status |
| `metrics.jsonl` | one flat row an iteration |
| `evaluations.jsonl` | one row an evaluation; iteration 0 is before training |
| `checkpoints/<env steps>/` | weights as safetensors, a configuration, a sha256 manifest |
| `episodes/` | a few episodes before and after training, and pictures of them |
| `tensorboard/`, `plots/`, `report.html` | for eyes |
"""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mirrorenv.errors import CheckpointError, RunFolderError
from mirrorenv.results.runs.files import atomic_write_json, atomic_write_text, read_json, to_json
from mirrorenv.results.runs.json_lines import append_jsonl, json_lines, read_jsonl
from mirrorenv.results.runs.lock import HIDDEN
from mirrorenv.results.runs.manifest import MANIFEST, whole_folder
from mirrorenv.results.runs.same_run import Identity
from mirrorenv.results.runs.versions import git_state, installed_versions

__all__ = ["STATUSES", "IfExists", "RunFolder", "checkpoint_folder"]

STATUSES = ("running", "finished", "failed", "interrupted")
"""What `RunFolder.status` may say."""

FORMAT = 1
BEYOND = 1e9  # nats; past any threshold
CONFIG = "config.json"
RUN = "run.json"
METRICS = "metrics.jsonl"
EVALUATIONS = "evaluations.jsonl"
CHECKPOINTS = "checkpoints"
TENSORBOARD = "tensorboard"
PLOTS = "plots"
EPISODES = "episodes"
REPORT = "report.html"
ACCOUNT = "account.json"
EXPORTED = "result"  # what was made of this run for others
_KEPT = (METRICS, EVALUATIONS, CHECKPOINTS, TENSORBOARD, PLOTS, EPISODES, ACCOUNT, REPORT)
OWN = (CONFIG, RUN, *_KEPT, EXPORTED)

IfExists = Literal["refuse", "resume", "overwrite"]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class RunFolder:
    """One run on disk. Make it with `create` or `open`.

    Attributes:
        path: the folder.
        config: the resolved configuration, as read back from JSON.
        info: what `run.json` holds: format, seed, versions, git, device, created, ended, status,
            reason.
        notes: what a reader should know about this folder, e.g. that an unfinished last line was
            left out.
    """

    def __init__(self, path: Path, config: dict[str, Any], info: dict[str, Any]) -> None:
        self.path = path
        self.config = config
        self.info = info
        self.notes: list[str] = []

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        config: Mapping[str, Any],
        seed: int,
        *,
        device: str = "cpu",
        if_exists: IfExists = "refuse",
        may_differ: Iterable[str] = (),
        present: Callable[[dict[str, Any]], dict[str, Any]] = dict,
    ) -> RunFolder:
        """Start a run, or go on with one.

        Args:
            path: the folder; made with its parents. An existing empty folder is fine.
            config: the resolved configuration; anything `to_json` takes.
            seed: the run's seed.
            device: where the training runs, in words, e.g. `"cpu, 2 threads"`.
            if_exists: when the folder already holds a run: `"refuse"`; `"resume"` keeps
                everything and asks for the same configuration and seed; `"overwrite"` deletes the
                old run's files (and no others).
            may_differ: dotted configuration keys that a resumed run may change, e.g.
                `"total_steps"`.
            present: what a recorded configuration is called today, where an older version wrote it;
                applied before it is compared.

        Raises:
            RunFolderError: if the folder holds another run (the message names the first differing
                key), or something that is not a run.
        """
        path = Path(path)
        wanted = to_json(config, "config")
        if (path / RUN).exists():
            if if_exists == "resume":
                return cls._resume(path, wanted, seed, may_differ, present)
            if if_exists == "refuse":
                raise RunFolderError(_refusal(path, wanted, seed, present))
            _remove_run(path)
        elif path.exists() and not _only_begun(path, wanted):
            raise RunFolderError(
                f"{path} exists and is not a run folder; choose a new or empty folder"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunFolderError(
                f"cannot make {path}: {error.strerror}; choose a folder you may write to"
            ) from error
        info = {
            "format": FORMAT,
            "seed": int(seed),
            "device": device,
            "created": _now(),
            "ended": None,
            "status": "running",
            "reason": None,
            "versions": installed_versions(),
            "git": git_state(),
        }
        atomic_write_json(path / CONFIG, wanted)
        atomic_write_json(path / RUN, info)  # last: a folder with run.json is a whole one
        return cls(path, wanted, info)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> RunFolder:
        """Open an existing run.

        Raises:
            RunFolderError: if it is missing, damaged or of a later format.
        """
        path = Path(path)
        if not (path / RUN).is_file():
            raise RunFolderError(
                f"{path} is not a run folder (no {RUN}); give the folder that a training run wrote"
            )
        linked = [entry.name for entry in path.iterdir() if entry.is_symlink()]
        if linked:
            raise RunFolderError(
                f"{path / min(linked)} is a link: what is written for this run would land "
                "elsewhere. Put the files themselves there, or move the whole folder"
            )
        info = read_json(path / RUN)
        config = read_json(path / CONFIG)
        if not isinstance(info.get("format"), int) or info["format"] > FORMAT:
            raise RunFolderError(
                f"{path / RUN} has format {info.get('format')!r}; this version reads up to {FORMAT}"
            )
        return cls(path, config, info)

    @property
    def identity(self) -> Identity:
        """What makes it this run and no other."""
        return Identity(self.config, self.info.get("seed"))

    @classmethod
    def _resume(
        cls,
        path: Path,
        wanted: dict[str, Any],
        seed: int,
        may_differ: Iterable[str],
        present: Callable[[dict[str, Any]], dict[str, Any]],
    ) -> RunFolder:
        run = cls.open(path)
        run.config = present(run.config)
        run.identity.refuse_other(path, Identity(wanted, seed), may_differ)
        if run.status == "finished" and run.config == wanted:
            return run  # its record stays as it is
        for leftover in path.glob(".*.tmp"):  # of a writer that was killed
            leftover.unlink(missing_ok=True)
        run.config = wanted
        atomic_write_json(path / CONFIG, wanted)
        run._update(status="running", reason=None, ended=None)
        return run

    def _update(self, **changes: Any) -> None:
        self.info = {**self.info, **changes}
        atomic_write_json(self.path / RUN, self.info)

    def finish(self) -> None:
        """Mark the run as finished; a finished run's record is not written again."""
        if self.status == "finished":
            return
        self._update(status="finished", reason=None, ended=_now())

    def fail(self, reason: str) -> None:
        """Mark the run as failed; a finished run stays finished.

        Args:
            reason: why, in words; shown in the report.
        """
        if self.status == "finished":
            return
        self._update(status="failed", reason=str(reason), ended=_now())

    def interrupt(self) -> None:
        """Mark the run as interrupted from the keyboard; a finished run stays finished."""
        if self.status == "finished":
            return
        self._update(status="interrupted", reason="interrupted from the keyboard", ended=_now())

    @property
    def status(self) -> str:
        """`"running"`, `"finished"`, `"failed"` or `"interrupted"`. A killed run still says
        `"running"`."""
        return str(self.info.get("status", "unknown"))

    @property
    def report_path(self) -> Path:
        """Where the report belongs."""
        return self.path / REPORT

    @property
    def tensorboard_path(self) -> Path:
        """Where TensorBoard files belong (not made here)."""
        return self.path / TENSORBOARD

    @property
    def plots_path(self) -> Path:
        """Where the report's pictures belong (not made here)."""
        return self.path / PLOTS

    def log_metrics(self, row: Mapping[str, Any]) -> None:
        """Append one flat row of scalars; `iteration` and `env_steps` must be among them.

        Raises:
            RunFolderError: for a missing key, a nested value or a full disk.
        """
        plain = _checked(row, "a row of metrics")
        for key, value in plain.items():
            if isinstance(value, (dict, list)):
                raise RunFolderError(
                    f"metric '{key}' is not a scalar; nested figures belong in an evaluation"
                )
        append_jsonl(self.path / METRICS, plain)

    def log_evaluation(self, row: Mapping[str, Any]) -> None:
        """Append one evaluation; `iteration` and `env_steps` must be among its keys.

        An infinite `log_e_value` is kept as +-1e9: as the null that other infinities become, the
        strongest sign of a leak would read as a figure no one measured.

        Raises:
            RunFolderError: for a missing key, a value that is not JSON or a full disk.
        """
        e_value = row.get("log_e_value")
        if isinstance(e_value, (float, np.floating)) and np.isinf(e_value):
            row = {**row, "log_e_value": math.copysign(BEYOND, e_value)}
        append_jsonl(self.path / EVALUATIONS, _checked(row, "an evaluation"))

    def metrics(self) -> list[dict[str, Any]]:
        """Every row of metrics; an unfinished last line is left out and put down in `notes`."""
        return self._rows(METRICS)

    def evaluations(self) -> list[dict[str, Any]]:
        """Every evaluation; an unfinished last line is left out and put down in `notes`."""
        return self._rows(EVALUATIONS)

    def _rows(self, name: str) -> list[dict[str, Any]]:
        lines = read_jsonl(self.path / name)
        note = f"{name}: an unfinished last line ({lines.torn_bytes} bytes) was left out"
        if lines.torn_bytes and note not in self.notes:
            self.notes.append(note)
        return lines.rows

    def rewind(self, env_steps: int) -> None:
        """Drop the rows after a checkpoint, so that a run resumed from it does not log the same
        steps twice.

        Args:
            env_steps: rows with more environment steps go.
        """
        for name in (METRICS, EVALUATIONS):
            if not (self.path / name).exists():
                continue
            rows = [row for row in self._rows(name) if row.get("env_steps", 0) <= env_steps]
            atomic_write_text(self.path / name, json_lines(rows))

    def checkpoint_path(self, env_steps: int) -> Path:
        """Where the checkpoint after `env_steps` environment steps belongs (not made here)."""
        if env_steps < 0:
            raise RunFolderError(f"a checkpoint after {env_steps} environment steps cannot be")
        return self.path / CHECKPOINTS / f"{env_steps:012d}"

    @contextmanager
    def new_checkpoint(self, env_steps: int) -> Iterator[Path]:
        """Write a checkpoint whole or not at all.

        Yields an empty folder to write into. On leaving, the manifest is written and the folder
        takes its name; after an error nothing remains. An older checkpoint of the same step is
        replaced.
        """
        target = self.checkpoint_path(env_steps)
        with whole_folder(target, RunFolderError, "free some space") as partial:
            yield partial

    def checkpoints(self) -> list[Path]:
        """Every whole checkpoint (one with a manifest), oldest first."""
        folders = (self.path / CHECKPOINTS).glob("[0-9]*")
        return sorted(
            (path for path in folders if path.name.isdecimal() and (path / MANIFEST).is_file()),
            key=lambda path: int(path.name),
        )


def checkpoint_folder(path: Path) -> Path:
    """The last checkpoint of a run folder; a checkpoint is returned as it is.

    Raises:
        RunFolderError: if the run has no checkpoint yet.
        CheckpointError: if it is neither.
    """
    if (path / MANIFEST).is_file() and not (path / RUN).is_file():
        return path
    if not (path / RUN).is_file():
        raise CheckpointError(
            f"{path} is not a checkpoint (no {MANIFEST}) and no run folder (no {RUN}). Give one of "
            "the folders under a run's checkpoints/, or the run folder itself."
        )
    checkpoints = RunFolder.open(path).checkpoints()
    if not checkpoints:
        raise RunFolderError(f"{path} holds no checkpoint yet; wait for its first evaluation")
    return checkpoints[-1]


def _only_begun(path: Path, wanted: Mapping[str, Any]) -> bool:
    """Whether this is an empty folder, or one whose making was killed before its run.json."""
    if not path.is_dir():
        return False
    temporary = (f".{CONFIG}.", f".{RUN}.")
    found = [entry.name for entry in path.iterdir() if entry.name not in HIDDEN]
    others = [name for name in found if not name.startswith(temporary)]
    return not others or (others == [CONFIG] and read_json(path / CONFIG) == wanted)


def _checked(row: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """The row as plain JSON, with the two keys that place it in the run."""
    plain: dict[str, Any] = to_json(row, "row")
    for key in ("iteration", "env_steps"):
        if isinstance(plain.get(key), bool) or not isinstance(plain.get(key), int):
            raise RunFolderError(f"{kind} needs '{key}' as a whole number, got {plain.get(key)!r}")
    return plain


def _refusal(
    path: Path,
    wanted: Mapping[str, Any],
    seed: int,
    present: Callable[[dict[str, Any]], dict[str, Any]],
) -> str:
    """Why a folder that already holds a run is refused, and what to do instead."""
    run = RunFolder.open(path)
    run.config = present(run.config)
    difference = run.identity.difference(Identity(wanted, seed))
    if difference is None:
        return f"{path} already holds this run; resume it, overwrite it, or choose another folder"
    key, before, after = difference
    return (
        f"{path} already holds another run: {key} is {before!r} there and {after!r} here; "
        "choose another folder, or overwrite that run"
    )


def _remove_run(path: Path) -> None:
    """Delete what a run writes and nothing else; run.json goes last, so that a crash leaves a known
    run folder."""
    try:
        for name in sorted(OWN, key=lambda name: name == RUN):
            target = path / name
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            else:
                target.unlink(missing_ok=True)
    except OSError as error:
        raise RunFolderError(
            f"cannot remove the old run in {path}: {error.strerror}; choose another folder"
        ) from error
