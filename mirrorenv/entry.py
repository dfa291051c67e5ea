"""How every console script of the package lists its commands, begins and ends.

Exit codes: 0 done, 1 what was asked for could not be done (the message says why), 2 wrong usage,
130 interrupted.
"""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from collections.abc import Callable

import typer
from rich.console import Console

from mirrorenv.errors import MirrorError
from mirrorenv.named_code import open_working_folder

__all__ = ["add_commands", "help_of", "run_command"]


def add_commands(app: typer.Typer, *commands: Callable[..., object]) -> None:
    """Add functions as commands of their own names, in this order."""
    for command in commands:
        app.command(help=help_of(command))(command)


def help_of(command: Callable[..., object]) -> str:
    """The docstring of a command, each paragraph in one line, so that a terminal wraps it."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


def run_command(app: Callable[[], object], console: Console) -> None:
    """Run a command line; an error that the package means to say is one message and no traceback.

    Args:
        app: takes its words from ``sys.argv``.
        console: for messages, usually standard error.
    """
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    os.environ.setdefault("PYTHONWARNINGS", "ignore::DeprecationWarning")  # for Ray's actors
    open_working_folder(sys.argv[1:])
    try:
        app()
    except MirrorError as error:
        console.print(
            f"error: {error}", style="bold red", markup=False, highlight=False, soft_wrap=True
        )
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("interrupted")
        sys.exit(130)
