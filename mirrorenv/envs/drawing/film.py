"""Episodes to look at: frames of one episode, as a GIF or in a window.

Shape legend: N agents, T time, H, W rows and columns of a picture, F frames.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.episodes import Policy
from mirrorenv.errors import ConfigError, ShapeError, WorldError, require

__all__ = ["Frame", "Window", "gif", "watch"]

Picture = npt.NDArray[np.uint8]
_LONGEST_SIDE = 4096
_PAUSE = 1.0  # seconds a GIF shows its last picture before it starts again


@dataclass(frozen=True)
class Frame:
    """One moment of an episode."""

    picture: Picture
    """(H, W, 3) uint8."""
    returns: npt.NDArray[np.float64]
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
            f"{type(world).__name__} has no picture to show: it is played, but cannot be watched"
        )
    now = world.reset([seed])
    returns, live = np.zeros(world.num_agents), np.ones((1, world.num_agents), bool)
    yield Frame(world.render(0), returns.copy(), 0)
    for t in range(world.horizon):
        step = world.step(policy(now, t))
        returns += np.where(live, step.rewards, 0.0)[0]
        now, live = step.observations, live & ~(step.terminated | step.truncated)
        yield Frame(world.render(0), returns.copy(), t + 1)
        if not live.any():
            return


def gif(pictures: Sequence[Picture], fps: float = 8.0) -> bytes:
    """Pictures of one size as an endless animation.

    Args:
        pictures: F of (H, W, 3) uint8, at least one.
        fps: pictures a second, above 0 and at most 50 (the format counts hundredths of a second).

    Raises:
        ShapeError: if there is no picture, or they differ in size.
        ConfigError: if ``fps`` is out of range.
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
    duration = math.ceil(100 / fps) * 10
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


class Window:
    """A window that shows pictures, one after the other; opened by the first.

    Args:
        title: of the window.
        fps: pictures a second.
    """

    def __init__(self, title: str, fps: float = 8.0) -> None:
        self._pygame: Any = require("pygame", "play")
        self.title, self.fps = title, fps
        self._screen: Any = None
        self._clock: Any = None

    def show(self, picture: Picture) -> bool:
        """Show a picture for one tick of the clock.

        Returns:
            False once the viewer has closed the window (by its button, Q or Escape), else True.

        Raises:
            WorldError: if this machine has no display.
        """
        pygame = self._pygame
        size = (picture.shape[1], picture.shape[0])
        if self._screen is None or self._screen.get_size() != size:
            self._open(size)
        for event in pygame.event.get():
            key = getattr(event, "key", None)
            if event.type == pygame.QUIT or (
                event.type == pygame.KEYDOWN and key in (pygame.K_q, pygame.K_ESCAPE)
            ):
                self.close()
                return False
        self._screen.blit(pygame.surfarray.make_surface(picture.swapaxes(0, 1)), (0, 0))
        pygame.display.flip()
        self._clock.tick(self.fps)
        return True

    def _open(self, size: tuple[int, int]) -> None:
        pygame = self._pygame
        try:
            pygame.display.init()
            self._screen = pygame.display.set_mode(size)
        except pygame.error as error:
            raise WorldError(
                f"no window can be opened here ({error}); use render_mode='rgb_array', or "
                "mirrorenv play ... --gif"
            ) from error
        pygame.display.set_caption(self.title)
        self._clock = pygame.time.Clock()

    def close(self) -> None:
        """Close the window; harmless if it is not open."""
        if self._screen is not None:
            self._pygame.display.quit()
            self._screen = None
