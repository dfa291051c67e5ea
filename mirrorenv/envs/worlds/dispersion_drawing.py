"""What points in a square look like: the worlds dispersion and point.

Shape legend: N agents and goals.
"""

from __future__ import annotations

import numpy as np

from mirrorenv.envs.drawing.canvas import (
    BACKGROUND,
    FLOOR,
    INK,
    Canvas,
    Colour,
    Picture,
    agent_colour,
    spread,
)
from mirrorenv.mirror.arrays import Bools, Floats64

__all__ = ["draw_dispersion"]

_FOOD: Colour = (122, 168, 62)


def draw_dispersion(
    places: Floats64,
    goals: Floats64,
    reached: Bools,
    goal_radius: float,
    done: float,
) -> Picture:
    """Points on their way from the origin to the goals.

    Args:
        places: (N, 2) agents, -1 to 1.
        goals: (N, 2) goals, -1 to 1.
        reached: (N,) goals that count already.
        goal_radius: in the same unit.
        done: share of the episode that has passed.
    """
    side = 480
    margin = 34
    scale = side / 2 - margin
    middle = side / 2
    canvas = Canvas(side + 4, side)
    canvas.tile(
        margin - 16, margin - 16, side - 2 * margin + 32, side - 2 * margin + 32, FLOOR, corner=14
    )
    canvas.stroke((middle - 7, middle), (middle + 7, middle), 1.5, INK, opacity=0.5)
    canvas.stroke((middle, middle - 7), (middle, middle + 7), 1.5, INK, opacity=0.5)
    for (x, y), is_reached in zip(goals, reached, strict=True):
        centre = middle + scale * x, middle - scale * y
        canvas.disc(
            *centre,
            goal_radius * scale,
            _FOOD if is_reached else BACKGROUND,
            opacity=0.45 if is_reached else 1.0,
        )
        canvas.ring(*centre, goal_radius * scale, 2.0, _FOOD if is_reached else INK)
    grid = np.rint(places * 200).astype(np.int64)  # agents closer than half a percent share a place
    crowd = spread(grid[:, 0] * 1000 + grid[:, 1]) * 7.0
    for agent, (x, y) in enumerate(places):
        dx, dy = crowd[agent]
        canvas.disc(middle + scale * x + dx, middle - scale * y + dy, 9.5, BACKGROUND)
        canvas.disc(middle + scale * x + dx, middle - scale * y + dy, 8.0, agent_colour(agent))
    canvas.clock(done)
    return canvas.picture()
