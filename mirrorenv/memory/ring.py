"""A short memory of one's own: the last things met, each with a code of when.

Shape legend: C capacity, M things kept, D dimensions.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror.arrays import Floats32, Floats64

__all__ = ["RingBuffer", "place_code", "rotary", "sinusoids"]


class RingBuffer:
    """The last C vectors, oldest first.

    Args:
        capacity: C, at least 1.
        dimensions: D.
    """

    def __init__(self, capacity: int, dimensions: int) -> None:
        if capacity < 1 or dimensions < 1:
            raise ConfigError(f"a ring of {capacity} vectors of {dimensions} numbers")
        self._rows = np.zeros((capacity, dimensions), np.float32)
        self._written = 0

    def append(self, vector: npt.ArrayLike) -> None:
        """Keep a vector; the oldest goes when the ring is full.

        Raises:
            ShapeError: if it has another length.
        """
        row = np.asarray(vector, np.float32)
        if row.shape != self._rows.shape[1:]:
            raise ShapeError(f"a ring of {self._rows.shape[1]} numbers was given {row.shape}")
        self._rows[self._written % len(self._rows)] = row
        self._written += 1

    def read(self) -> Floats32:
        """(M, D) what is kept, oldest first."""
        kept = min(self._written, len(self._rows))
        order = (self._written - kept + np.arange(kept)) % len(self._rows)
        return self._rows[order]

    def clear(self) -> None:
        """Forget everything."""
        self._written = 0

    def __len__(self) -> int:
        """How many vectors are kept."""
        return min(self._written, len(self._rows))


def sinusoids(positions: npt.ArrayLike, dimensions: int) -> Floats32:
    """Sines and cosines of a position at geometric wavelengths (Vaswani et al. 2017, section 3.5).

    Args:
        positions: (...) numbers.
        dimensions: D, even.

    Returns:
        (..., D): D/2 sines, then D/2 cosines.
    """
    angles = _angles(positions, dimensions)  # (..., D / 2)
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1).astype(np.float32)


def rotary(vectors: npt.ArrayLike, positions: npt.ArrayLike) -> Floats32:
    """Vectors turned by their position, so that inner products depend on differences only.

    Su et al., "RoFormer", 2021, equation 34.

    Args:
        vectors: (..., D), D even.
        positions: (...) numbers.

    Returns:
        (..., D) of the same lengths.
    """
    rows = np.asarray(vectors, np.float64)
    angles = _angles(positions, rows.shape[-1])
    first, second = np.split(rows, 2, axis=-1)
    turned = [
        first * np.cos(angles) - second * np.sin(angles),
        first * np.sin(angles) + second * np.cos(angles),
    ]
    return np.concatenate(turned, axis=-1).astype(np.float32)


def place_code(places: npt.ArrayLike, centres: npt.ArrayLike, width: float) -> Floats32:
    """How near each place is to each centre, as place cells fire: Gaussian bumps.

    Args:
        places: (..., P) coordinates.
        centres: (D, P).
        width: standard deviation of a bump, above 0.

    Returns:
        (..., D) between 0 and 1.
    """
    if width <= 0:
        raise ConfigError(f"place_code: width = {width} must be above 0")
    gaps = np.asarray(places, np.float64)[..., None, :] - np.asarray(centres, np.float64)
    bumps: Floats64 = np.exp(-0.5 * np.square(gaps / width).sum(-1))
    return bumps.astype(np.float32)


def _angles(positions: npt.ArrayLike, dimensions: int) -> Floats64:
    if dimensions < 2 or dimensions % 2:
        raise ConfigError(f"a code of positions has an even number of dimensions, not {dimensions}")
    speeds = 10_000.0 ** (-np.arange(0, dimensions, 2) / dimensions)  # (D / 2,)
    angles: Floats64 = np.asarray(positions, np.float64)[..., None] * speeds
    return angles
