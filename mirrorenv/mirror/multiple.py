"""Several tests at once: p-values corrected so that a false alarm anywhere stays as rare as was
promised."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ShapeError
from mirrorenv.mirror._checks import float_array
from mirrorenv.mirror.arrays import Floats64

__all__ = ["holm"]


def holm(p_values: npt.ArrayLike) -> Floats64:
    """Holm's corrected p-values: the chance of any false alarm among all tests stays below the
    level.

    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 1979.

    Args:
        p_values: (T,) of the tests, in [0, 1]; none at all is fine.

    Returns:
        (T,) float64 in [0, 1], in the same order; reject where it is at most the level.

    Raises:
        ShapeError: if a value lies outside [0, 1].
    """
    raw = float_array("p_values", p_values, ndim=1)
    if not ((raw >= 0.0) & (raw <= 1.0)).all():
        raise ShapeError(f"holm: p-values lie in [0, 1], got {raw.tolist()}")
    order = np.argsort(raw, kind="stable")
    steps = np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1))
    corrected = np.empty_like(raw)
    corrected[order] = np.minimum(steps, 1.0)
    return corrected
