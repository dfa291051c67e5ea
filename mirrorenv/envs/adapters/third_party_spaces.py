"""Somebody else's spaces as the two kinds the package knows: a Box that is seen, a Discrete or a
Box that is done.

Shapes: F numbers in an observation or a flattened action, L whole-number parts of an action.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim, flatten, flatten_space

from mirrorenv.errors import WorldError
from mirrorenv.mirror.arrays import kept_dtype

__all__ = ["ActionWriter", "ObservationReader", "column_names"]

Space = spaces.Space[Any]
_FINITE = (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
_NESTED = (spaces.Dict, spaces.Tuple)


def _leaves(space: Space) -> Iterator[Space]:
    """The spaces a Dict or Tuple is made of, in the order gymnasium flattens them."""
    if isinstance(space, _NESTED):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        for part in parts:
            yield from _leaves(part)
    else:
        yield space


def _compose(space: Space, take: Callable[[Space], Any]) -> Any:
    """A value of `space`, whose leaves `take` gives one after the other."""
    if isinstance(space, spaces.Dict):
        return {name: _compose(part, take) for name, part in space.spaces.items()}
    if isinstance(space, spaces.Tuple):
        return tuple(_compose(part, take) for part in space.spaces)
    return take(space)


def column_names(native: Space, prefix: str = "") -> list[str]:
    """A name for each number of a flattened observation: keys of a Dict, places in a Tuple or an
    array.

    Args:
        native: a space that :class:`ObservationReader` accepts.
        prefix: what stands before; a bare array is called `observation`.
    """
    if isinstance(native, _NESTED):
        named = (
            native.spaces.items() if isinstance(native, spaces.Dict) else enumerate(native.spaces)
        )
        return [
            name
            for key, part in named
            for name in column_names(part, f"{prefix}.{key}".lstrip("."))
        ]
    name = prefix or "observation"
    if isinstance(native, spaces.Discrete):
        return [
            f"{name} = {value}"
            for value in range(int(native.start), int(native.start) + int(native.n))
        ]
    if isinstance(native, spaces.MultiDiscrete):
        return [
            f"{name}[{', '.join(map(str, place))}] = {value}"
            for place in np.ndindex(native.nvec.shape)
            for value in range(
                int(native.start[place]), int(native.start[place]) + int(native.nvec[place])
            )
        ]
    return [f"{name}[{', '.join(map(str, place))}]" for place in np.ndindex(native.shape or (1,))]


def _is_full(space: Space) -> bool:
    """Whether a Box of whole numbers bounds nothing that its dtype does not."""
    if not isinstance(space, spaces.Box) or space.dtype is None or space.dtype.kind not in "iu":
        return False
    limits = np.iinfo(space.dtype)
    return bool((space.low == limits.min).all() and (space.high == limits.max).all())


def _check_choices(space: Space, value: Any) -> None:
    """One-hot vectors of values that do not exist would point at others that do."""
    if isinstance(space, spaces.Dict):
        for name, part in space.spaces.items():
            _check_choices(part, value[name])
    elif isinstance(space, spaces.Tuple):
        for part, one in zip(space.spaces, value, strict=True):
            _check_choices(part, one)
    elif isinstance(space, _FINITE) and not space.contains(value):
        raise ValueError(f"{value!r} does not belong to {space}")


def _cast(values: npt.ArrayLike, dtype: type[np.uint8 | np.float32]) -> npt.NDArray[Any]:
    """As this dtype, with limits of float64 turned into infinity."""
    with np.errstate(over="ignore"):
        return np.asarray(values).astype(dtype)


def _wraps(array: npt.NDArray[Any]) -> bool:
    """Whether whole numbers would become others as uint8."""
    if array.dtype in (np.uint8, np.bool_) or not array.size:
        return False
    return bool(array.min() < 0 or array.max() > 255)


class ObservationReader:
    """Turns what one agent is shown into float32; an image stays uint8.

    A Box keeps its shape and its numbers: only the dtype changes, nothing is scaled, an image stays
    0 to 255. Discrete and MultiDiscrete become one-hot vectors; these, MultiBinary, Dict and Tuple
    are flattened in gymnasium's order.

    Args:
        native: the space of the environment.
        where: environment and agent, for the message.
        pad_to: flatten, and fill up with zeros to this many numbers.

    Attributes:
        space: what is seen here, a Box of float32, or of uint8 where the environment's is.
        always_inside: no number can be missing or outside: whole numbers in the full range of their
            dtype (images).

    Raises:
        WorldError: if the space has no fixed size, or carries an action mask.
    """

    def __init__(self, native: Space, where: str, pad_to: int | None = None) -> None:
        parts = list(_leaves(native))
        strange = [
            type(part).__name__ for part in parts if not isinstance(part, (*_FINITE, spaces.Box))
        ]
        if strange:
            raise WorldError(
                f"{where}: observations hold {', '.join(strange)}, which has no fixed size. What "
                "works: Box, Discrete, "
                "MultiDiscrete, MultiBinary, and Dict or Tuple of these; let a wrapper turn it "
                "into one of them."
            )
        if isinstance(native, spaces.Dict) and "action_mask" in native.spaces:
            raise WorldError(
                f"{where}: observations carry an action_mask, which is not obeyed here. What "
                "works: mirrorenv's own trainer (make_batch, mirrorenv train), whose policies obey "
                "it; or a wrapper that makes every action legal (an illegal one does nothing) and "
                "leaves the mask out."
            )
        self.native = native
        self._flat = pad_to is not None or not isinstance(native, spaces.Box)
        plain = flatten_space(native) if self._flat else native
        assert isinstance(plain, spaces.Box)  # what gymnasium flattens our kinds to
        dtype = np.float32 if self._flat else kept_dtype(plain.dtype)
        low = _cast(plain.low, dtype)
        high = _cast(plain.high, dtype)
        if pad_to is not None:
            missing = pad_to - len(low)
            low, high = (
                np.concatenate([bound, np.zeros(missing, np.float32)]) for bound in (low, high)
            )
        self._filled = flatdim(native) if self._flat else 0
        self.space = spaces.Box(low, high, low.shape, dtype)
        self._whole = (
            isinstance(native, spaces.Box)
            and native.dtype is not None
            and native.dtype.kind in "iub"
        )
        self.always_inside = self._whole and _is_full(native)

    @property
    def names(self) -> tuple[str, ...]:
        """A name for each number of `space`, in C order."""
        names = column_names(self.native)
        return (
            *names,
            *(f"padding[{i}]" for i in range(int(np.prod(self.space.shape)) - len(names))),
        )

    def read(self, value: Any, out: npt.NDArray[Any]) -> None:
        """Write one observation into `out`, of the presented shape, float32 or as `space`.

        Raises:
            ValueError: if it does not have the shape of the space, or not its whole numbers.
        """
        if not self._flat:
            array = np.asarray(value)
            if array.shape != out.shape:
                raise ValueError(f"shape {array.shape} instead of {out.shape}")
            if array.dtype.kind not in "fiub":
                raise ValueError(f"dtype {array.dtype} instead of numbers")
            if self._whole and array.dtype.kind == "f":
                raise ValueError(f"dtype {array.dtype} instead of {self.native.dtype}")
            if out.dtype == np.uint8 and _wraps(array):
                raise ValueError(f"numbers outside 0 to 255 in a space of {self.native.dtype}")
            out[...] = array
            return
        try:
            _check_choices(self.native, value)
            flat = np.asarray(flatten(self.native, value))
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise ValueError(f"{value!r} does not belong to {self.native} ({error!r})") from error
        if flat.shape != (self._filled,):  # NumPy would stretch a single number
            raise ValueError(f"{flat.size} numbers instead of {self._filled}")
        out[: self._filled] = flat


class ActionWriter:
    """Turns an action of ours into one of the environment's.

    Discrete starts at 0 here. MultiDiscrete, MultiBinary and nested spaces of these become one
    MultiDiscrete from 0 on, a number for each part; combinations are never numbered. A
    one-dimensional Box with the same finite bounds in every entry stays as it is; any other bounded
    Box, and nested Boxes, become a flat Box from -1 to 1 that is scaled to the bounds of each
    entry. Choices beside numbers become a Tuple of their spaces in these forms.

    Args:
        native: the space of the environment.
        where: environment and agent, for the message.
        scaled: give every Box the bounds -1 and 1.

    Attributes:
        space: the space to act in here.

    Raises:
        WorldError: if a bound is infinite, or a part is neither a choice nor a number.
    """

    space: spaces.Space[Any]

    def __init__(self, native: Space, where: str, scaled: bool = False) -> None:
        parts = list(_leaves(native))
        self.native = native
        self._plain = False
        if not parts or not all(isinstance(part, (*_FINITE, spaces.Box)) for part in parts):
            kinds = ", ".join(sorted({type(part).__name__ for part in parts})) or "nothing"
            raise WorldError(
                f"{where}: actions made of {kinds} are not supported. What works: choices "
                "(Discrete, MultiDiscrete, MultiBinary) and numbers (Box), alone or in a Dict or "
                "Tuple."
            )
        boxes = [part for part in parts if isinstance(part, spaces.Box)]
        for box in boxes:
            _check_bounded(box, where)
        if not boxes:
            self.space = _choices([int(size) for part in parts for size in _sizes(part)])
        elif len(boxes) == len(parts):
            self._scale_entries(boxes, scaled)
        else:
            self.space = spaces.Tuple([_presented(part) for part in parts])

    def _scale_entries(self, boxes: list[spaces.Box], scaled: bool) -> None:
        low = np.concatenate([np.ravel(box.low) for box in boxes])
        high = np.concatenate([np.ravel(box.high) for box in boxes])
        self._plain = (
            not scaled
            and self.native is boxes[0]
            and low.shape == boxes[0].shape
            and len({*low}) == len({*high}) == 1
        )
        if self._plain:
            self.space = spaces.Box(float(low[0]), float(high[0]), low.shape, np.float32)
        else:
            self.space = spaces.Box(-1.0, 1.0, low.shape, np.float32)

    def write(self, action: Any) -> Any:
        """The environment's action; fresh, so that the environment may change it.

        Args:
            action: a whole number for a Discrete space, (F,) float32 for a Box; checked by the
                caller.
        """
        if isinstance(self.native, spaces.Discrete):
            return int(action) + int(self.native.start)
        if self._plain:
            box = self.native
            assert isinstance(box, spaces.Box)
            # float32 numbers lie beyond bounds that are no float32 numbers
            return np.clip(np.asarray(action, box.dtype), box.low, box.high)
        return _compose(self.native, _Parts(np.atleast_1d(np.asarray(action, np.float64))).take)


def _choices(sizes: list[int]) -> spaces.Space[Any]:
    """A single choice is Discrete, several are MultiDiscrete."""
    return spaces.Discrete(sizes[0]) if len(sizes) == 1 else spaces.MultiDiscrete(sizes)


def _presented(part: Space) -> spaces.Space[Any]:
    """One of several spaces as it is acted in here."""
    if isinstance(part, spaces.Box):
        return spaces.Box(-1.0, 1.0, (part.low.size,), np.float32)
    return _choices([int(size) for size in _sizes(part)])


def _check_bounded(box: spaces.Box, where: str) -> None:
    if not box.is_bounded() or box.dtype is None or box.dtype.kind != "f":
        raise WorldError(
            f"{where}: the action space {box} is not a Box of bounded floating-point "
            "numbers. What works: a wrapper that names finite bounds "
            "(gymnasium.spaces.Box(-1, 1, shape)), or MultiDiscrete for whole numbers."
        )


def _sizes(part: Space) -> npt.NDArray[Any]:
    """How many values each whole-number part of a finite space has, (L,)."""
    if isinstance(part, spaces.Discrete):
        return np.array([part.n])
    if isinstance(part, spaces.MultiDiscrete):
        return part.nvec.ravel()
    return np.full(flatdim(part), 2)


class _Parts:
    """Hands out the numbers of one action, leaf by leaf."""

    def __init__(self, numbers: npt.NDArray[Any]) -> None:
        self._numbers = numbers
        self._used = 0

    def _next(self, count: int) -> npt.NDArray[Any]:
        self._used += count
        return self._numbers[self._used - count : self._used]

    def take(self, leaf: Space) -> Any:
        """A value of a space that is no Dict or Tuple."""
        return self.scaled(leaf) if isinstance(leaf, spaces.Box) else self.choice(leaf)

    def choice(self, leaf: Space) -> Any:
        """A value of a Discrete, MultiDiscrete or MultiBinary space."""
        if isinstance(leaf, spaces.Discrete):
            return int(self._next(1)[0]) + int(leaf.start)
        if isinstance(leaf, spaces.MultiDiscrete):
            return (self._next(leaf.nvec.size).reshape(leaf.nvec.shape) + leaf.start).astype(
                leaf.dtype
            )
        return self._next(flatdim(leaf)).reshape(leaf.shape or ()).astype(leaf.dtype)

    def scaled(self, leaf: Space) -> Any:
        """A value of a Box, from numbers between -1 and 1."""
        assert isinstance(leaf, spaces.Box)
        low = leaf.low.astype(np.float64)
        high = leaf.high.astype(np.float64)
        unit = self._next(leaf.low.size).reshape(leaf.low.shape)
        return np.clip(low + (high - low) * (0.5 * (unit + 1.0)), low, high).astype(leaf.dtype)
