"""The maps of the Pac-Men world: a centre, four corridors, four rooms, and where dots may lie.

The geometry is stated as facts about the Pac-Men variant of CDS (Li et al., NeurIPS 2021, arXiv
2106.02195); the code is independent. Shape legend: H, W rows and columns, C cells (H * W, row by
row).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import Bools, Ints64

__all__ = ["DOTS_PER_ROOM", "ROOMS", "PacmenMap", "pacmen_map"]

ROOMS = ("up", "down", "left", "right")
DOTS_PER_ROOM = 3
_BORDER = 2  # wall cells around everything, so that a 5 x 5 window never leaves the grid
# dots lie in the outermost four of a room's five rows
_ROOM_DEPTH = 5
_ROOM_WIDTH = 3
_DOT_DEPTH = 4
_CORRIDORS = {"tini": (3, 1, 2, 2), "small": (6, 2, 4, 4)}  # lengths in the order of ROOMS


@dataclass(frozen=True)
class PacmenMap:
    """One map, in flat cell indices.

    Attributes:
        height, width: H and W.
        free: (C,) bool, cells that are not wall.
        centre: (9,) starting cells.
        dot_boxes: (4, 12) cells where the dots of each room may lie, in the order of :data:`ROOMS`.
        distance: (C, C) int16 steps between free cells; -1 where one of them is wall.
    """

    height: int
    width: int
    free: Bools
    centre: Ints64
    dot_boxes: Ints64
    distance: npt.NDArray[np.int16]


@cache
def pacmen_map(size: str) -> PacmenMap:
    """The map called `size`, `"tini"` or `"small"`; its arrays are shared and must not be
    written.

    Raises:
        ConfigError: if there is no such map.
    """
    if size == "large":
        raise ConfigError(
            "the Pac-Men map 'large' puts dots inside walls in its original and is not offered"
        )
    if size not in _CORRIDORS:
        raise ConfigError(f"unknown Pac-Men map {size!r}; known: {list(_CORRIDORS)}")
    up, down, left, right = _CORRIDORS[size]
    top = _BORDER + _ROOM_DEPTH + up  # first row of the centre
    first = _BORDER + _ROOM_DEPTH + left  # first column of the centre
    height = top + _ROOM_WIDTH + down + _ROOM_DEPTH + _BORDER
    width = first + _ROOM_WIDTH + right + _ROOM_DEPTH + _BORDER
    middle_rows = slice(top, top + _ROOM_WIDTH)
    middle_columns = slice(first, first + _ROOM_WIDTH)
    free = np.zeros((height, width), bool)
    free[middle_rows, middle_columns] = True
    free[_BORDER : _BORDER + _ROOM_DEPTH, middle_columns] = True
    free[height - _BORDER - _ROOM_DEPTH : height - _BORDER, middle_columns] = True
    free[middle_rows, _BORDER : _BORDER + _ROOM_DEPTH] = True
    free[middle_rows, width - _BORDER - _ROOM_DEPTH : width - _BORDER] = True
    free[_BORDER : height - _BORDER, first + 1] = True  # the corridors up and down
    free[top + 1, _BORDER : width - _BORDER] = True  # the corridors left and right
    near = _BORDER
    far_row = height - _BORDER - _DOT_DEPTH
    far_column = width - _BORDER - _DOT_DEPTH
    cells = np.arange(height * width).reshape(height, width)
    boxes = [
        cells[near : near + _DOT_DEPTH, middle_columns],
        cells[far_row : far_row + _DOT_DEPTH, middle_columns],
        cells[middle_rows, near : near + _DOT_DEPTH],
        cells[middle_rows, far_column : far_column + _DOT_DEPTH],
    ]
    return PacmenMap(
        height=height,
        width=width,
        free=free.ravel(),
        centre=cells[middle_rows, middle_columns].ravel(),
        dot_boxes=np.stack([box.ravel() for box in boxes]),
        distance=_distances(free),
    )


def _distances(free: Bools) -> npt.NDArray[np.int16]:
    """(C, C) steps between free cells by breadth-first search from each of them; -1 elsewhere."""
    width = free.shape[1]
    flat = free.ravel()
    distance = np.full((flat.size, flat.size), -1, np.int16)
    for start in np.flatnonzero(flat):
        distance[start, start] = 0
        queue = deque([int(start)])
        while queue:
            cell = queue.popleft()
            for neighbour in (cell - width, cell + width, cell + 1, cell - 1):
                if flat[neighbour] and distance[start, neighbour] < 0:
                    distance[start, neighbour] = distance[start, cell] + 1
                    queue.append(neighbour)
    return distance
