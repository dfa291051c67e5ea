"""Files of one table: CSV, npz, Parquet, JSON lines, transcripts."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from mirrorenv.errors import LogError, require
from mirrorenv.instrument.doors.table import MOST_ROWS, Place, Rows, column_of, door, joined
from mirrorenv.results.runs.files import parse_json

__all__ = ["json_rows"]

_CHUNK = 50_000  # rows that are held as Python objects at once
_WIDEST = 4096
_SPEAKER = re.compile(r"^([^\s:][^:]{0,40}):\s+(\S.*)$")


@door(".csv", ".tsv")
def _csv(path: Path) -> Rows:
    """A spreadsheet: names in the first line, a row a line."""
    place = Place(str(path), start=2)  # as a spreadsheet counts
    with path.open(newline="", encoding="utf-8-sig") as file:
        start = file.read(65_536)
        file.seek(0)
        rows = csv.reader(file, delimiter=_delimiter(path, start))
        names = next(rows, [])
        if len(names) < 2 or len(set(names)) < len(names) or len(names) > _WIDEST:
            raise LogError(
                f"{path}: the first line must name its columns, each once, at least two; it has "
                f"{len(names)}"
            )
        return joined(list(_csv_chunks(rows, names, place)) or [_nothing(path)])


def _delimiter(path: Path, start: str) -> str:
    first = start.partition("\n")[0]
    if path.suffix.lower() == ".tsv":
        return "\t"
    return max(",;\t", key=first.count)


def _csv_chunks(rows: Iterator[list[str]], names: list[str], place: Place) -> Iterator[Rows]:
    while chunk := list(islice(rows, _CHUNK)):
        for offset, row in enumerate(chunk):
            if len(row) != len(names):
                raise LogError(
                    f"{place.at(offset)} has {len(row)} columns, the first line names {len(names)}"
                )
        columns = {}
        for name, values in zip(names, zip(*chunk, strict=True), strict=True):
            columns[name] = column_of(values, name, place)
        yield Rows(columns, place)
        place = place.further(len(chunk))
        if place.start > MOST_ROWS:
            raise LogError(f"{place.at(0)}: more than {MOST_ROWS:,} rows")


def _nothing(path: Path) -> Rows:
    raise LogError(f"{path} has no rows")


@door(".jsonl", ".json", ".ndjson")
def _json(path: Path) -> Rows:
    """An object a line, or a list of objects."""
    place = Place(str(path), "line", 1)
    with path.open(encoding="utf-8-sig") as file:
        first = file.read(1)
        while first.isspace():
            first = file.read(1)
        file.seek(0)
        if first == "[":
            held = parse_json(file.read())
            return json_rows(held if isinstance(held, list) else [], Place(str(path), "entry"))
        return joined(list(_json_chunks(file, place)) or [_nothing(path)])


def _json_chunks(file: TextIO, place: Place) -> Iterator[Rows]:
    while lines := list(islice(file, _CHUNK)):
        held = []
        for offset, line in enumerate(lines):
            if not line.strip():
                continue
            try:
                held.append(parse_json(line))
            except (ValueError, RecursionError) as error:
                raise LogError(f"{place.at(offset)}: no JSON ({error})") from error
        if held:
            yield json_rows(held, place)
        place = place.further(len(lines))


def json_rows(held: list[Any], place: Place) -> Rows:
    """Objects as a table; objects in them become columns `outer.inner`, and chats with a list of
    `messages` become a row for each message.

    Args:
        held: the objects.
        place: of a row, for errors.

    Raises:
        LogError: if one is no object, lacks a column that the first has, or the list is empty.
    """
    flat: list[dict[str, Any]] = []
    for row, one in enumerate(held):
        if not isinstance(one, dict):
            raise LogError(f"{place.at(row)}: an object belongs there")
        flat += _messages(one, row, place) if _is_chat(one) else [_flat(one)]
    if not flat:
        raise LogError(f"{place.at(0)}: there are no rows")
    columns = {}
    for row, one in enumerate(flat):
        for name in flat[0].keys() ^ one.keys():
            raise LogError(
                f"{place.at(row)}: '{name[:80]}' stands there or in the first row, and not in both"
            )
    for name in flat[0]:
        columns[name] = column_of([one[name] for one in flat], name, place)
    return Rows(columns, place)


def _flat(one: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in one.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[prefix + name] = value
    return found


def _is_chat(one: dict[str, Any]) -> bool:
    return isinstance(one.get("messages"), list)


def _messages(one: dict[str, Any], row: int, place: Place) -> list[dict[str, Any]]:
    found = []
    name = one.get("id", place.start + row)
    for turn, message in enumerate(one["messages"]):
        if not isinstance(message, dict):
            raise LogError(f"{place.at(row)}, message {turn}: an object belongs there")
        speaker = message.get("name") or message.get("role")
        content = message.get("content")
        if content is not None and not isinstance(content, str):
            raise LogError(
                f"{place.at(row)}, message {turn}: its content is a {type(content).__name__}, and "
                "texts are read; join its parts"
            )
        if content and content.strip():
            found.append({"conversation": name, "turn": turn, "speaker": speaker, "text": content})
    return found


@door(".txt")
def _transcript(path: Path) -> Rows:
    """A conversation, `NAME: what was said` a turn; lines without a name go on with the turn."""
    place = Place(str(path), "line", 1)
    turns: list[tuple[str, list[str]]] = []
    for row, line in enumerate(path.read_text(encoding="utf-8-sig").splitlines()):
        named = _SPEAKER.match(line)
        if named:
            turns.append((named[1].strip(), [named[2]]))
        elif line.strip() and not turns:
            raise LogError(f"{place.at(row)}: a conversation begins with 'NAME: what was said'")
        elif line.strip():
            turns[-1][1].append(line)
    if not turns:
        _nothing(path)
    speakers = np.asarray([speaker for speaker, _ in turns], object)
    texts = np.asarray(["\n".join(lines) for _, lines in turns], object)
    return Rows({"speaker": speakers, "turn": np.arange(len(turns)), "text": texts}, place)


@door(".npz")
def _npz(path: Path) -> Rows:
    """Arrays by name that share their first axis; those of Stable-Baselines3's rollouts share two,
    steps and copies."""
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except (ValueError, AttributeError, TypeError) as error:
        raise LogError(
            f"{path} cannot be read as npz without running code in it ({error}); write it with "
            "numpy.savez from arrays of numbers or texts"
        ) from error
    from mirrorenv.instrument.doors.arrays import array_rows

    return array_rows(arrays, str(path))


@door(".parquet")
def _parquet(path: Path) -> Rows:
    """A Parquet file of numbers, texts, and lists of numbers."""
    parquet = require("pyarrow.parquet", "data")
    try:
        opened = parquet.ParquetFile(path)
        rows = opened.metadata.num_rows
        if rows > MOST_ROWS or opened.metadata.num_columns > _WIDEST:
            raise LogError(f"{path} has {rows:,} rows; {MOST_ROWS:,} are read at most")
        place = Place(str(path))
        chunks = []
        for batch in opened.iter_batches(_CHUNK):
            columns = {}
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                columns[name] = column_of(column.to_pylist(), name, place)
            chunks.append(Rows(columns, place))
    except (OSError, ValueError) as error:
        if isinstance(error, LogError):
            raise
        raise LogError(f"{path} cannot be read as Parquet ({error})") from error
    return joined(chunks or [_nothing(path)])
