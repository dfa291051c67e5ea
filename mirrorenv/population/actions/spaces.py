"""Which layout the actions of a world have."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from mirrorenv.errors import WorldError
from mirrorenv.population.actions.discrete import Bytes, Choice, Choices
from mirrorenv.population.actions.mixed import Mixed
from mirrorenv.population.actions.vector import Vector

if TYPE_CHECKING:
    from gymnasium import spaces

__all__ = ["AnyLayout", "layout_of"]

AnyLayout = Annotated[Choice | Choices | Bytes | Vector | Mixed, Field(discriminator="kind")]


def layout_of(space: spaces.Space[Any]) -> Choice | Choices | Bytes | Vector | Mixed:
    """The layout of a world's actions.

    Args:
        space: Discrete or MultiDiscrete from 0 on, MultiBinary, a one-dimensional Box with the same
            finite bounds for every entry, or a Dict or Tuple of these.

    Raises:
        WorldError: for any other space.
    """
    from gymnasium import spaces as kinds

    if isinstance(space, kinds.Dict | kinds.Tuple):
        return Mixed(parts=tuple(_leaves(space)))
    if isinstance(space, kinds.Discrete):
        if int(space.start) != 0:
            raise WorldError(f"Discrete actions must start at 0, not {space.start}")
        return Choice(choices=int(space.n))
    if isinstance(space, kinds.MultiDiscrete) and space.nvec.ndim == 1:
        if (space.start != 0).any():
            raise WorldError(f"MultiDiscrete actions must start at 0, not {space.start}")
        if (space.nvec == 256).all():
            return Bytes(length=len(space.nvec))
        return Choices(sizes=tuple(map(int, space.nvec)))
    if isinstance(space, kinds.MultiBinary) and len(space.shape or ()) == 1:
        return Choices(sizes=(2,) * int(np.prod(space.shape)))
    if isinstance(space, kinds.Box) and len(space.shape) == 1 and space.is_bounded():
        low = np.unique(space.low)
        high = np.unique(space.high)
        if len(low) == 1 and len(high) == 1 and space.low.dtype.kind == "f":
            return Vector(size=space.shape[0], low=float(low[0]), high=float(high[0]))
    raise WorldError(
        f"action space {space} is not supported. Use Discrete, MultiDiscrete, MultiBinary, a "
        "one-dimensional Box with the same finite bounds for every entry, or a Dict or Tuple of "
        "these"
    )


def _leaves(
    space: spaces.Dict | spaces.Tuple,
) -> Iterator[Choice | Choices | Bytes | Vector]:
    """The layouts side by side, nested spaces in the order gymnasium flattens them."""
    from gymnasium import spaces as kinds

    inner = space.spaces.values() if isinstance(space, kinds.Dict) else space.spaces
    for part in inner:
        layout = layout_of(part)
        if isinstance(layout, Mixed):
            yield from layout.parts
        else:
            yield layout
