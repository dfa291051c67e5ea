"""Columns as a file gave them, and the doors by the endings of files.

Shape legend: R rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.errors import LogError
from mirrorenv.mirror.arrays import AnyArray

__all__ = ["DOORS", "Place", "Rows", "column_of", "door", "joined", "texts_of"]

MOST_ROWS = 20_000_000


@dataclass(frozen=True)
class Place:
    """Where rows stand, for errors.

    Args:
        file: the file, or what else holds them.
        unit: what a row is there: "row", "line".
        start: number of the first row.
    """

    file: str
    unit: str = "row"
    start: int = 0

    def at(self, row: int) -> str:
        """Where a row stands.

        Args:
            row: counted from 0.
        """
        return f"{self.file}, {self.unit} {self.start + row}"

    def further(self, rows: int) -> Place:
        """The place so many rows on."""
        return Place(self.file, self.unit, self.start + rows)


@dataclass(frozen=True, eq=False)
class Rows:
    """A table.

    Args:
        columns: name -> (R,) texts (object) or numbers, or (R, D) numbers.
        place: of the first row.
    """

    columns: dict[str, AnyArray]
    place: Place

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0


Door = Callable[[Path], Rows]
DOORS: dict[str, Door] = {}
"""Ending of a file, with its dot -> what reads it."""


def door(*endings: str) -> Callable[[Door], Door]:
    """Register what reads files with these endings.

    Args:
        *endings: lower case, with their dots.
    """

    def register(read: Door) -> Door:
        for ending in endings:
            DOORS[ending] = read
        return read

    return register


def column_of(values: Iterable[object], name: str, place: Place) -> AnyArray:
    """A column of numbers if all are numbers, of numbers by row if all are lists of numbers of one
    length, of texts otherwise.

    Args:
        values: R of them.
        name: of the column, for errors.
        place: of a row, for errors.

    Raises:
        LogError: if a value is missing, or lists differ in length.
    """
    found: list[Any] = list(values)
    if None in found or "" in found:
        row = next(row for row, value in enumerate(found) if value is None or value == "")
        raise LogError(
            f"{place.at(row)}, column '{name[:80]}' is empty; remove the row, or fill it"
        )
    try:
        if isinstance(found[0], (list, tuple)):
            return _lists(found, name, place)
        return np.asarray(found, np.float64)
    except (TypeError, ValueError, OverflowError):
        return np.asarray([str(value) for value in found], object)


def _lists(found: list[Any], name: str, place: Place) -> AnyArray:
    first = len(found[0])
    for row, value in enumerate(found):
        if not isinstance(value, (list, tuple)) or len(value) != first:
            raise LogError(
                f"{place.at(row)}, column '{name[:80]}': a list of {first} belongs there, as "
                "in the first row"
            )
    return np.asarray(found, np.float64).reshape(len(found), -1)


def joined(parts: list[Rows]) -> Rows:
    """Tables with the same columns, one after another.

    Args:
        parts: at least one.

    Raises:
        LogError: if columns differ, or there are too many rows.
    """
    if len(parts) == 1:
        return parts[0]
    names = list(parts[0].columns)
    for part in parts[1:]:
        if set(part.columns) != set(names):
            other = sorted(set(part.columns) ^ set(names))
            raise LogError(
                f"{part.place.at(0)}: columns differ from the first file's in "
                f"{', '.join(other)[:200]}"
            )
    if sum(map(len, parts)) > MOST_ROWS:
        raise LogError(f"more than {MOST_ROWS:,} rows; give fewer files")
    columns = {}
    for name in names:
        pieces = [part.columns[name] for part in parts]
        if any(piece.dtype == object for piece in pieces):
            pieces = [piece.astype(str).astype(object) for piece in pieces]
        columns[name] = np.concatenate(pieces)
    return Rows(columns, parts[0].place)


def texts_of(values: AnyArray) -> AnyArray:
    """A column as texts: whole numbers without a decimal point.

    Args:
        values: (R,) numbers or texts.
    """
    if values.dtype == object:
        return values
    whole = values.ndim == 1 and np.array_equal(values, np.rint(values))
    words = values.astype(np.int64).astype(str) if whole else values.astype(str)
    return words.astype(object)
