"""What a world or its agents can tell of the episodes that were just played, for a run's report.

A world that has more to say than its picture offers a method `account()`; for a kind of agent, a
function is registered (`mirrorenv.population.actors.base.register_account`). A training run writes
down what they tell at its last evaluation, and the report shows it: no kind of world or agent has a
page of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from mirrorenv.mirror.arrays import Floats64

__all__ = ["Account", "Dot", "Drawing", "GivesAccount", "PaysByName"]

Line = tuple[float, float, float, float]
Dot = tuple[float, float, Literal["plain", "start", "goal"]]


@dataclass(frozen=True)
class Drawing:
    """Dots and lines, e.g. a way on a map.

    Attributes:
        title: a heading.
        lines: from x, y to x, y, each from 0 to 1; y grows downwards.
        dots: x, y and what is there.
    """

    title: str
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Account:
    """A section of a report: drawings, and a table of texts.

    Attributes:
        title: a heading.
        lead: one or two sentences: what is shown.
        heads: of the columns; the first column names the row.
        rows: each as long as the heads.
        drawings: side by side, above the table.

    Raises:
        ValueError: if a row is longer or shorter than the heads.
    """

    title: str
    lead: str
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    drawings: tuple[Drawing, ...] = ()

    def __post_init__(self) -> None:
        if any(len(row) != len(self.heads) for row in self.rows):
            raise ValueError(f"a row of {self.title!r} has not {len(self.heads)} cells")


@runtime_checkable
class PaysByName(Protocol):
    """A world whose reward is a sum of named ones."""

    @property
    def earned(self) -> Mapping[str, Floats64]:
        """(B, N) each, before its weight: mean over the steps of the running episodes."""


@runtime_checkable
class GivesAccount(Protocol):
    """A world that tells of its last episodes."""

    def account(self) -> list[Account]:
        """Sections about the episodes that were just played."""
