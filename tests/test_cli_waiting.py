"""Somebody who waits is told what goes on, also where there is no terminal; quiet is quiet."""

from __future__ import annotations

import io
from typing import Any

import pytest

from mirrorenv.cli import waiting
from mirrorenv.cli.waiting import Waiting
from mirrorenv.terminal import PlainConsole


class Pauses:
    """An event whose clock is a list: so many pauses pass, then it is over."""

    def __init__(self, passing: int) -> None:
        self.left = passing
        self.asked: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.asked.append(seconds)
        self.left -= 1
        return self.left < 0

    def set(self) -> None: ...


class Unstarted:
    def start(self) -> None: ...


def told(passing: int, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[str, list[float]]:
    """What is said while so many pauses pass, and how long they were."""
    console = PlainConsole(file=io.StringIO(), width=60)
    one = Waiting("reading [bold] 3 results", on=console, **options)
    pauses = Pauses(passing)
    monkeypatch.setattr(one, "_over", pauses)
    with one:
        one.update("reading [bold] 4 results")
        if not options.get("quiet"):
            one._now_and_then()
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue(), pauses.asked


def test_a_line_comes_now_and_then_and_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting.threading, "Thread", lambda **_: Unstarted())
    said, pauses = told(4, monkeypatch)
    assert said.splitlines()[0].startswith("reading [bold] 4 results (")
    assert len(said.splitlines()) == 4
    assert pauses == [10.0, 20.0, 40.0, 60.0, 60.0]


def test_quiet_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(4, monkeypatch, quiet=True) == ("", [])


def test_a_terminal_shows_a_spinner(monkeypatch: pytest.MonkeyPatch) -> None:
    console = PlainConsole(file=io.StringIO(), force_terminal=True, width=60)
    with Waiting("verifying", on=console) as one:
        one.update("writing [red]")
        assert one._spinner is not None
    assert isinstance(console.file, io.StringIO)
    assert "writing [red]" in console.file.getvalue()  # as it is: no markup is read in it
