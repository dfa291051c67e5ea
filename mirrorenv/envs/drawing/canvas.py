"""A small canvas for pictures of worlds: smooth discs, rings, strokes and tiles, drawn with NumPy
alone.

Coordinates are (x, y) in pixels, y downwards; colours are RGB from 0 to 255. Every shape is drawn
from its distance to the pixel centres, which makes edges smooth, and only within its own bounding
box.

Shape legend: H, W rows and columns of the picture.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.mirror.arrays import Floats64, Ints64

__all__ = ["BACKGROUND", "FLOOR", "INK", "Canvas", "Colour", "Picture", "agent_colour", "spread"]

Colour = tuple[int, int, int]
Picture = npt.NDArray[np.uint8]
"""(H, W, 3) uint8."""
Distance = npt.NDArray[np.floating[Any]]

BACKGROUND: Colour = (250, 249, 246)
FLOOR: Colour = (236, 233, 225)
INK: Colour = (52, 58, 70)
# told apart with any colour vision: the qualitative palette of Okabe and Ito, black and yellow
# replaced
_COLOURS: tuple[Colour, ...] = (
    (0, 114, 178),
    (230, 120, 0),
    (0, 158, 115),
    (204, 86, 160),
    (86, 180, 233),
    (200, 50, 45),
    (120, 94, 190),
    (128, 128, 48),
)


def agent_colour(index: int) -> Colour:
    """The colour of agent `index`: eight chosen ones, then steps of the golden angle around the
    colour circle."""
    if index < len(_COLOURS):
        return _COLOURS[index]
    red, green, blue = colorsys.hsv_to_rgb((index * 0.6180339887 + 0.4) % 1.0, 0.8, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def spread(places: Ints64) -> Floats64:
    """Small shifts that keep agents in one place apart.

    Args:
        places: (N,) integers, equal where agents share a place.

    Returns:
        (N, 2) x and y: zero for an agent alone, a regular polygon for several, of radius 1 for up
        to five and wider for more.
    """
    shifts = np.zeros((len(places), 2))
    for place in np.unique(places):
        here = np.flatnonzero(places == place)
        if len(here) > 1:
            angle = 2 * np.pi * (np.arange(len(here)) + 0.5) / len(here) - np.pi / 2
            radius = max(1.0, len(here) / 5)
            shifts[here] = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return shifts


class Canvas:
    """An H x W picture to draw on.

    Args:
        height: H in pixels.
        width: W in pixels.
        colour: the background.
    """

    def __init__(self, height: int, width: int, colour: Colour = BACKGROUND) -> None:
        self._picture = np.full((height, width, 3), colour, np.float64)

    def picture(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8."""
        return np.clip(np.rint(self._picture), 0, 255).astype(np.uint8)

    def _paint(
        self,
        box: tuple[float, float, float, float],
        outside: Callable[[Distance, Distance], Distance],
        colour: Colour,
        opacity: float,
    ) -> None:
        """Blend a colour in where the signed distance `outside(x, y)` to a shape is negative,
        softly at its edge."""
        height, width, _ = self._picture.shape
        left = max(int(box[0]) - 2, 0)
        right = min(int(box[2]) + 3, width)
        top = max(int(box[1]) - 2, 0)
        bottom = min(int(box[3]) + 3, height)
        if left >= right or top >= bottom:
            return
        y, x = np.mgrid[top:bottom, left:right] + 0.5  # pixel centres
        share = opacity * np.clip(0.5 - outside(x, y), 0.0, 1.0)[:, :, None]
        area = self._picture[top:bottom, left:right]
        area += share * (np.asarray(colour, np.float64) - area)

    def disc(self, x: float, y: float, radius: float, colour: Colour, opacity: float = 1.0) -> None:
        """A filled circle.

        Args:
            x: of the centre.
            y: of the centre.
            radius: in pixels.
            colour: to fill it with.
            opacity: 0 (nothing) to 1 (covers what is below).
        """
        box = (x - radius, y - radius, x + radius, y + radius)
        self._paint(box, lambda px, py: np.hypot(px - x, py - y) - radius, colour, opacity)

    def ring(
        self, x: float, y: float, radius: float, stroke: float, colour: Colour, opacity: float = 1.0
    ) -> None:
        """A circle's outline, `stroke` pixels thick around `radius`.

        Args:
            x: of the centre.
            y: of the centre.
            radius: in pixels.
            stroke: thickness in pixels.
            colour: of the line.
            opacity: 0 to 1.
        """
        reach = radius + stroke
        box = (x - reach, y - reach, x + reach, y + reach)
        self._paint(
            box,
            lambda px, py: np.abs(np.hypot(px - x, py - y) - radius) - stroke / 2,
            colour,
            opacity,
        )

    def stroke(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        width: float,
        colour: Colour,
        opacity: float = 1.0,
    ) -> None:
        """A straight line with round ends.

        Args:
            start: (x, y) of one end.
            end: (x, y) of the other.
            width: thickness in pixels.
            colour: of the line.
            opacity: 0 to 1.
        """
        (x0, y0) = start
        (x1, y1) = end
        length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)

        def outside(px: Distance, py: Distance) -> Distance:
            along = np.clip(((px - x0) * (x1 - x0) + (py - y0) * (y1 - y0)) / length, 0.0, 1.0)
            distance: Distance = (
                np.hypot(px - x0 - along * (x1 - x0), py - y0 - along * (y1 - y0)) - width / 2
            )
            return distance

        self._paint(
            (min(x0, x1) - width, min(y0, y1) - width, max(x0, x1) + width, max(y0, y1) + width),
            outside,
            colour,
            opacity,
        )

    def tile(
        self,
        left: float,
        top: float,
        width: float,
        height: float,
        colour: Colour,
        corner: float = 0.0,
    ) -> None:
        """A filled rectangle with rounded corners.

        Args:
            left: x of the left edge.
            top: y of the upper edge.
            width: in pixels.
            height: in pixels.
            colour: to fill it with.
            corner: radius of the corners in pixels.
        """
        x = left + width / 2
        y = top + height / 2
        half_x = width / 2 - corner
        half_y = height / 2 - corner

        def outside(px: Distance, py: Distance) -> Distance:
            dx = np.abs(px - x) - half_x
            dy = np.abs(py - y) - half_y
            # of the inner rectangle's corner
            beyond = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0)) - corner
            distance: Distance = beyond + np.minimum(np.maximum(dx, dy), 0)
            return distance

        self._paint((left, top, left + width, top + height), outside, colour, 1.0)

    def wedge(
        self, x: float, y: float, radius: float, facing: float, gape: float, colour: Colour
    ) -> None:
        """A disc with a mouth: a sector of half-angle `gape` cut out towards `facing` (radians,
        y downwards).

        Args:
            x: of the centre.
            y: of the centre.
            radius: in pixels.
            facing: where the mouth points, radians.
            gape: half-angle of the mouth, radians.
            colour: to fill it with.
        """

        def outside(px: Distance, py: Distance) -> Distance:
            dx = px - x
            dy = py - y
            along = dx * np.cos(facing) + dy * np.sin(facing)
            across = np.abs(dy * np.cos(facing) - dx * np.sin(facing))
            # positive within the cut sector
            inside_mouth = along * np.sin(gape) - across * np.cos(gape)
            distance: Distance = np.maximum(np.hypot(dx, dy) - radius, inside_mouth)
            return distance

        self._paint((x - radius, y - radius, x + radius, y + radius), outside, colour, 1.0)

    def clock(self, done: float, colour: Colour = INK, rest: Colour = (222, 219, 211)) -> None:
        """A thin bar along the lower edge: the share of the episode that has passed.

        Args:
            done: 0 to 1.
            colour: of what has passed.
            rest: of what is left.
        """
        height, width, _ = self._picture.shape
        self.tile(0, height - 4, width, 4, rest)
        self.tile(0, height - 4, width * done, 4, colour)
