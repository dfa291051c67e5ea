"""What programs and outputs fall into, found without being asked: loops, copies, going astray.

Shape legend: B episodes, T steps, N agents, L bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mirrorenv.bytes.entropy import byte_counts
from mirrorenv.mirror.arrays import Floats64

__all__ = ["Phase", "astray", "loop_of", "phases", "unit_of"]

_FAR = 6.0  # scaled median absolute deviations
_LEAST = 0.1  # nats of a byte


class Phase(NamedTuple):
    """Steps in a row in which an agent went haywire."""

    episode: int
    first: int
    last: int


def loop_of(trace: Sequence[int]) -> tuple[int, ...]:
    """The places that the end of a trace goes round in; empty if it does not.

    Args:
        trace: places of executed instructions, in order.

    Returns:
        the shortest round that was made at least three times, up to the trace's end.
    """
    steps = list(trace)
    for period in range(1, len(steps) // 3 + 1):
        if steps[-period:] == steps[-2 * period : -period] == steps[-3 * period : -2 * period]:
            return tuple(steps[-period:])
    return ()


def unit_of(utterance: bytes) -> bytes:
    """The shortest piece that an utterance is made of, again and again; itself if there is none.

    The last piece may be cut off.
    """
    for size in range(1, len(utterance) // 2 + 1):
        if utterance[size:] == utterance[:-size]:
            return utterance[:size]
    return utterance


def astray(said: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Which utterances of one agent are unlike its others.

    How surprising an utterance is, in nats of a byte, given the counts of all the others; too far
    from the median in either direction (by 6 scaled median absolute deviations, Leys et al. 2013,
    and at least 0.1 nats) is astray: bytes it never says, or one byte for ever.

    Args:
        said: (B, T, L).

    Returns:
        (B, T).
    """
    counts = byte_counts(said)  # (B, T, 256)
    others = counts.sum((0, 1)) - counts + 0.5
    share = others / others.sum(-1, keepdims=True)
    surprise: Floats64 = -(counts * np.log(share)).sum(-1) / said.shape[-1]  # (B, T)
    gap = np.abs(surprise - np.median(surprise))
    found: npt.NDArray[np.bool_] = gap > max(_FAR * 1.4826 * float(np.median(gap)), _LEAST)
    return found


def phases(away: npt.NDArray[np.bool_]) -> list[Phase]:
    """Two or more steps in a row that are astray: (B, T) -> where."""
    found: list[Phase] = []
    for episode, row in enumerate(away):
        edges = np.diff(np.concatenate([[0], row.astype(np.int8), [0]]))
        pairs = zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
        found += [Phase(episode, int(a), int(b) - 1) for a, b in pairs if b - a > 1]
    return found
