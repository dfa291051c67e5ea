"""What the byte world looks like: the utterances on a sphere, and bars of entropy.

The picture is that of the origin: one angle is the time, the other the place of a byte in its
utterance, radius and colour are the byte. Here the sphere is seen from the side, one for each
agent.

Shape legend: T steps so far, N agents, L bytes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mirrorenv.bytes.entropy import byte_entropy, count_entropy, spatial_entropy
from mirrorenv.envs.drawing.canvas import FLOOR, INK, Canvas, Colour, Picture, agent_colour
from mirrorenv.mirror.arrays import Floats64

__all__ = ["draw_bytes", "sphere_points"]

_SIDE = 200
_BARS = 76


def sphere_points(spoken: npt.NDArray[np.uint8], horizon: int) -> Floats64:
    """Where the bytes of an agent stand: (T, L) -> (T, L, 3) in the unit ball.

    Longitude is the step, latitude the place in the utterance, the radius the byte.
    """
    steps, length = spoken.shape
    longitude = 2 * np.pi * (np.arange(steps) + 0.5)[:, None] / horizon  # (T, 1)
    latitude = np.pi * ((np.arange(length) + 0.5)[None] / length - 0.5)  # (1, L)
    radius = 0.25 + 0.75 * spoken / 255.0  # (T, L)
    return np.stack(
        [
            radius * np.cos(latitude) * np.sin(longitude),
            radius * np.sin(latitude) * np.ones_like(longitude),
            radius * np.cos(latitude) * np.cos(longitude),
        ],
        axis=2,
    )


def draw_bytes(spoken: npt.NDArray[np.uint8], horizon: int, counts: Floats64) -> Picture:
    """One sphere and three bars for each agent, in rows of four.

    Args:
        spoken: (T, N, L) what was said so far.
        horizon: steps of an episode.
        counts: (N, 256) decayed counts of each agent's bytes.
    """
    agents = spoken.shape[1]
    columns = min(agents, 4)
    rows = -(-agents // columns)
    canvas = Canvas(rows * (_SIDE + _BARS) + 10, columns * _SIDE)
    for agent in range(agents):
        left = (agent % columns) * _SIDE
        top = (agent // columns) * (_SIDE + _BARS)
        _sphere(canvas, left, top, spoken[:, agent], horizon, agent_colour(agent))
        _bars(canvas, left, top + _SIDE, spoken[:, agent], counts[agent], agent_colour(agent))
    canvas.clock(len(spoken) / horizon)
    return canvas.picture()


def _sphere(
    canvas: Canvas,
    left: float,
    top: float,
    spoken: npt.NDArray[np.uint8],
    horizon: int,
    colour: Colour,
) -> None:
    scale = _SIDE / 2 - 14
    x = left + _SIDE / 2
    y = top + _SIDE / 2
    canvas.disc(x, y, scale + 6, FLOOR)
    canvas.ring(x, y, scale + 6, 2.0, colour)
    points = sphere_points(spoken, horizon).reshape(-1, 3)
    for place in np.argsort(points[:, 2]):  # the far side first
        east, north, near = points[place]
        size = 1.6 + 0.9 * near
        shade = _shade(int(spoken.reshape(-1)[place]))
        canvas.disc(x + scale * east, y - scale * north, size, shade, 0.55 + 0.4 * (near > 0))


def _bars(
    canvas: Canvas,
    left: float,
    top: float,
    spoken: npt.NDArray[np.uint8],
    counts: Floats64,
    colour: Colour,
) -> None:
    """Entropy of the last utterance, of all so far, and of neighbours."""
    values = [0.0, 0.0, 0.0]
    if len(spoken):
        last = spoken[-1]
        spatial = float(spatial_entropy(last)) if len(last) > 2 else 0.0
        values = [float(byte_entropy(last)), float(count_entropy(counts, 256)), spatial]
    width = _SIDE - 40
    for place, value in enumerate(values):
        y = top + 10 + 20 * place
        canvas.tile(left + 20, y, width, 10, FLOOR, corner=3)
        canvas.tile(left + 20, y, max(width * value, 1.0), 10, colour, corner=0)
        canvas.stroke((left + 20, y - 1), (left + 20, y + 11), 1.0, INK)


def _shade(byte: int) -> Colour:
    """From blue (00) over green to red (ff)."""
    share = byte / 255.0
    return (
        round(255 * share),
        round(90 + 130 * (1.0 - abs(2 * share - 1))),
        round(255 * (1 - share)),
    )
