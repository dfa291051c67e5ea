"""One party's counts of one round as bytes, and back: whatever arrives is checked first.

Shape legend: B rows.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np

from mirrorenv.mirror.arrays import Floats64

__all__ = ["Told", "from_message", "to_message"]

_HEAD = struct.Struct("<4s?QI")  # mark, whether an answer is asked for, round, rows
_MARK = b"MEC1"
_MOST_ROWS = 4096


class Told(NamedTuple):
    """What a party said."""

    number: int
    """Of the round."""
    counts: Floats64
    """(B, 256)."""
    asks: bool
    """Whether it waits, and wants to hear again what was said."""


def to_message(number: int, counts: Floats64, *, asks: bool = False) -> bytes:
    """A message.

    Args:
        number: of the round.
        counts: (B, 256), whole numbers below 2^32.
        asks: whether the others are to say again what they said.
    """
    return _HEAD.pack(_MARK, asks, number, len(counts)) + counts.astype("<u4").tobytes()


def from_message(data: bytes) -> Told | None:
    """What was said; None if it is no message of ours."""
    if len(data) < _HEAD.size:
        return None
    mark, asks, number, rows = _HEAD.unpack_from(data)
    if mark != _MARK or rows > _MOST_ROWS or len(data) != _HEAD.size + 1024 * rows:
        return None
    counts = np.frombuffer(data, "<u4", offset=_HEAD.size).reshape(rows, 256)
    return Told(number, counts.astype(np.float64), asks)
