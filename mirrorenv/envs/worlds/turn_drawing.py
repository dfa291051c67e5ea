"""What the world of turns looks like.

Shape legend: N agents.
"""

from __future__ import annotations

import numpy as np

from mirrorenv.envs.drawing.canvas import FLOOR, INK, Canvas, Colour, Picture, agent_colour, spread
from mirrorenv.mirror.arrays import Ints64

__all__ = ["draw_turn"]

_FOOD: Colour = (122, 168, 62)
_GOAL: Colour = (214, 210, 199)


def draw_turn(places: Ints64, key: Ints64, turn: int, size: int, done: float) -> Picture:
    """Two agents and a key on a square; a ring marks whose turn it is.

    Args:
        places: (N, 2) rows and columns of the agents.
        key: (2,) row and column of the key.
        turn: whose turn it is.
        size: cells along one side.
        done: share of the episode that has passed.
    """
    cell = 64
    margin = 18
    canvas = Canvas(2 * margin + size * cell + 4, 2 * margin + size * cell)
    for row in range(size):
        for column in range(size):
            colour = FLOOR if (row + column) % 2 else _GOAL
            canvas.tile(
                margin + column * cell + 2,
                margin + row * cell + 2,
                cell - 4,
                cell - 4,
                colour,
                corner=8,
            )
    middle = margin + (np.array([key[1], key[0]]) + 0.5) * cell  # x, y
    canvas.ring(middle[0] - 9, middle[1] + 12, 7.0, 3.5, _FOOD)
    canvas.stroke((middle[0] - 2, middle[1] + 12), (middle[0] + 18, middle[1] + 12), 3.5, _FOOD)
    canvas.stroke((middle[0] + 16, middle[1] + 12), (middle[0] + 16, middle[1] + 19), 3.5, _FOOD)
    crowd = spread(places[:, 0] * size + places[:, 1]) * 14.0
    for agent, (row, column) in enumerate(places):
        x = margin + (column + 0.5) * cell + crowd[agent, 0]
        y = margin + (row + 0.5) * cell - 8 + crowd[agent, 1]
        canvas.disc(x, y, 12.0, agent_colour(agent))
        if agent == turn:
            canvas.ring(x, y, 16.0, 2.5, INK)
    canvas.clock(done)
    return canvas.picture()
