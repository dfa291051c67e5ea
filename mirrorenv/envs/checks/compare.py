"""Values compared with themselves, with each other and with their spaces."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.base import Space
from mirrorenv.mirror.arrays import AnyArray

__all__ = ["LARGE", "Leaf", "Summary", "arrays", "difference", "leaves", "summarised"]

LARGE = 4096
"""Bytes of an array above which whole episodes keep a :class:`Summary` of it."""


class Summary(NamedTuple):
    """What is kept of a large array: enough to compare it and to look at its space."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    lowest: Any  # NaN if there is one
    highest: Any
    digest: str


def summarised(value: Any) -> Any:
    """The value with its large arrays replaced by summaries."""
    if isinstance(value, np.ndarray) and value.nbytes > LARGE and value.dtype.kind in "fiub":
        digest = hashlib.blake2b(np.ascontiguousarray(value).tobytes(), digest_size=8).hexdigest()
        return Summary(value.shape, value.dtype, value.min(), value.max(), digest)
    if isinstance(value, Mapping):
        return {name: summarised(part) for name, part in value.items()}
    return tuple(summarised(part) for part in value) if type(value) is tuple else value


def difference(one: Any, other: Any, where: str = "") -> str | None:
    """The first place at which two values differ, in words, or None. NaN equals NaN.

    Args:
        one: numbers, arrays, text, or nested mappings and sequences of these.
        other: the same.
        where: where the two were found, for the message.
    """
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        if one.keys() != other.keys():
            return f"{where} keys {_names(one)} and {_names(other)}".strip()
        pairs = [(one[key], other[key], f"{where}[{key!r}]") for key in one]
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple):
        if len(one) != len(other):
            return f"{where} lengths {len(one)} and {len(other)}".strip()
        pairs = [(a, b, f"{where}[{i}]") for i, (a, b) in enumerate(zip(one, other, strict=True))]
    elif isinstance(one, np.ndarray | np.generic | int | float):
        return _numbers_differ(one, other, where)
    else:
        return (
            None
            if type(one) is type(other) and _equal(one, other)
            else f"{where} {one!r} and {other!r}".strip()
        )
    return next((found for a, b, place in pairs if (found := difference(a, b, place))), None)


def _names(mapping: Mapping[Any, Any]) -> list[str]:
    return sorted(map(str, mapping))


def _equal(one: Any, other: Any) -> bool:
    compares: object = type(one).__eq__
    if compares is object.__eq__:
        return True  # things without values, such as a generator: nothing to compare
    return bool(one == other)


def _numbers_differ(one: Any, other: Any, where: str) -> str | None:
    a = np.asarray(one)
    b = np.asarray(other)
    if a.shape != b.shape:
        return f"{where} shapes {a.shape} and {b.shape}".strip()
    numeric = a.dtype.kind in "fc" and b.dtype.kind in "fc"
    if np.array_equal(a, b, equal_nan=numeric):
        return None
    same = (a == b) | ((a != a) & (b != b))
    first = tuple(int(i) for i in np.argwhere(~np.atleast_1d(same))[0])
    return f"{where} {np.atleast_1d(a)[first]!s} and {np.atleast_1d(b)[first]!s}".strip()


def arrays(value: Any) -> Iterator[AnyArray]:
    """Every array inside a value of nested dicts, lists and tuples."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from arrays(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from arrays(part)


class Leaf(NamedTuple):
    """One part of a nested value, and the space it should belong to."""

    space: Space
    value: Any
    where: str


def leaves(space: Space, value: Any, where: str = "") -> Iterator[Leaf]:
    """The parts of a Dict or Tuple value with their spaces; a part that is missing takes its whole
    level along.

    Args:
        space: what the value should belong to.
        value: what was found.
        where: where it was found, for messages.
    """
    if (
        isinstance(space, spaces.Dict)
        and isinstance(value, Mapping)
        and value.keys() == space.spaces.keys()
    ):
        for name, part in space.spaces.items():
            yield from leaves(part, value[name], f"{where}[{name!r}]")
    elif (
        isinstance(space, spaces.Tuple) and type(value) is tuple and len(value) == len(space.spaces)
    ):
        for index, part in enumerate(space.spaces):
            yield from leaves(part, value[index], f"{where}[{index}]")
    else:
        yield Leaf(space, value, where)
