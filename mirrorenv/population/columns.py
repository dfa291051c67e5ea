"""Tensors side by side in their last axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["split_columns"]


def split_columns(rows: Tensor, widths: Sequence[int]) -> list[Tensor]:
    """The last axis in blocks.

    Args:
        rows: (..., sum of the widths).
        widths: of the blocks, in order.

    Returns:
        a view (..., width) for each.
    """
    ends = np.cumsum(widths).tolist()
    pairs = zip(ends, widths, strict=True)
    return [rows[..., end - width : end] for end, width in pairs]
