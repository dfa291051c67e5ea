"""Small checks shared by the room: every array that comes in is looked at once, at the door."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ShapeError
from mirrorenv.mirror.arrays import Bools, Floats64

__all__ = ["float_array", "frozen", "log_likelihood_array", "mask_array", "square"]


def float_array(
    name: str, array: npt.ArrayLike, ndim: int | None = None, min_ndim: int = 0
) -> Floats64:
    """The array as float64, or a ShapeError that names it.

    Args:
        name: what the caller calls the array.
        array: anything NumPy can read as numbers.
        ndim: the exact number of dimensions, if it is fixed.
        min_ndim: the least number of dimensions.
    """
    try:
        result = np.asarray(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ShapeError(f"{name} must be an array of numbers: {error}") from error
    if ndim is not None and result.ndim != ndim:
        raise ShapeError(f"{name} must have {ndim} dimensions, got shape {result.shape}")
    if result.ndim < min_ndim:
        raise ShapeError(
            f"{name} must have at least {min_ndim} dimensions, got shape {result.shape}"
        )
    return result


def log_likelihood_array(name: str, array: npt.ArrayLike, min_ndim: int = 2) -> Floats64:
    """Float64 log-likelihoods: finite or minus infinity, never NaN or plus infinity.

    Args:
        name: of the argument, for errors.
        array: numbers of any shape.
        min_ndim: axes at least.

    Raises:
        ShapeError: if it has fewer axes, or a number is none of these.
    """
    result = float_array(name, array, min_ndim=min_ndim)
    bad = np.isnan(result) | (result == np.inf)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise ShapeError(
            f"{name} holds {result[place]} at index {place}; evidence is finite or -inf, never NaN "
            "or +inf"
        )
    return result


def square(name: str, array: Floats64) -> int:
    """The common size of the last two axes, which must be equal and at least 1."""
    rows, columns = array.shape[-2:]
    if rows != columns or rows == 0:
        raise ShapeError(
            f"{name} must end in (N, N), slots by agents, got shape {array.shape}; permutations "
            "need one agent per slot"
        )
    return int(rows)


def mask_array(name: str, mask: npt.ArrayLike, shape: tuple[int, ...]) -> Bools:
    """A boolean array of the given shape.

    Args:
        name: of the argument, for errors.
        mask: the array; no other dtype is taken for truth.
        shape: that it must have.

    Raises:
        ShapeError: if dtype or shape differ.
    """
    result = np.asarray(mask)
    if result.dtype != np.bool_ or result.shape != shape:
        raise ShapeError(
            f"{name} must be bool of shape {shape}, got {result.dtype} of shape {result.shape}"
        )
    return result


def frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same array, no longer writable."""
    array.setflags(write=False)
    return array
