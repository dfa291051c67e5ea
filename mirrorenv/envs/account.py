"""What a world can tell of the episodes that were just played, for the report of a run.

A world that has more to say than its picture offers a method `account()` that returns tables; a
training run writes them beside its last evaluation, and the report shows them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

__all__ = ["AccountTable", "GivesAccount"]


@dataclass(frozen=True)
class AccountTable:
    """A table of texts.

    Attributes:
        title: a heading.
        lead: one or two sentences: what is shown.
        heads: of the columns; the first column names the row.
        rows: each as long as the heads.
    """

    title: str
    lead: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@runtime_checkable
class GivesAccount(Protocol):
    """A world that tells of its last episodes."""

    def account(self) -> list[AccountTable]:
        """Tables about the episodes that were just played."""
