"""A window that shows an episode while it is played. Needs pygame and a display."""

from __future__ import annotations

from typing import Any

from mirrorenv.envs.drawing.canvas import Picture
from mirrorenv.errors import WorldError, require

__all__ = ["Window"]


class Window:
    """A window that shows pictures, one after the other; opened by the first.

    Args:
        title: of the window.
        fps: pictures a second.
    """

    def __init__(self, title: str, fps: float = 8.0) -> None:
        self._pygame: Any = require("pygame", "play")
        self.title = title
        self.fps = fps
        self._screen: Any = None
        self._clock: Any = None

    def show(self, picture: Picture) -> bool:
        """Show a picture for one tick of the clock.

        Args:
            picture: (H, W, 3) uint8.

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
