"""What to do next: the last lines of a command are commands to paste."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from mirrorenv.cli._common import typed_arguments
from mirrorenv.named_code import is_named
from mirrorenv.plain_text import in_one_line

__all__ = [
    "board",
    "control",
    "evaluate",
    "export",
    "play",
    "print_next",
    "report",
    "train",
    "verify",
]

YOUR_WORLD = "YOUR.MODULE:ENV"
"""Stands in a line to paste where only a file, and not the user, has named the code of a world."""


def print_next(console: Console, *commands: str) -> None:
    """One line for each command, unbroken, so that it can be pasted."""
    for number, command in enumerate(commands):
        console.print(
            f"{'' if number else 'next':<12}{in_one_line(command)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def train(world: str, arguments: Mapping[str, Any] | None = None) -> str:
    """Train in this world with the defaults.

    Args:
        world: its id.
        arguments: of the world.
    """
    return shlex.join(["mirrorenv", "train", world, *typed_arguments(arguments or {})])


def evaluate(run: Path, world: str) -> str:
    """Measure a run's last checkpoint; a world that is code is run only if it is named."""
    return " ".join([shlex.join(["mirrorenv", "evaluate", str(run)]), *_world("--world", world)])


def play(run: Path, world: str, *, pictures: bool) -> str:
    """Watch a run's agents; as numbers where the world draws nothing."""
    gif = ["--gif", f"{run.name}.gif"] if pictures else []
    return shlex.join(["mirrorenv", "play", world, "--policy", str(run), *gif])


def report(run: Path) -> str:
    """Write a run's page again."""
    return shlex.join(["mirrorenv", "report", str(run)])


def export(run: Path) -> str:
    """Make a result folder of a run."""
    return shlex.join(["mirrorenv", "results", "export", str(run)])


def verify(result: Path, world: str) -> str:
    """Check a result folder; a world that is code is run only if it is named."""
    return " ".join([shlex.join(["mirrorenv", "verify", str(result)]), *_world("--world", world)])


def board(result: Path) -> str:
    """Put a result on a page of its own."""
    return shlex.join(["mirrorenv", "board", "build", str(result), "--out", "board.html"])


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
        " ".join(["mirrorenv train", *_world("", world), shlex.join(again)]),
        shlex.join(["mirrorenv", "report", str(run), "--weight0", str(without)]),
    ]
