"""How every console script of the package lists its commands, begins and ends.

Exit codes: 0 done, 1 what was asked for could not be done (the message says why), 2 wrong usage
(options, settings and names that mean nothing, wherever they were typed), 130 interrupted.
"""

from __future__ import annotations

import atexit
import functools
import inspect
import json
import os
import signal
import sys
import warnings
from collections.abc import Callable, Mapping
from typing import ParamSpec, TypeVar

import typer
from rich.console import Console

from mirrorenv.errors import ConfigError, MirrorError, UnknownNameError, disk_problem
from mirrorenv.named_code import open_working_folder
from mirrorenv.plain_text import one_line, plain
from mirrorenv.terminal import plain_logs, tolerant_streams

P = ParamSpec("P")
R = TypeVar("R")

__all__ = ["add_commands", "help_of", "run_command"]


def add_commands(
    app: typer.Typer,
    *commands: Callable[..., object],
    once: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """Add functions as commands of their own names, in this order.

    Args:
        app: what they become commands of.
        *commands: their docstrings are their help.
        once: by command, the names that options had once and today's, without dashes. The old ones
            go on working, and no help shows them.
    """
    for command in commands:
        old = (once or {}).get(command.__name__)
        today = {"token_normalize_func": lambda name, old=old: old.get(name, name)} if old else {}
        app.command(help=help_of(command), context_settings=today)(_remembered(command))


_LAST_WORDS = [""]  # of whoever was interrupted: typer makes a mere number of the exception


def _remembered(command: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except KeyboardInterrupt as error:
            _interrupted(error)
            raise

    return run


def _interrupted(error: KeyboardInterrupt) -> int:
    _LAST_WORDS[-1] = str(error)
    return 130


def _ignore_matplotlibrc() -> None:
    """Load matplotlib from elsewhere where the working folder has a `matplotlibrc`: it would be
    obeyed, TeX and all, and the folder may be anybody's. Without such a file nothing is loaded."""
    if not os.path.lexists("matplotlibrc"):
        return
    here = os.open(".", os.O_RDONLY)
    try:
        os.chdir(os.path.abspath(os.sep))
        import matplotlib  # noqa: F401
    finally:
        os.fchdir(here)
        os.close(here)


def help_of(command: Callable[..., object]) -> str:
    """The docstring of a command, each paragraph in one line, so that a terminal wraps it."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def run_command(
    app: Callable[..., object], console: Console, before: Callable[[], None] = lambda: None
) -> None:
    """Run a command line; an error that the package means to say is one message and no traceback.

    With `--json` the last line of standard output is an object with `error`, `kind` and
    `exit_code` as well.

    Args:
        app: the commands; takes its words from `sys.argv`.
        console: for messages, usually standard error.
        before: called first; its errors are said likewise.
    """
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    os.environ.setdefault("PYTHONWARNINGS", "ignore::DeprecationWarning")  # for Ray's actors
    tolerant_streams()
    plain_logs()
    open_working_folder(sys.argv[1:])
    _ignore_matplotlibrc()
    try:
        before()
        code = app(standalone_mode=False)
    except KeyboardInterrupt as error:
        code = _interrupted(error)
    except Exception as error:
        code = _said(error, console)
        if code is None:  # a fault of ours: the traceback is what a report needs
            raise
    if code == 130:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one changes nothing any more
        console.print(_LAST_WORDS[-1] or "interrupted", soft_wrap=True)
        _as_object("KeyboardInterrupt", _LAST_WORDS[-1] or "interrupted", 130)
        _leave_at_once(130)
    sys.exit(code if isinstance(code, int) else 0)


def _said(error: Exception, console: Console) -> int | None:
    """Print what an error means and return its exit code; None for one that was not foreseen."""
    code = 1
    if isinstance(error, MirrorError):
        message = str(error)
        code = 2 if isinstance(error, ConfigError | UnknownNameError) else 1
    elif isinstance(error, OSError):
        message = disk_problem(error)
    elif isinstance(error, MemoryError):
        message = "there is not enough memory for this; give it less, or run it on a larger machine"
    elif isinstance(error, RecursionError):
        message = "something that was read is nested too deeply; no file of ours is"
    elif isinstance(error, UnicodeEncodeError):
        message = (
            f"a name or text holds {plain(ascii(error.object[error.start : error.end]))}, which "
            "cannot be written as UTF-8; use another"
        )
    elif hasattr(error, "format_message"):  # wrong usage, as typer's commands say it
        return _usage(error, console)
    else:
        return None
    # what follows a line break stands apart, so that no text from outside looks like a line of ours
    console.print(
        "error: " + message.replace("\n", "\n       "),
        style="bold red",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    _as_object(type(error).__name__, message, code)
    return code


def _usage(error: Exception, console: Console) -> int:
    from typer import rich_utils

    code = int(getattr(error, "exit_code", 2))
    if isinstance(said := getattr(error, "message", None), str):
        error.message = one_line(said, 2000)  # type: ignore[attr-defined]
    rich_utils.rich_format_error(error)  # type: ignore[arg-type]
    _as_object("UsageError", error.format_message(), code)  # type: ignore[attr-defined]
    return code


def _as_object(kind: str, message: str, code: int) -> None:
    if "--json" in sys.argv:
        print(json.dumps({"error": message, "kind": kind, "exit_code": code}))


def _leave_at_once(code: int) -> None:
    """End an interrupted process although a model still computes in a thread: where Python takes
    its modules down under such a thread, C++ aborts with 134."""
    atexit._run_exitfuncs()  # Ray's processes and temporary files
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
