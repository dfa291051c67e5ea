"""Everything mirrorenv raises on purpose.

One base class, so that a script can catch what the package means to say and let real bugs through.
A message names the thing, the place and the remedy.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType

__all__ = [
    "CheckpointError",
    "ConfigError",
    "Interrupted",
    "LogError",
    "MirrorError",
    "MissingExtraError",
    "ResultError",
    "RunFolderError",
    "ShapeError",
    "StoreError",
    "TrainingError",
    "UnknownNameError",
    "WorldError",
    "disk_problem",
    "require",
    "unknown_name",
]


class MirrorError(Exception):
    """Base class of every error the package raises on purpose."""


class ShapeError(MirrorError, ValueError):
    """An array has the wrong shape, dtype or range."""


class ConfigError(MirrorError, ValueError):
    """A setting is unknown, of the wrong type or out of range."""


class UnknownNameError(MirrorError, KeyError):
    """A registry (worlds, heads, baselines, policies) does not know a name."""

    def __str__(self) -> str:  # KeyError would print the repr of the message
        return str(self.args[0]) if self.args else ""


class WorldError(MirrorError, RuntimeError):
    """A world broke its contract; the message names world, agent and step."""


class RunFolderError(MirrorError, RuntimeError):
    """A run folder is missing, damaged or belongs to another configuration."""


class ResultError(MirrorError, RuntimeError):
    """A result folder is missing, damaged, or claims what its own tables do not bear out."""


class LogError(MirrorError, ValueError):
    """A log of behaviour cannot be read as one; the message names file, row and column."""


class CheckpointError(MirrorError, RuntimeError):
    """A checkpoint is missing, torn, or does not fit the population it is loaded into."""


class StoreError(MirrorError, RuntimeError):
    """A memory that agents share cannot be opened, read or written."""


class TrainingError(MirrorError, RuntimeError):
    """Training cannot go on honestly, for example because no sample arrives."""


class MissingExtraError(MirrorError, ImportError):
    """An optional dependency is missing; the message holds the pip line that brings it."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a run; the message says how the run goes on."""


FEW = 12
"""Names that are listed whole beside the one that may be meant."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error for an unknown registry name, with the closest known names, and all of a few.

    Args:
        kind: what was looked up, e.g. `"world"`.
        name: the name that is not known.
        known: every name the registry holds.
    """
    names = sorted(set(known))
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.5)  # the best first
    close = [one for one in close if _alike(name, one) > _alike(name, close[0]) - 0.1]
    hints = [f"Did you mean {' or '.join(close)}?"] if close else []
    if len(names) <= FEW or not close:
        hints.append(f"Known: {', '.join(names)}.")
    return UnknownNameError(f"unknown {kind} '{name}'. {' '.join(hints)}")


def _alike(name: str, other: str) -> float:
    return difflib.SequenceMatcher(None, other, name).ratio()


_REMEDIES = {
    errno.ENOSPC: "free some space and run it again",
    errno.EDQUOT: "free some space and run it again",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links lead in a circle; name the file itself",
    errno.ENOENT: "check that it exists",
    errno.ENOTDIR: "a file stands where a folder is needed; choose another place",
    errno.EISDIR: "a folder stands where a file is needed; choose another name",
    errno.EEXIST: "something stands there already; choose another name",
    errno.EACCES: "choose a place that you may use",
    errno.EPERM: "choose a place that you may use",
    errno.EROFS: "choose a place that can be written to",
    errno.EMFILE: "close some files or raise `ulimit -n`",
    errno.ENOMEM: "free some memory, or give it less",
}


def disk_problem(error: OSError, doing: str = "use") -> str:
    """What the operating system refused, and what to do about it.

    Args:
        error: as it was raised.
        doing: what was tried, for the sentence.
    """
    names = [str(one) for one in (error.filename, error.filename2) if one is not None]
    names = [one if len(one) < 200 else f"{one[:200]}..." for one in names]
    what = f"cannot {doing} {' or '.join(names)}" if names else f"cannot {doing} a file"
    reason = error.strerror or str(error) or type(error).__name__
    known = _REMEDIES.get(error.errno or 0, "check that it exists and is yours to use")
    return f"{what}: {reason}; {known}"


def require(module: str, extra: str) -> ModuleType:
    """Import an optional dependency or say which pip line brings it.

    Args:
        module: import name, e.g. `"torch"`.
        extra: the extra of this package that contains it, e.g. `"train"`.

    Raises:
        MissingExtraError: if the module is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise  # the module is there and something inside it is broken: do not hide that
        raise MissingExtraError(
            f"'{module}' is not installed. It comes with the extra '{extra}': pip install "
            f"'.[{extra}]', typed in the folder of mirrorenv's sources"
        ) from error
