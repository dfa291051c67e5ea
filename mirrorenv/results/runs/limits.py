"""How much memory and time reading may take that others have sent.

A small file can ask for gigabytes: by a length it declares, by a run that decodes to far more than
it takes, by settings of a giant network. Sizes are looked at before anything is read, and for what
that misses the kernel holds a limit: `confined` works in a child with a budget of memory and time,
`at_most` lends this process a budget for a moment.

The limit is on private memory beyond what the process holds already (`RLIMIT_DATA`), which only
Linux counts. Elsewhere `confined` says so, works in this process, and the looking is all there is.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec

from mirrorenv import errors
from mirrorenv.errors import ConfigError, MirrorError, ResultError

__all__ = ["MEGABYTES", "arm", "at_most", "confined", "received"]

P = ParamSpec("P")

MEGABYTES = 640
"""Of memory for what others have sent, beside the libraries themselves."""
SECONDS = 1800.0
"""For a command that reads it."""
_MEMORY = "MIRRORENV_READ_MEGABYTES"
_TIME = "MIRRORENV_READ_SECONDS"
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LOG = logging.getLogger(__name__)
_armed = False


def arm() -> None:
    """Let `confined` start children: said once by a console script, never by a library.

    Where somebody has put other streams in the place of this process's own, as tests do, they would
    not hear what a child prints, and nothing is started.
    """
    global _armed
    _armed = sys.stdout is sys.__stdout__ and sys.stderr is sys.__stderr__


def confined(
    work: Callable[[], None], *, megabytes: int = MEGABYTES, seconds: float = SECONDS
) -> None:
    """Work in a child that has so much memory and time; its output is this process's.

    `MIRRORENV_READ_MEGABYTES` and `MIRRORENV_READ_SECONDS` replace the limits for folders of
    one's own that need more.

    Args:
        work: reads what others have sent, and says what it found.
        megabytes: of private memory, beyond what is held already.
        seconds: by the clock; 0 sets no limit.

    Raises:
        MirrorError: what `work` raises, or that it went over a limit.
        SystemExit: if it ended with a code of its own.
    """
    megabytes = int(_given(_MEMORY, megabytes))
    seconds = _given(_TIME, seconds)
    if _armed and sys.platform != "linux":
        _LOG.warning(
            "note: %s lets no process be held to an amount of memory; sizes are looked at before "
            "anything is read, and that is all there is against a file that asks for gigabytes",
            sys.platform,
        )
    if not (_armed and sys.platform == "linux"):
        work()
        return
    sys.stdout.flush()
    sys.stderr.flush()
    heard, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(heard)
        _as_child(work, told, megabytes)
    os.close(told)
    status = _wait(child, seconds)
    with os.fdopen(heard, "rb") as pipe:
        said = pipe.read()
    _heard(status, said, megabytes)


def received(command: Callable[P, None]) -> Callable[P, None]:
    """A command that reads what may come from anybody: it works `confined`."""

    @functools.wraps(command)
    def in_a_child(*args: P.args, **kwargs: P.kwargs) -> None:
        confined(functools.partial(command, *args, **kwargs))

    return in_a_child


def _given(name: str, default: float) -> float:
    text = os.environ.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < 1e9:
        raise ConfigError(f"{name} = {text[:40]!a}: it is a number above 0")
    return value


# -- the child -------------------------------------------------------------------------------------


def _as_child(work: Callable[[], None], told: int, megabytes: int) -> None:
    """Never returns."""
    code = 1
    said: dict[str, object] = {}
    try:
        os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"  # the others reserve a gigabyte
        os.environ.update(dict.fromkeys(_ONE_THREAD, "1"))  # each thread reserves its own
        _limit(megabytes << 20)
        work()
        code = 0
    except MirrorError as error:
        said = {"kind": type(error).__name__, "message": str(error)[:8000]}
    except OSError as error:
        said = {"errno": error.errno, "reason": error.strerror, "file": _name(error.filename)}
    except (MemoryError, RecursionError) as error:
        said = {"limit": type(error).__name__}
    except (KeyboardInterrupt, SystemExit) as error:
        code = 130 if isinstance(error, KeyboardInterrupt) else _code(error.code)
    except Exception as error:  # a fault of ours, or wrong usage with a code of its own
        if isinstance(found := getattr(error, "exit_code", None), int):
            code = found
        else:
            traceback.print_exc()
    except BaseException:
        traceback.print_exc()
    with suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(told, json.dumps(said).encode()[: 1 << 16])
    os._exit(code)


def _code(code: object) -> int:
    return code if isinstance(code, int) else int(code is not None)


def _name(file: object) -> str | None:
    return None if file is None else str(file)[:400]


def _limit(more: int) -> int:
    """Allow so many bytes beyond what is held; returns the limit there was."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _held() + more
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft == resource.RLIM_INFINITY or wanted < soft:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))
    return soft


def _held() -> int:
    """Bytes of private memory that this process has asked for."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmData:"):
            return int(line.split()[1]) << 10
    return 0


# -- the parent ------------------------------------------------------------------------------------


def _wait(child: int, seconds: float) -> int | None:
    """The child's status; None if it was out of time."""
    until = time.monotonic() + seconds if seconds else float("inf")
    pause = 0.001
    try:
        while time.monotonic() < until:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return status
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
    except BaseException:
        _end(child)
        raise
    _end(child)
    return None


def _end(child: int) -> None:
    with suppress(OSError):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _heard(status: int | None, said: bytes, megabytes: int) -> None:
    """Raise here what ended the child."""
    if status is None:
        raise ResultError(
            f"reading it was not done in the time that what others send is given; if it is your "
            f"own, set {_TIME}"
        )
    if os.WIFSIGNALED(status):
        raise ResultError(
            f"reading it was ended by signal {os.WTERMSIG(status)}, as happens when it needs more "
            f"memory than the {megabytes} megabytes given; if it is your own, set {_MEMORY}"
        )
    code = os.waitstatus_to_exitcode(status)
    if code == 130:
        raise KeyboardInterrupt
    found = _parsed(said)
    if "message" in found:
        kind = getattr(errors, str(found["kind"]), ResultError)
        raise (kind if issubclass(kind, MirrorError) else ResultError)(found["message"])
    if "errno" in found:
        raise OSError(found["errno"], found["reason"], found["file"])
    if found.get("limit") == "RecursionError":
        raise RecursionError
    if "limit" in found:
        raise ResultError(
            f"reading it needs more memory than the {megabytes} megabytes that what others send "
            f"is given; if it is your own, set {_MEMORY}"
        )
    if code:
        raise SystemExit(code)


def _parsed(said: bytes) -> dict[str, object]:
    try:
        found = json.loads(said)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


# -- for a moment ----------------------------------------------------------------------------------


@contextmanager
def at_most(megabytes: int) -> Iterator[None]:
    """Lend what is done inside so much memory beyond what the process holds; on Linux only.

    What asks for more gets a MemoryError, or PyTorch's RuntimeError.
    """
    if sys.platform != "linux":
        yield
        return
    import resource

    before = _limit(megabytes << 20)
    try:
        yield
    finally:
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (before, hard))
