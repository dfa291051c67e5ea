"""Reading evaluations that may be incomplete.

The rows of a run folder are input like any other: keys may be missing, figures null, lists of the
wrong shape. The readers here return a typed value or None and never raise, so that a report can be
made of whatever is there.

Shape legend: N agents, J observers, T time steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Quantity", "Record", "Series", "curve", "dig", "figure", "flatten", "matrix", "number"]

Array = NDArray[np.float64]
Row = Mapping[str, Any]


class Quantity(NamedTuple):
    """A published figure: value and, where one was given, its interval."""

    value: float
    low: float | None = None
    high: float | None = None


class Series(NamedTuple):
    """A figure against environment steps, each array of shape (evaluations,); `low` and `high` NaN
    where unknown."""

    steps: Array
    value: Array
    low: Array
    high: Array


def number(value: Any) -> float | None:
    """A finite real number as float, anything else as None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        result = float(value)
    except OverflowError:
        return None
    return result if math.isfinite(result) else None


def dig(row: Any, *keys: str) -> Any:
    """The value under nested keys, or None."""
    for key in keys:
        row = row.get(key) if isinstance(row, Mapping) else None
    return row


def figure(row: Any, *keys: str) -> Quantity | None:
    """The figure under nested keys: a number, or an object with ``value``, ``low`` and ``high``."""
    found = dig(row, *keys)
    value = number(found)
    if value is not None:
        return Quantity(value)
    value = number(dig(found, "value"))
    if value is None:
        return None
    low, high = number(dig(found, "low")), number(dig(found, "high"))
    return (
        Quantity(value) if low is None or high is None or low > high else Quantity(value, low, high)
    )


def curve(row: Any, *keys: str) -> Array | None:
    """A list of numbers (T,) with NaN for nulls; None if there is not one number in it."""
    found = dig(row, *keys)
    if not isinstance(found, Sequence) or isinstance(found, str):
        return None
    values = np.array(
        [math.nan if (item := number(entry)) is None else item for entry in found], dtype=np.float64
    )
    return values if np.isfinite(values).any() else None


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested objects as (dotted key, value) pairs."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def matrix(row: Any, *keys: str) -> Array | None:
    """A rectangular list of lists of numbers with NaN for nulls; None for anything else."""
    found = dig(row, *keys)
    if not isinstance(found, Sequence) or isinstance(found, str) or not found:
        return None
    rows = [curve({"row": entry}, "row") for entry in found]
    if (
        any(entry is None for entry in rows)
        or len({len(entry) for entry in rows if entry is not None}) != 1
    ):
        return None
    return np.stack([entry for entry in rows if entry is not None])


@dataclass(frozen=True)
class Record:
    """The evaluations and metrics of one run, ordered by environment steps.

    Attributes:
        evaluations: rows with a usable ``env_steps``.
        metrics: rows with a usable ``env_steps``.
        name: what to call this run in a legend.
        dropped: rows left out because they have no ``env_steps``.
    """

    evaluations: list[Row]
    metrics: list[Row] = field(default_factory=list)
    name: str = "this run"
    dropped: int = 0

    @classmethod
    def of(
        cls, evaluations: Sequence[Any], metrics: Sequence[Any] = (), name: str = "this run"
    ) -> Record:
        """Sort rows and leave out those that cannot be placed."""
        placed, measured = _placed(evaluations), _placed(metrics)
        return cls(
            placed, measured, name, len(evaluations) + len(metrics) - len(placed) - len(measured)
        )

    @property
    def last(self) -> Row:
        """The latest evaluation, or an empty row."""
        return self.evaluations[-1] if self.evaluations else {}

    @property
    def before(self) -> Row:
        """The evaluation before training (iteration 0), or an empty row."""
        return next((row for row in self.evaluations if row.get("iteration") == 0), {})

    @property
    def num_agents(self) -> int | None:
        """N, from the latest evaluation that says it."""
        return self._whole("num_agents", 1)

    @property
    def lineup_size(self) -> int | None:
        """Trajectories in a lineup, by which chance and log N are drawn: N, unless a neighbourhood
        is shown."""
        return self._whole("lineup_size", 1) or self.num_agents

    @property
    def horizon(self) -> int | None:
        """Steps of an episode, from the latest evaluation that says it."""
        return self._whole("horizon", 1)

    @property
    def episodes(self) -> int | None:
        """Episodes of an evaluation, from the latest one that says it."""
        return self._whole("episodes", 1)

    @property
    def limit_holds(self) -> bool:
        """Whether the limit is the exact one; False where an evaluation says that this world does
        not allow it."""
        return all(row.get("limit_valid") is not False for row in self.evaluations)

    @property
    def limit_name(self) -> str:
        """What to call the limit."""
        return "exact limit" if self.limit_holds else "limit (not exact here)"

    def _whole(self, key: str, least: int) -> int | None:
        for row in reversed(self.evaluations):
            value = number(row.get(key))
            if value is not None and value >= least:
                return int(value)
        return None

    def series(self, *keys: str) -> Series | None:
        """A figure over the evaluations that hold it; None if none does."""
        return _series(self.evaluations, lambda row: figure(row, *keys))

    def metric(self, key: str) -> Series | None:
        """A training metric over the iterations that hold it; None if none does."""
        return _series(self.metrics, lambda row: figure(row, key))


def _placed(rows: Sequence[Any]) -> list[Row]:
    kept = [
        row for row in rows if isinstance(row, Mapping) and number(row.get("env_steps")) is not None
    ]
    return sorted(kept, key=lambda row: float(row["env_steps"]))


def _series(rows: Sequence[Row], read: Callable[[Row], Quantity | None]) -> Series | None:
    points = [(float(row["env_steps"]), found) for row in rows if (found := read(row)) is not None]
    if not points:
        return None
    nan = math.nan
    table = [
        (step, f.value, nan if f.low is None else f.low, nan if f.high is None else f.high)
        for step, f in points
    ]
    steps, value, low, high = np.array(table, dtype=np.float64).T
    return Series(steps, value, low, high)
