"""What reaches a terminal: consoles that obey no text they print.

Every console of the package is a :class:`PlainConsole`; what is printed without one goes through
:func:`mirrorenv.plain_text.plain` first.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.segment import Segment

from mirrorenv.plain_text import in_one_line, plain

__all__ = ["PlainConsole", "plain_logs", "print_next", "tolerant_streams"]


class PlainConsole(Console):
    """A console that obeys no text it prints: controls are shown, square brackets are no markup.

    Args:
        **options: of rich's console.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"markup": False, "highlight": False, **options})

    def _render_buffer(self, buffer: Iterable[Segment]) -> str:
        """rich's own hook: colours and cursor moves are its own, texts are shown."""
        shown = [
            part if part.control else Segment(plain(part.text), part.style, part.control)
            for part in buffer
        ]
        return super()._render_buffer(shown)


def print_next(console: Console, *commands: str) -> None:
    """What to do next: one line for each command, unbroken, so that it can be pasted.

    Args:
        console: where to.
        *commands: in the order in which they are typed.
    """
    for number, command in enumerate(commands):
        console.print(
            f"{'' if number else 'next':<12}{in_one_line(command)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


class _PlainFormatter(logging.Formatter):
    """A line of the log without what a terminal obeys."""

    def format(self, record: logging.LogRecord) -> str:
        return plain(super().format(record))


def plain_logs() -> None:
    """Let warnings that no one has asked to see elsewhere reach the terminal as text."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(_PlainFormatter())


def tolerant_streams() -> None:
    """Let an ascii or latin-1 terminal show the code of a character that it does not have."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
