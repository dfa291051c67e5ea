"""What an RLlib episode holds of one agent, as rows of numbers that an observer can read.

Shape legend: T time, D numbers in an observation, A numbers in an action.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim

from mirrorenv.errors import ConfigError, WorldError
from mirrorenv.mirror.arrays import AnyArray, Bools, Floats32

__all__ = ["flat_rows", "readable", "width_of"]

Space = spaces.Space[Any]


def width_of(space: Space, where: str) -> int:
    """How many numbers one value of a space becomes.

    Args:
        space: of observations or actions.
        where: environment and agent, for the message.

    Raises:
        WorldError: if the space has no fixed size.
    """
    try:
        return flatdim(space)
    except (ValueError, NotImplementedError, OverflowError) as error:
        raise WorldError(
            f"{where}: observers read vectors of a fixed size, and {space} has none"
        ) from error


def readable(space: Space, unseen: Iterable[int | str], where: str) -> Bools:
    """Which of an observation's flattened numbers observers may read.

    Args:
        space: of the observation.
        unseen: numbers of the flattened form, or keys of a Dict, that they must not.
        where: environment and agent, for the message.

    Returns:
        (D,) bool.

    Raises:
        ConfigError: if the observation has no such number or key.
    """
    width = width_of(space, where)
    seen: Bools = np.ones(width, bool)
    starts = _starts(space)
    for one in unseen:
        if isinstance(one, str):
            if one not in starts:
                known = ", ".join(starts) or "none, since it is no Dict"
                raise ConfigError(f"attach: {where} has no key {one!r} to hide; keys: {known}")
            first, size = starts[one]
            seen[first : first + size] = False
        elif -width <= one < width:
            seen[one] = False
        else:
            raise ConfigError(f"attach: {where} has {width} numbers, and none at {one} to hide")
    return seen


def flat_rows(space: Space, values: Any, where: str) -> Floats32:
    """A stack of T values of a space, one row for each.

    Args:
        space: that they are of.
        values: as an RLlib episode stacks them: arrays (T, ...) in the space's structure.
        where: environment and agent, for the message.

    Returns:
        (T, width) float32; choices are one-hot, pictures run from 0 to 1.

    Raises:
        WorldError: if they do not have the space's structure.
    """
    try:
        rows = _rows(space, values)
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise WorldError(
            f"{where}: what the episode holds does not fit {space}: {error}"
        ) from error
    if rows.shape[1] != flatdim(space):
        raise WorldError(
            f"{where}: the episode holds {rows.shape[1]} numbers a step and {space} has "
            f"{flatdim(space)}; an env-to-module connector that rewrites episodes changes what "
            "observers read: leave it out, or put it into the environment"
        )
    return rows


def _rows(space: Space, values: Any) -> Floats32:
    """See `flat_rows`."""
    if isinstance(space, spaces.Dict):
        return _joined([_rows(part, values[key]) for key, part in space.spaces.items()])
    if isinstance(space, spaces.Tuple):
        parts = zip(space.spaces, values, strict=True)
        return _joined([_rows(part, value) for part, value in parts])
    stacked = np.asarray(values)
    if isinstance(space, spaces.Discrete):
        return _one_hot(stacked.reshape(len(stacked)) - space.start, int(space.n))
    if isinstance(space, spaces.MultiDiscrete):
        columns = stacked.reshape(len(stacked), -1) - np.asarray(space.start).reshape(-1)
        counts = np.asarray(space.nvec).reshape(-1).tolist()
        return _joined([_one_hot(columns[:, i], count) for i, count in enumerate(counts)])
    rows = stacked.reshape(len(stacked), -1).astype(np.float32)
    return rows / np.float32(255) if stacked.dtype == np.uint8 else rows


def _one_hot(choices: AnyArray, count: int) -> Floats32:
    """(T,) whole numbers -> (T, count)."""
    return np.eye(count, dtype=np.float32)[choices.astype(np.int64)]


def _joined(parts: list[Floats32]) -> Floats32:
    """Columns side by side."""
    return np.concatenate(parts, axis=1)


def _starts(space: Space) -> dict[str, tuple[int, int]]:
    """By key of a Dict: its first number and how many it has."""
    starts: dict[str, tuple[int, int]] = {}
    first = 0
    parts = space.spaces.items() if isinstance(space, spaces.Dict) else ()
    for key, part in parts:
        starts[str(key)] = (first, flatdim(part))
        first += flatdim(part)
    return starts
