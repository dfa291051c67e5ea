"""The part of a report that a world wrote itself: tables in `account.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mirrorenv.envs.account import AccountTable
from mirrorenv.errors import RunFolderError
from mirrorenv.results.report.page import section, table
from mirrorenv.results.report.templates import Html, text
from mirrorenv.results.runs.files import atomic_write_text, parse_json

__all__ = ["ACCOUNT", "account_sections", "write_account"]

ACCOUNT = "account.json"
_MOST_ROWS = 400
_MOST_TABLES = 12
_LONGEST = 600  # characters of a cell
_LARGEST = 4 << 20  # bytes of the file


def write_account(folder: Path, tables: Sequence[AccountTable]) -> None:
    """Put tables into a run folder, in place of earlier ones."""
    atomic_write_text(folder / ACCOUNT, json.dumps([asdict(one) for one in tables], indent=1))


def account_sections(folder: Path) -> list[Html]:
    """The tables of a run folder as sections; nothing if there are none.

    Raises:
        RunFolderError: if the file is damaged.
    """
    path = folder / ACCOUNT
    if not path.is_file():
        return []
    if path.stat().st_size > _LARGEST:
        raise RunFolderError(f"{path} is larger than {_LARGEST} bytes: delete it")
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
        return [_section(one) for one in found[:_MOST_TABLES]]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise RunFolderError(
            f"{path} is damaged ({type(error).__name__}): delete it, and the report is written "
            "without"
        ) from error


def _section(one: dict[str, object]) -> Html:
    heads = one["heads"]
    rows = one["rows"]
    if not isinstance(heads, list) or not isinstance(rows, list):
        raise TypeError("no table")
    cells = [_cells(row[: len(heads)]) for row in rows[:_MOST_ROWS]]
    body = table([str(head) for head in heads], cells, f"{len(rows)} rows.", "account")
    return section(str(one["title"]), body, lead=str(one["lead"]))


def _cells(row: Sequence[object]) -> list[Html]:
    return [text(cell, _LONGEST) for cell in row]
