"""What to do next: the last lines of a command are commands to paste."""

from __future__ import annotations

import inspect
import os
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from mirrorenv import terminal
from mirrorenv.cli._common import typed_arguments
from mirrorenv.errors import Interrupted
from mirrorenv.named_code import is_named
from mirrorenv.plain_text import in_one_line

__all__ = [
    "board",
    "check",
    "control",
    "evaluate",
    "export",
    "options",
    "page_can_wait",
    "pasted",
    "play",
    "print_next",
    "report",
    "train",
    "typed_options",
    "verify",
]

YOUR_WORLD = "YOUR.MODULE:ENV"
"""Stands in a line to paste where only a file, and not the user, has named the code of a world."""
_YOURS = (
    f"{YOUR_WORLD} is for you to fill in: only a file has named this world's code, and code is run "
    "if you name it"
)


def print_next(console: Console, *commands: str) -> None:
    """One line for each command; what stands in for a name is said."""
    terminal.print_next(console, *commands)
    if any(YOUR_WORLD in command for command in commands):
        console.print(f"{'':<12}{_YOURS}", soft_wrap=True)


def pasted(words: Iterable[str]) -> str:
    """Words as a line that a shell takes apart again; what a terminal would obey is written as
    bash, zsh and ksh read it, `$'...'`."""
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    if in_one_line(word) == word:
        return shlex.quote(word)
    escaped = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{''.join(map(_escaped, escaped))}'"


def _escaped(mark: str) -> str:
    if in_one_line(mark) == mark:
        return mark
    return "".join(f"\\x{byte:02x}" for byte in os.fsencode(mark))


def train(world: str, arguments: Mapping[str, Any] | None = None) -> str:
    """Train in this world with the defaults.

    Args:
        world: its id.
        arguments: of the world.
    """
    return pasted(["mirrorenv", "train", world, *typed_arguments(arguments or {})])


def evaluate(run: Path, world: str) -> str:
    """Measure a run's last checkpoint; a world that is code is run only if it is named."""
    return " ".join([pasted(["mirrorenv", "evaluate", str(run)]), *_world("--world", world)])


def options(**given: object) -> list[str]:
    """Options that were typed, to be typed again.

    Args:
        **given: by name, with `_` for `-`; None for what was not given, a list for what may be
            repeated.
    """
    words = []
    for name, value in given.items():
        for one in value if isinstance(value, list) else [value]:
            words += [] if one is None else [f"--{name.replace('_', '-')}", str(one)]
    return words


def typed_options(command: Callable[..., object], **given: object) -> list[str]:
    """Those options of a command that are not what they are by themselves, to be typed again.

    Args:
        command: whose parameters have the defaults.
        **given: by name.
    """
    usual = inspect.signature(command).parameters
    return options(**{name: one for name, one in given.items() if one != usual[name].default})


def play(run: Path, world: str, *, pictures: bool, code: list[str] | None = None) -> str:
    """Watch a run's agents.

    Args:
        run: a run folder or a checkpoint.
        world: its world.
        pictures: whether the world draws itself; as numbers where it does not.
        code: what else was named.
    """
    gif = f"{run.resolve().name}.gif" if pictures else None
    more = options(policy=run, gif=gif, code=code)
    return pasted(["mirrorenv", "play", world, *more])


def report(run: Path) -> str:
    """Write a run's page again."""
    return pasted(["mirrorenv", "report", str(run)])


@contextmanager
def page_can_wait(run: Path) -> Iterator[None]:
    """Ctrl-C while the page of a finished run is written: the run is whole, and it is said what
    writes its page."""
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"interrupted while the page was written. The run is whole in {in_one_line(run)}; its "
            f"page is written by: {report(run)}"
        ) from None


def export(run: Path) -> str:
    """Make a result folder of a run."""
    return pasted(["mirrorenv", "results", "export", str(run)])


def verify(result: Path, world: str, **given: object) -> str:
    """Check a result folder; a world that is code is run only if it is named.

    Args:
        result: its path.
        world: its world, or nothing.
        **given: further options.
    """
    words = pasted(["mirrorenv", "verify", str(result), *options(**given)])
    return " ".join([words, *_world("--world", world)])


def board(*results: Path, out: Path = Path("board.html"), **given: object) -> str:
    """Put results on a page.

    Args:
        *results: their folders.
        out: the page.
        **given: further options.
    """
    words = ["mirrorenv", "board", "build", *map(str, results), "--out", str(out)]
    return pasted([*words, *options(**given)])


def check(submission: Path, **given: object) -> str:
    """Verify a folder of results.

    Args:
        submission: the folder.
        **given: further options.
    """
    return pasted(["mirrorenv", "board", "check", str(submission), *options(**given)])


def _world(option: str, world: str) -> list[str]:
    """The world, if it is code. A run folder may come from anybody, and a line to paste names no
    code that only the folder has named: there the user fills in the name."""
    if ":" not in world:
        return []
    return [*([option] if option else []), shlex.quote(world) if is_named(world) else YOUR_WORLD]


def control(run: Path, world: str) -> list[str]:
    """The same run without the mirror, and the report that shows both."""
    without = run.parent / f"{run.name or run.resolve().name}-weight0"
    if not run.name:  # the folder that one stands in
        without = Path("..", without.name)
    again = [
        "--config",
        str(run / "config.json"),
        "--set",
        "mirror.weight=0",
        "--run",
        str(without),
    ]
    return [
        " ".join(["mirrorenv train", *_world("", world), pasted(again)]),
        pasted(["mirrorenv", "report", str(run), "--weight0", str(without)]),
    ]
