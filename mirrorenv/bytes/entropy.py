"""Entropies of bytes and of what bytes do, each between 0 and 1.

The origin of this room trained byte models on several measures that it called entropy. Each is here
under the name of what it measures, with the formula that its name promises; where the origin's own
formula was another one, the docstring says so.

Shape legend: ... any batch, L bytes of an utterance, K kinds of call, R registers.
"""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import Floats64, Ints64

__all__ = [
    "byte_counts",
    "byte_entropy",
    "count_entropy",
    "decayed_counts",
    "evenness",
    "hilbert_path",
    "register_entropy",
    "set_point_edit",
    "spatial_entropy",
]

Bytes = npt.NDArray[np.integer]


def byte_counts(utterances: Bytes) -> Floats64:
    """How often each byte occurs: (..., L) in 0..255 -> (..., 256)."""
    rows = np.asarray(utterances)
    flat = rows.reshape(-1, rows.shape[-1]).astype(np.int64)
    counts = np.zeros((len(flat), 256))
    np.add.at(counts, (np.arange(len(flat))[:, None], flat), 1.0)
    return counts.reshape(*rows.shape[:-1], 256)


def count_entropy(counts: npt.ArrayLike, kinds: int) -> Floats64:
    """Shannon entropy of counts over the largest there can be, log `kinds`.

    Args:
        counts: (..., n) zero or greater; all zeros have entropy 0.
        kinds: how many kinds there could be, at least 2.

    Returns:
        (...) between 0 and 1.
    """
    if kinds < 2:
        raise ConfigError(f"count_entropy: kinds = {kinds} must be at least 2")
    weights = np.asarray(counts, np.float64)
    share = weights / np.maximum(weights.sum(-1, keepdims=True), 1e-300)
    nats = -(share * np.log(np.where(share > 0, share, 1.0))).sum(-1)
    found: Floats64 = nats / np.log(kinds) + 0.0  # no negative zero
    return found


def byte_entropy(utterances: Bytes) -> Floats64:
    """Entropy of the bytes of each utterance over the largest for its length: (..., L) -> (...).

    L bytes show at most min(L, 256) kinds, so an utterance without repetition has entropy 1.
    """
    length = np.asarray(utterances).shape[-1]
    if length < 2:
        raise ConfigError("byte_entropy: an utterance of one byte has no entropy")
    return count_entropy(byte_counts(utterances), min(length, 256))


def decayed_counts(before: npt.ArrayLike, new: npt.ArrayLike, decay: float) -> Floats64:
    """Running counts: what was is worth `decay` of it, what is new counts fully.

    The origin adds the third power of each new count and rounds `count exp(-0.15)`: with powers
    the loudest byte decides, so here counts are counts.

    Args:
        before: (..., 256).
        new: (..., 256).
        decay: between 0 (forget) and 1 (keep for ever).
    """
    if not 0 <= decay <= 1:
        raise ConfigError(f"decayed_counts: decay = {decay} must be between 0 and 1")
    found: Floats64 = decay * np.asarray(before, np.float64) + np.asarray(new, np.float64)
    return found


@functools.lru_cache
def hilbert_path(order: int) -> Ints64:
    """The cells of a square of side 2^order along the Hilbert curve: (4^order, 2) row and column.

    Hilbert, "Ueber die stetige Abbildung einer Linie auf ein Flaechenstueck", 1891; built from four
    turned copies of the curve of the order before.
    """
    if order < 0:
        raise ConfigError(f"hilbert_path: order = {order} must be at least 0")
    path = np.zeros((1, 2), np.int64)
    for level in range(order):
        side = 2**level
        turned = path[:, ::-1]
        mirrored = (side - 1) - turned
        parts = [
            turned,
            path + np.array([0, side]),
            path + np.array([side, side]),
            mirrored + np.array([side, 0]),
        ]
        path = np.concatenate(parts)
    return path


def spatial_entropy(utterances: Bytes) -> Floats64:
    """Entropy of how neighbouring bytes differ, laid out along a Hilbert curve: (..., L) -> (...).

    Neighbours are the pairs of cells that share a side in the smallest square that holds the
    utterance; what counts is the difference of their bytes modulo 256. All 256 values in order have
    the largest byte entropy and a small spatial one; the same bytes shuffled have both. (The
    origin's "spatial entropy" is a plain entropy over the number of occupied keys.)
    """
    rows = np.asarray(utterances)
    length = rows.shape[-1]
    first, second = _neighbours(length)
    if len(first) < 2:
        raise ConfigError(f"spatial_entropy: {length} bytes have no neighbours to compare")
    gaps = (rows[..., first].astype(np.int64) - rows[..., second].astype(np.int64)) % 256
    return count_entropy(byte_counts(gaps), min(len(first), 256))


@functools.lru_cache
def _neighbours(length: int) -> tuple[Ints64, Ints64]:
    """Pairs of places of an utterance whose cells share a side."""
    order = 0
    while 4**order < length:
        order += 1
    cells = {tuple(cell): place for place, cell in enumerate(hilbert_path(order)[:length].tolist())}
    pairs: list[tuple[int, int]] = []
    for (row, column), place in cells.items():
        neighbours = ((row, column + 1), (row + 1, column))
        pairs.extend((place, cells[cell]) for cell in neighbours if cell in cells)
    found = np.array(pairs, np.int64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def evenness(counts: npt.ArrayLike, kinds: int, floor: int = 4) -> Floats64:
    """How evenly K kinds of call are used: H(counts) / log K, less where there are few calls.

    A single kind of call scores 0 (one minus the Gini coefficient, which the origin used, scores it
    1), and so does a single call of each of two kinds among many: below `floor` calls the value is
    scaled down in proportion.

    Args:
        counts: (..., K) calls of each kind.
        kinds: K, at least 2.
        floor: calls from which on the value counts fully, at least 1.

    Returns:
        (...) between 0 and 1.
    """
    if floor < 1:
        raise ConfigError(f"evenness: floor = {floor} must be at least 1")
    total = np.asarray(counts, np.float64).sum(-1)
    found: Floats64 = count_entropy(counts, kinds) * np.minimum(total / floor, 1.0)
    return found


def register_entropy(registers: npt.ArrayLike) -> Floats64:
    """Entropy of the bytes in a processor's registers: (..., R) unsigned -> (...).

    Each register is eight bytes; 128 bytes of 16 registers show at most 128 kinds.
    """
    words = np.ascontiguousarray(registers, np.uint64)
    return byte_entropy(words.view(np.uint8).reshape(*words.shape[:-1], 8 * words.shape[-1]))


def set_point_edit(
    utterance: Bytes, target: float, counts: npt.ArrayLike | None, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """One random edit of an utterance that brings its entropy nearer to a set-point.

    What the origin really trains: not the largest entropy but two set-points, 0.4 for the running
    counts of all utterances and 0.9 for the utterance itself. A byte is replaced by a copy of
    another one or by a fresh one, whichever comes nearer; without a gain nothing is changed.

    Args:
        utterance: (L,) in 0..255.
        target: between 0 and 1.
        counts: (256,) running counts of earlier utterances for the global entropy; None for that of
            the utterance alone.
        rng: source of the place and the bytes.

    Returns:
        (L,) the text to learn.
    """
    if not 0 <= target <= 1:
        raise ConfigError(f"set_point_edit: target = {target} must be between 0 and 1")
    before = np.asarray(utterance, np.uint8)
    place = int(rng.integers(len(before)))
    doubled = before.copy()
    doubled[place] = before[int(rng.integers(len(before)))]
    fresh = before.copy()
    fresh[place] = int(rng.integers(256))
    tried = np.stack([before, doubled, fresh])  # (3, L)
    if counts is None:
        found = byte_entropy(tried)
    else:
        found = count_entropy(byte_counts(tried) + np.asarray(counts, np.float64), 256)
    chosen: npt.NDArray[np.uint8] = tried[int(np.argmin(np.abs(found - target)))]
    return chosen
