"""The one log of a tournament: record, cache and source of resume.

Every finished call is a line of `calls.jsonl`, written and synced before its answer is used.
Nothing else is needed to go on after a crash: games are played again from the beginning, and calls
that the log holds are answered from it.

| kind of row | keys |
|---|---|
| `call` | `key`, `sample`, `game`, `agent`, `digest` of what was shown, `seconds`,
`cost`, `reply`; `taken` where nothing was asked, see :mod:`mirrorenv.debate.taking` |
| `failure` | `key`, `sample`, `game`, `agent`, `error`, `attempts`, `usage`,
`cost`: a call that got no answer |

Memory: eight bytes a call for its place in the file, and the rows of the games that are being
played.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any, BinaryIO

from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.files import parse_json, refuse_device
from mirrorenv.results.runs.json_lines import append_jsonl_rows

__all__ = ["CALLS", "CallLog", "Spent", "Totals", "answered_rows", "row_at", "rows_of"]

CALLS = "calls.jsonl"
TAKEN = ("text", "answer")


@dataclass
class Spent:
    """What calls cost.

    Attributes:
        calls: finished ones.
        taken: answers that were taken from another log; they are in none of the other figures.
        failures: calls that got no answer.
        attempts: tries that failed, of finished and failed calls; they may be on the bill.
        input: tokens read.
        output: tokens written.
        cost: in the tournament's currency.
    """

    calls: int = 0
    taken: int = 0
    failures: int = 0
    attempts: int = 0
    input: int = 0
    output: int = 0
    cost: float = 0.0

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row of the log."""
        if "taken" in row:
            self.taken += 1
            return
        answer = _answer_in(row)
        usage = answer.get("usage", {})
        self.attempts += len(answer.get("attempts", ()))
        self.input += usage.get("input", 0)
        self.output += usage.get("output", 0)
        self.cost += row.get("cost") or 0.0
        if row["kind"] == "failure":
            self.failures += 1
        else:
            self.calls += 1


def _answer_in(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where a row of the log holds tries and usage."""
    found: Mapping[str, Any] = row if row["kind"] == "failure" else row["reply"]
    return found


@dataclass
class CardTotals(Spent):
    """What one card spent, and how its answers ended.

    Attributes:
        waited: seconds that it was told, or chose, to wait before further tries.
        stops: answers, taken ones included, by why they ended; see
            :data:`mirrorenv.llm.answers.STOPS`.
        served: answers by the model that the server says it was.
        error: what went wrong last, or "".
    """

    waited: float = 0.0
    stops: dict[str, int] = field(default_factory=dict)
    served: dict[str, int] = field(default_factory=dict)
    error: str = ""

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row of the log."""
        super().add(row)
        answer = _answer_in(row)
        tries = answer.get("attempts", ()) if "taken" not in row else ()
        self.waited += sum(one.get("wait") or 0.0 for one in tries)
        if tries:
            self.error = str(tries[-1].get("error", ""))
        if row["kind"] == "failure":
            self.error = row["error"]
            return
        stop = answer["stop"]
        self.stops[stop] = self.stops.get(stop, 0) + 1
        model = (answer.get("response") or {}).get("model")
        if isinstance(model, str):
            self.served[model] = self.served.get(model, 0) + 1


@dataclass
class Totals(Spent):
    """What was spent so far.

    Attributes:
        paid: finished calls to models.
        saved: answers of models that were taken from another log.
        estimated: calls whose tokens the server did not say.
        cards: the same of each card that is a model, by its name.
    """

    paid: int = 0
    saved: int = 0
    estimated: int = 0
    cards: dict[str, CardTotals] = field(default_factory=dict)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one row of the log."""
        super().add(row)
        if "taken" not in row:
            self.estimated += bool(_answer_in(row).get("usage", {}).get("estimated"))
        model = row["kind"] == "call" and bool(row["reply"].get("stop"))
        self.paid += model and "taken" not in row
        self.saved += model and "taken" in row
        if row["kind"] == "failure" or (model and row.get("taken") != "text"):
            self.cards.setdefault(row["agent"], CardTotals()).add(row)


def rows_of(
    path: Path,
    check: Callable[[dict[str, Any]], object],
    remedy: str,
    torn: Callable[[int], None] = lambda size: None,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every row of a file of JSON lines with its place in the file, one at a time; a missing file
    has none.

    Args:
        path: the file.
        check: raises a ValueError, KeyError or TypeError for a row that is not ours.
        remedy: what happens once a damaged line is removed.
        torn: told the length of an unfinished last line, which a killed writer leaves and the next
            append cuts off.

    Raises:
        RunFolderError: if any other line is damaged; the message names it.
    """
    if not path.exists():
        return
    refuse_device(path)
    place = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = parse_json(line.decode("utf-8"))
                check(row)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    torn(len(line))
                    return
                raise RunFolderError(
                    f"{path}, line {number}: damaged ({error}); restore the file, or remove that "
                    f"line, and {remedy}"
                ) from error
            yield place, row
            place += len(line)


def answered_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every finished call of a log with its place in the file; an unfinished last line is left out.

    Args:
        path: of the log.

    Raises:
        RunFolderError: if a line is damaged.
    """
    for place, row in rows_of(path, _check_call, "its answer is not taken"):
        if row["kind"] == "call":
            yield place, row


def row_at(file: BinaryIO, place: int) -> dict[str, Any]:
    """The row that begins at a place."""
    file.seek(place)
    row: dict[str, Any] = parse_json(file.readline().decode("utf-8"))
    return row


_CALL: Mapping[str, tuple[type, ...]] = {
    "key": (str,),
    "sample": (int,),
    "agent": (str,),
    "digest": (str,),
    "reply": (dict,),
}
_ANSWER: Mapping[str, tuple[type, ...]] = {
    "evidence": (list, NoneType),
    "request": (dict, NoneType),
    "response": (dict, NoneType),
    "usage": (dict,),
    "attempts": (list,),
    "stop": (str,),
    "thoughts": (str,),
}
_USAGE: Mapping[str, tuple[type, ...]] = {"input": (int,), "output": (int,), "estimated": (bool,)}


def _check_call(row: dict[str, Any]) -> None:
    """Whether a row is a call or a failure that we could have written.

    Raises:
        ValueError: if something in it is of another type.
        KeyError: if something is missing.
    """
    _checked({"kind": row["kind"], "game": row["game"]}, {"kind": (str,), "game": (int,)})
    if not isinstance(row.get("cost"), int | float | NoneType):
        raise ValueError("its cost is no number")
    if row["kind"] != "call":
        row["error"]
        _checked(row, {"agent": (str,), "attempts": (list,), "usage": (dict,)})
        _checked(row.get("usage", {}), _USAGE, only=True)
        return
    _checked({name: row[name] for name in _CALL}, _CALL)
    if row.get("taken", "text") not in TAKEN:
        raise ValueError(f"it was taken as {row['taken']!a:.40}, which is unknown")
    reply = row["reply"]
    _checked({"text": reply["text"]}, {"text": (str,)})
    _checked(reply, _ANSWER)
    _checked(reply.get("usage", {}), _USAGE, only=True)
    for line in reply.get("evidence") or ():
        if not isinstance(line, list) or not all(type(one) in (int, float) for one in line):
            raise ValueError("its evidence is no table of numbers")


def _checked(
    held: Mapping[str, Any], types: Mapping[str, tuple[type, ...]], *, only: bool = False
) -> None:
    for name, value in held.items():
        if name in types and type(value) not in types[name]:
            raise ValueError(f"its {name} is {type(value).__name__}")
        if only and name not in types:
            raise ValueError(f"it holds {name!a}, which is unknown")


class CallLog:
    """The log of one run folder.

    Args:
        path: `calls.jsonl`; need not exist.

    Raises:
        RunFolderError: if a line other than an unfinished last one is damaged, or a call is in it
            twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.totals = Totals()
        self.torn_bytes = 0
        self._places: dict[int, array[int]] = {}
        self._queue: list[tuple[Mapping[str, Any], asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        for place, row in rows_of(path, _check_call, "its call is made again", self._torn):
            self.totals.add(row)
            if row["kind"] == "call":
                self._places.setdefault(int(row["game"]), array("q")).append(place)

    def _torn(self, size: int) -> None:
        self.torn_bytes = size

    def game(self, game: int) -> dict[tuple[str, int], dict[str, Any]]:
        """The finished calls of one game by key and sample.

        Raises:
            RunFolderError: if a call is in the log twice.
        """
        rows: dict[tuple[str, int], dict[str, Any]] = {}
        places = self._places.get(game)
        if not places:
            return rows
        with self.path.open("rb") as file:
            for place in places:
                row = row_at(file, place)
                name = (row["key"], row["sample"])
                if name in rows:
                    raise RunFolderError(
                        f"{self.path} holds the call {row['key']} twice; two runs wrote at once"
                    )
                rows[name] = row
        return rows

    @property
    def games(self) -> list[int]:
        """Numbers of the games that have at least one finished call."""
        return sorted(self._places)

    async def append(self, row: Mapping[str, Any]) -> None:
        """Write a row; returns once it is on the disk. Rows that come while the disk is busy share
        its next sync.

        Raises:
            RunFolderError: if the disk refuses.
        """
        written = asyncio.get_running_loop().create_future()
        self._queue.append((row, written))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._drain())
        await asyncio.shield(written)
        self.totals.add(row)

    async def _drain(self) -> None:
        while self._queue:
            batch = self._queue
            self._queue = []
            try:
                await asyncio.to_thread(append_jsonl_rows, self.path, [row for row, _ in batch])
            except Exception as error:  # handed to whoever waits for these rows
                for _, written in batch:
                    if not written.done():
                        written.set_exception(error)
            else:
                for _, written in batch:
                    if not written.done():
                        written.set_result(None)
