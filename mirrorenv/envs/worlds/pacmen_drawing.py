"""What the world of Pac-Men looks like.

Shape legend: N agents.
"""

from __future__ import annotations

import math

import numpy as np

from mirrorenv.envs.drawing.canvas import Canvas, Colour, Picture, agent_colour, spread
from mirrorenv.mirror.arrays import Floats32, Ints64

__all__ = ["draw_pacmen"]

_WALL: Colour = (38, 43, 61)
_WALL_EDGE: Colour = (70, 79, 112)
_CORRIDOR: Colour = (17, 19, 29)
_DOT: Colour = (255, 224, 130)


def draw_pacmen(
    grid: Floats32,
    rows: Ints64,
    columns: Ints64,
    facing: Ints64,
    done: float,
) -> Picture:
    """Rooms, corridors, dots and eaters.

    Args:
        grid: (rows, columns) wall -1, floor 0, dot 1.
        rows: (N,) rows of the agents.
        columns: (N,) columns of the agents.
        facing: (N,) last actions: 0 up, 1 down, 2 right, 3 left, 4 eat.
        done: share of the episode that has passed.
    """
    cell = 22
    canvas = Canvas(grid.shape[0] * cell + 4, grid.shape[1] * cell, _WALL)
    floor = np.argwhere(grid >= 0)
    for row, column in floor:  # a rim around the floor, drawn first
        canvas.tile(column * cell - 3, row * cell - 3, cell + 6, cell + 6, _WALL_EDGE, corner=5)
    for row, column in floor:
        canvas.tile(column * cell, row * cell, cell, cell, _CORRIDOR)
    for row, column in np.argwhere(grid > 0):
        canvas.disc((column + 0.5) * cell, (row + 0.5) * cell, 4.0, _DOT)
    crowd = spread(rows * grid.shape[1] + columns) * 6.0
    angles = {0: -math.pi / 2, 1: math.pi / 2, 2: 0.0, 3: math.pi}
    for agent, (row, column) in enumerate(zip(rows, columns, strict=True)):
        x = (column + 0.5) * cell + crowd[agent, 0]
        y = (row + 0.5) * cell + crowd[agent, 1]
        radius = 9.0 if not crowd[agent].any() else 5.5
        action = int(facing[agent])
        canvas.wedge(
            x,
            y,
            radius,
            angles.get(action, 0.0),
            0.62 if action in angles else 0.2,
            agent_colour(agent),
        )
    canvas.clock(done, _DOT, _WALL_EDGE)
    return canvas.picture()
