"""Which floating-point numbers this processor multiplies fastest.

A processor without units for bfloat16 reads several times slower in it than in float32, which has
none of its rounding; one that has them may be twice as fast. So it is measured.
"""

from __future__ import annotations

import statistics
import time
from functools import lru_cache

__all__ = ["fastest_dtype", "resolved_dtype"]

ROWS = 128  # a layer of the built-in model, reading side by side
INPUTS = 576
OUTPUTS = 1536
GAIN = 1.25  # rounding is not taken for less
TRIES = 9


def resolved_dtype(name: str) -> str:
    """`float32` or `bfloat16` as they are, and for `auto` the one that is faster here."""
    return fastest_dtype() if name == "auto" else name


@lru_cache
def fastest_dtype() -> str:
    """`bfloat16` where it multiplies at least a quarter faster than `float32`, on the threads
    that PyTorch has; measured once for each process, in some hundredths of a second."""
    return "bfloat16" if _seconds("float32") > GAIN * _seconds("bfloat16") else "float32"


def _seconds(dtype: str) -> float:
    """Of one product of a layer's size, the middle of several."""
    import torch

    kind = getattr(torch, dtype)
    rows = torch.ones(ROWS, INPUTS, dtype=kind)
    weights = torch.ones(OUTPUTS, INPUTS, dtype=kind)
    found = []
    with torch.no_grad():
        for _ in range(TRIES):
            begun = time.perf_counter()
            torch.nn.functional.linear(rows, weights)
            found.append(time.perf_counter() - begun)
    return statistics.median(found)
