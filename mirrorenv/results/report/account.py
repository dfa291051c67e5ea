"""What a world and its agents told of a run's last episodes, as sections of the report."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mirrorenv.envs.account import Account
from mirrorenv.results.report.page import details, section, table
from mirrorenv.results.report.templates import Html, render, text
from mirrorenv.results.runs.accounts import read_accounts

__all__ = ["account_sections"]

_FIRST = 12
"""Rows that are seen at once; the others are unfolded."""
_MOST_ROWS = 400
_MOST_DRAWINGS = 64
_cut = partial(text, longest=600)
"""A cell."""
_SIZE = 300
"""Of a drawing, in its own units."""


def account_sections(folder: Path) -> list[Html]:
    """The accounts in a run folder; nothing if there are none.

    Raises:
        RunFolderError: if the file is damaged.
    """
    return [_section(one) for one in read_accounts(folder)]


def _counted(one: Account) -> str:
    """How many rows there are, and how many of them the page holds."""
    held = f", of which the first {_MOST_ROWS} are here" if len(one.rows) > _MOST_ROWS else ""
    return f"{len(one.rows)} rows{held}."


def _section(one: Account) -> Html:
    parts = [
        render(
            "mirrorenv.results.report",
            "drawings.html",
            drawings=one.drawings[:_MOST_DRAWINGS],
            size=_SIZE,
        )
    ]
    if one.heads:
        cells = [list(map(_cut, row)) for row in one.rows[:_MOST_ROWS]]
        parts.append(table(one.heads, cells[:_FIRST], _counted(one), "account"))
        if rest := cells[_FIRST:]:
            parts.append(details(f"{len(rest)} more", table(one.heads, rest, "", "account")))
    return section(one.title, *parts, lead=one.lead)
