"""Names of array types, one home for all rooms: the name says the dtype, a comment says the shape.

A type checker tells them apart; NumPy casts between them silently, so a signature is the only place
where single and double precision can be told apart at a glance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["AnyArray", "Bools", "Floats32", "Floats64", "Ints64", "join_columns", "kept_dtype"]

Floats32 = npt.NDArray[np.float32]
"""Single precision: what worlds, networks and episodes hold."""

Floats64 = npt.NDArray[np.float64]
"""Double precision: evidence, beliefs and statistics."""

Ints64 = npt.NDArray[np.int64]
"""Indices, ids, counts and permutations."""

Bools = npt.NDArray[np.bool_]
"""Masks."""

AnyArray = npt.NDArray[Any]
"""Any dtype; the docstring says which."""


def kept_dtype(dtype: np.dtype[Any] | None) -> type[np.uint8 | np.float32]:
    """How observations are held, from the world to the learner: images as the uint8 they are, a
    quarter of the memory; all else as float32."""
    return np.uint8 if dtype == np.uint8 else np.float32


Part = TypeVar("Part")
Whole = TypeVar("Whole")


def join_columns(
    parts: Sequence[Mapping[str, Part]], join: Callable[[list[Part]], Whole]
) -> dict[str, Whole]:
    """Several sets of columns as one, name by name.

    Args:
        parts: at least one; all have the names of the first.
        join: makes one column of the parts' columns of a name.
    """
    joined = {}
    for name in parts[0]:
        joined[name] = join([part[name] for part in parts])
    return joined
