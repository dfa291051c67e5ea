"""What the spatial worlds look like. One function each, from the state to an (H, W, 3) uint8
picture.

Shape legend: H, W rows and columns of the picture, N agents, F food items.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mirrorenv.envs.drawing.canvas import (
    BACKGROUND,
    FLOOR,
    INK,
    Canvas,
    Colour,
    agent_colour,
    spread,
)

__all__ = ["draw_ants", "draw_dispersion", "draw_pacmen", "draw_turn"]

_FOOD: Colour = (122, 168, 62)
_WALL: Colour = (38, 43, 61)
_WALL_EDGE: Colour = (70, 79, 112)
_CORRIDOR: Colour = (17, 19, 29)
_DOT: Colour = (255, 224, 130)
_GOAL: Colour = (214, 210, 199)


def draw_ants(
    cells: npt.NDArray[np.int64], food: npt.NDArray[np.int64], length: int, done: float
) -> npt.NDArray[np.uint8]:
    """Ants on a line of tiles, stacked where they share a cell.

    Args:
        cells: (N,) cells of the ants.
        food: (F,) cells of the food.
        length: cells of the line.
        done: share of the episode that has passed.
    """
    cell, lane, margin = 44, 31, 18
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


def draw_pacmen(
    grid: npt.NDArray[np.float32],
    rows: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    facing: npt.NDArray[np.int64],
    done: float,
) -> npt.NDArray[np.uint8]:
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
        x, y = (column + 0.5) * cell + crowd[agent, 0], (row + 0.5) * cell + crowd[agent, 1]
        radius, action = (9.0 if not crowd[agent].any() else 5.5), int(facing[agent])
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


def draw_dispersion(
    places: npt.NDArray[np.float64],
    goals: npt.NDArray[np.float64],
    reached: npt.NDArray[np.bool_],
    goal_radius: float,
    done: float,
) -> npt.NDArray[np.uint8]:
    """Points on their way from the origin to the goals.

    Args:
        places: (N, 2) agents, -1 to 1.
        goals: (N, 2) goals, -1 to 1.
        reached: (N,) goals that count already.
        goal_radius: in the same unit.
        done: share of the episode that has passed.
    """
    side, margin = 480, 34
    scale, middle = side / 2 - margin, side / 2
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


def draw_turn(
    places: npt.NDArray[np.int64], key: npt.NDArray[np.int64], turn: int, size: int, done: float
) -> npt.NDArray[np.uint8]:
    """Two agents and a key on a square; a ring marks whose turn it is.

    Args:
        places: (N, 2) rows and columns of the agents.
        key: (2,) row and column of the key.
        turn: whose turn it is.
        size: cells along one side.
        done: share of the episode that has passed.
    """
    cell, margin = 64, 18
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
        x, y = (
            margin + (column + 0.5) * cell + crowd[agent, 0],
            margin + (row + 0.5) * cell - 8 + crowd[agent, 1],
        )
        canvas.disc(x, y, 12.0, agent_colour(agent))
        if agent == turn:
            canvas.ring(x, y, 16.0, 2.5, INK)
    canvas.clock(done)
    return canvas.picture()
