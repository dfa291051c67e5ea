"""Episodes to look at: the frames of one episode, and a GIF of them.

Shape legend: N agents, T time, H, W rows and columns of a picture, F frames.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.drawing.canvas import Picture
from mirrorenv.envs.episodes import Policy, moments
from mirrorenv.errors import ConfigError, ShapeError, WorldError
from mirrorenv.mirror.arrays import Floats64

__all__ = ["Frame", "gif", "watch"]

_SLOWEST = 1e-3  # pictures a second
_LONGEST_PICTURE = 655_350  # milliseconds: what a GIF can say
_LONGEST_SIDE = 4096
_PAUSE = 1.0  # seconds a GIF shows its last picture before it starts again


@dataclass(frozen=True)
class Frame:
    """One moment of an episode."""

    picture: Picture
    """(H, W, 3) uint8."""
    returns: Floats64
    """(N,) what each agent has earned so far."""
    step: int
    """Steps taken so far; 0 is the start."""


def watch(world: ArrayWorld, policy: Policy, seed: int) -> Iterator[Frame]:
    """Play one episode and show every moment of it: one frame at the start and one after each step.

    Args:
        world: one copy (B = 1) that has a picture.
        policy: gives the joint action.
        seed: of the episode, zero or greater.

    Raises:
        ConfigError: if the world is a batch.
        WorldError: if the world has no picture.
    """
    if world.num_envs != 1:
        raise ConfigError(f"only a single copy can be watched, this is a batch of {world.num_envs}")
    if "rgb_array" not in world.render_modes:
        raise WorldError(
            f"{type(world.unwrapped).__name__} has no picture to show: it is played, but cannot be "
            "watched"
        )
    start = world.reset([seed])
    returns = np.zeros(world.num_agents)
    yield Frame(world.render(0), returns.copy(), 0)
    for moment in moments(world, policy, start):
        returns += np.where(moment.live, moment.step.rewards, 0.0)[0]
        yield Frame(world.render(0), returns.copy(), moment.t + 1)


def gif(pictures: Sequence[Picture], fps: float = 8.0) -> bytes:
    """Pictures of one size as an endless animation.

    Args:
        pictures: F of (H, W, 3) uint8, at least one.
        fps: pictures a second, above 0 and at most 50 (the format counts hundredths of a second).

    Raises:
        ShapeError: if there is no picture, or they differ in size.
        ConfigError: if `fps` is out of range.
    """
    if not len(pictures):
        raise ShapeError("a GIF needs at least one picture")
    if not 0 < fps <= 50:
        raise ConfigError(f"fps must lie above 0 and at most at 50, got {fps}")
    shapes = {picture.shape for picture in pictures}
    if len(shapes) > 1 or len(pictures[0].shape) != 3:
        raise ShapeError(
            f"all pictures of a GIF must have one size (H, W, 3), got {sorted(shapes)}"
        )
    if max(pictures[0].shape) > _LONGEST_SIDE:
        raise ShapeError(
            f"a picture of {pictures[0].shape} is too large for a GIF: at most {_LONGEST_SIDE} a "
            "side"
        )
    images = [Image.fromarray(np.ascontiguousarray(picture)) for picture in pictures]
    # One palette for all: agents keep their exact colour from frame to frame.
    wide = Image.fromarray(
        np.concatenate([np.asarray(image) for image in images[:: max(1, len(images) // 8)]])
    )
    palette = wide.quantize(256)
    frames = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    duration = min(math.ceil(100 / max(fps, _SLOWEST)) * 10, _LONGEST_PICTURE)
    durations = [duration] * (len(frames) - 1) + [max(duration, int(1000 * _PAUSE))]
    out = io.BytesIO()
    frames[0].save(
        out,
        format="GIF",
        save_all=True,
        append_images=frames[1:],
        duration=durations,
        loop=0,
        optimize=False,
    )
    return out.getvalue()
