"""What the world of ants looks like.

Shape legend: N agents, F food items.
"""

from __future__ import annotations

from mirrorenv.envs.drawing.canvas import (
    BACKGROUND,
    FLOOR,
    INK,
    Canvas,
    Colour,
    Picture,
    agent_colour,
)
from mirrorenv.mirror.arrays import Ints64

__all__ = ["draw_ants"]

_FOOD: Colour = (122, 168, 62)
_GOAL: Colour = (214, 210, 199)


def draw_ants(cells: Ints64, food: Ints64, length: int, done: float) -> Picture:
    """Ants on a line of tiles, stacked where they share a cell.

    Args:
        cells: (N,) cells of the ants.
        food: (F,) cells of the food.
        length: cells of the line.
        done: share of the episode that has passed.
    """
    cell = 44
    lane = 31
    margin = 18
    ground = margin + lane * len(cells) + 10  # y of the line: everyone might stand in one column
    canvas = Canvas(ground + 48, 2 * margin + cell * length)
    for i in range(length):
        canvas.tile(
            margin + i * cell + 2, ground, cell - 4, 22, FLOOR if i % 2 else _GOAL, corner=6
        )
    for item, place in enumerate(food):
        below = int((food[:item] == place).sum())
        x = margin + (place + 0.5) * cell + 9 * below
        canvas.disc(x, ground + 11, 7, _FOOD)
        canvas.stroke((x, ground + 5), (x + 4, ground - 1), 2, _FOOD)
    for ant, place in enumerate(cells):
        level = int((cells[:ant] == place).sum())
        _ant(canvas, margin + (place + 0.5) * cell, ground - 13 - lane * level, agent_colour(ant))
    canvas.clock(done)
    return canvas.picture()


def _ant(canvas: Canvas, x: float, y: float, colour: Colour) -> None:
    """Six legs, two feelers, three discs and an eye."""
    for reach in (-7.0, 0.0, 7.0):
        canvas.stroke((x + reach * 0.3, y), (x + reach, y + 12), 1.6, INK)
        canvas.stroke((x + reach * 0.3 + 1.5, y), (x + reach + 3.5, y + 12), 1.6, INK, opacity=0.45)
    canvas.stroke((x + 11, y - 4), (x + 17, y - 11), 1.5, INK)
    canvas.stroke((x + 10, y - 4), (x + 12, y - 12), 1.5, INK)
    canvas.disc(x - 9, y, 8.5, colour)
    canvas.disc(x + 1, y, 5.5, colour)
    canvas.disc(x + 10, y - 1, 6.5, colour)
    canvas.disc(x + 12, y - 2.5, 1.6, BACKGROUND)
