"""How the actions of a space stand in arrays.

Discrete: (...) int64. Anything else is one row of numbers, (..., W): the entries of a
one-dimensional Box, the parts of a MultiDiscrete or MultiBinary, and for a Dict or Tuple those of
its spaces one after the other. Rows are int64 where every number is a choice, else float32, in
which choices are whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.errors import ShapeError, WorldError

__all__ = ["ActionColumns", "action_columns", "leaves"]


def leaves(space: spaces.Space[Any]) -> Iterator[spaces.Space[Any]]:
    """The spaces that a Dict or Tuple is made of, in the order gymnasium flattens them."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        inner = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        for part in inner:
            yield from leaves(part)
    else:
        yield space


@dataclass(frozen=True)
class ActionColumns:
    """The numbers of one action.

    Attributes:
        shape: trailing axes of an array of actions.
        counts: how many choices each number has; None for a number of a Box.
        low: (W,) the smallest value of each.
        high: (W,) the largest.
    """

    shape: tuple[int, ...]
    counts: tuple[int | None, ...]
    low: npt.NDArray[np.float64]
    high: npt.NDArray[np.float64]

    @property
    def whole(self) -> bool:
        """Whether every number is a choice."""
        return None not in self.counts

    @property
    def dtype(self) -> type[np.int64 | np.float32]:
        """Of arrays of actions."""
        return np.int64 if self.whole else np.float32

    def check(
        self, actions: npt.NDArray[Any], batch: tuple[int, ...], where: str
    ) -> npt.NDArray[Any]:
        """Joint actions in the right dtype, or an error that names the row and the agent.

        Args:
            actions: (*batch, *shape) of any integer or real dtype.
            batch: leading axes, such as (B, N).
            where: what an error calls the place, such as `ants-v0, step 3`.

        Returns:
            (*batch, *shape) of `dtype`.

        Raises:
            ShapeError: if shape or dtype is wrong.
            WorldError: if a number is no choice, or outside its bounds; it names row and agent.
        """
        if actions.shape != (*batch, *self.shape):
            wanted = (*batch, *self.shape)
            raise ShapeError(f"{where}: needs actions of shape {wanted}, got {actions.shape}")
        if actions.dtype.kind not in ("iu" if self.whole else "fiu"):
            kind = "integer" if self.whole else "real"
            raise ShapeError(f"{where}: needs {kind} actions, got dtype {actions.dtype}")
        array = actions.astype(self.dtype, copy=False)
        outside = ~(
            (array >= self.low.astype(self.dtype)) & (array <= self.high.astype(self.dtype))
        )
        choices = np.array([count is not None for count in self.counts])
        outside |= choices & (array != np.rint(array))
        if outside.any():
            row, agent, column = np.argwhere(outside)[0]
            raise WorldError(
                f"{where}, row {row}, agent {agent}: number {column} of the action is "
                f"{array[row, agent, column]}, outside {self.low[column]}..{self.high[column]}"
            )
        return array


def action_columns(space: spaces.Space[Any]) -> ActionColumns:
    """How actions of a space stand in an array.

    Raises:
        WorldError: if the space, or one that it is made of, cannot.
    """
    counts: list[int | None] = []
    low: list[float] = []
    high: list[float] = []
    for leaf in leaves(space):
        if isinstance(leaf, spaces.Box):
            counts += [None] * leaf.low.size
            low += leaf.low.ravel().tolist()
            high += leaf.high.ravel().tolist()
        else:
            sizes, starts = _choices(leaf)
            counts += sizes
            low += starts
            high += [start + size - 1 for start, size in zip(starts, sizes, strict=True)]
    shape: tuple[int, ...] = (len(counts),)
    if isinstance(space, spaces.Discrete | spaces.Box):
        shape = space.shape or ()
    return ActionColumns(shape, tuple(counts), np.array(low), np.array(high))


def _choices(leaf: spaces.Space[Any]) -> tuple[list[int], list[int]]:
    """How many values each whole number of a space has, and its first one."""
    if isinstance(leaf, spaces.Discrete):
        return [int(leaf.n)], [int(leaf.start)]
    if isinstance(leaf, spaces.MultiDiscrete):
        return leaf.nvec.ravel().tolist(), leaf.start.ravel().tolist()
    if isinstance(leaf, spaces.MultiBinary):
        count = int(np.prod(leaf.shape))
        return [2] * count, [0] * count
    raise WorldError(f"actions in {leaf} cannot stand in an array")
