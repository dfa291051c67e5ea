"""What goes on while somebody waits: a spinner in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.status import Status
from rich.text import Text

from mirrorenv.cli._common import console
from mirrorenv.plain_text import in_one_line

__all__ = ["FIRST", "LONGEST", "Waiting"]

FIRST = 10.0
"""Seconds before the first line, where no terminal shows a spinner; each pause is twice as long."""
LONGEST = 60.0
"""Seconds between two lines at most."""


class Waiting:
    """Context manager that says what is being done, for as long as it takes.

    Args:
        doing: what, as the beginning of a line.
        quiet: say nothing.
        on: where to say it.
    """

    def __init__(self, doing: str, quiet: bool = False, on: Console = console) -> None:
        self.doing = in_one_line(doing)
        self._console = on
        self._silent = quiet or on.quiet
        self._began = time.monotonic()
        self._over = threading.Event()
        self._spinner: Status | None = None

    def update(self, doing: str) -> None:
        """Say something else from now on."""
        self.doing = in_one_line(doing)
        if self._spinner is not None:
            self._spinner.update(Text(self.doing))

    def line(self) -> str:
        """What is said where there is no terminal."""
        return f"{self.doing} ({time.monotonic() - self._began:.0f} s so far)"

    def __enter__(self) -> Self:
        if self._silent:
            return self
        if self._console.is_terminal:
            self._spinner = self._console.status(Text(self.doing))
            self._spinner.start()
        else:
            threading.Thread(target=self._now_and_then, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._spinner is not None:
            self._spinner.stop()

    def _now_and_then(self) -> None:
        pause = FIRST
        while not self._over.wait(pause):
            self._console.print(self.line(), soft_wrap=True)
            pause = min(2 * pause, LONGEST)
