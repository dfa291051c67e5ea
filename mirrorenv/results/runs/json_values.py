"""Reading JSON that may hold anything: a typed value, or None where it is something else.

The rows of a run folder are input like any other: keys may be missing, figures null, lists of the
wrong shape. Nothing here raises, so that a report can be made of whatever is there.

Shape legend: T time steps, R rows, C columns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.intervals import finite_number

__all__ = ["curve", "first_difference", "flatten", "matrix", "nulls", "number"]

number = finite_number


def curve(value: Any) -> Floats64 | None:
    """A list of numbers as (T,), NaN for nulls; None if there is not one number in it."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return None
    found = [finite_number(entry) for entry in value]
    values = np.array([math.nan if one is None else one for one in found], dtype=np.float64)
    return values if np.isfinite(values).any() else None


def matrix(value: Any) -> Floats64 | None:
    """A rectangular list of lists of numbers as (R, C), NaN for nulls; None for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        return None
    rows = [curve(entry) for entry in value]
    kept = [row for row in rows if row is not None]
    if len(kept) != len(rows) or len({len(row) for row in kept}) != 1:
        return None
    return np.stack(kept)


def nulls(values: Floats64) -> list[Any]:
    """The way back: nested lists of any depth, null for what is not finite."""
    listed: list[Any] = values.tolist()
    if values.ndim > 1:
        return [nulls(row) for row in values]
    return [value if math.isfinite(value) else None for value in listed]


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested objects as (dotted key, value) pairs."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from flatten(item, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def first_difference(
    old: Mapping[str, Any], new: Mapping[str, Any], ignore: Iterable[str] = (), prefix: str = ""
) -> tuple[str, Any, Any] | None:
    """The first key, in sorted order, whose value differs between two JSON objects.

    Args:
        old: one object.
        new: the other; nested objects are compared key by key.
        ignore: dotted keys that may differ.
        prefix: dotted place of both objects.

    Returns:
        (dotted key, old value, new value), `"(absent)"` standing for a missing one; None if they
        agree.
    """
    ignored = frozenset(ignore)
    for key in sorted({*old, *new}):
        name = f"{prefix}{key}"
        before = old.get(key, "(absent)")
        after = new.get(key, "(absent)")
        if name in ignored:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            inner = first_difference(before, after, ignored, f"{name}.")
            if inner is not None:
                return inner
        elif before != after:
            return name, before, after
    return None
