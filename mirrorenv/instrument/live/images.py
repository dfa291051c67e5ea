"""Moving images: what an agent watches while it acts.

An image shows one move in every step. One image is contingent: it shows the watcher's own move of d
steps ago. One is yoked: the watcher's own moves, from another episode. The others show what other
agents do. In each step, independently, an image shows a move drawn by lot instead with probability
e; before step d all of them do.

Shape legend: B batch, T time, K images, A moves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import AnyArray, Floats64, Ints64

__all__ = ["CONTINGENT", "YOKED", "Distortion", "shown_moves"]

CONTINGENT = 0
"""Place of the contingent image among the sources."""
YOKED = 1
"""Place of the yoked one; other agents follow."""


@dataclass(frozen=True)
class Distortion:
    """How far an image is from what it shows.

    Args:
        delay: steps, at least 0.
        noise: chance that a move is drawn by lot instead, in [0, 1].
        moves: A, at least 2.

    Raises:
        ConfigError: if one is out of range.
    """

    delay: int
    noise: float
    moves: int

    def __post_init__(self) -> None:
        if self.delay < 0 or not 0.0 <= self.noise <= 1.0 or self.moves < 2:
            raise ConfigError(
                f"live mirror: delay {self.delay} must be 0 or more, noise {self.noise} in [0, 1], "
                f"and a choice is among at least two moves, not {self.moves}"
            )

    def chance(self) -> Floats64:
        """(A, A) probability of what is shown (column), given what was done (row)."""
        lot = np.full((self.moves, self.moves), self.noise / self.moves)
        return lot + (1.0 - self.noise) * np.eye(self.moves)


def shown_moves(sources: AnyArray, distortion: Distortion, rng: np.random.Generator) -> Ints64:
    """What images show.

    Args:
        sources: (B, T, K) int, the moves behind the images.
        distortion: delay and noise.
        rng: of what is drawn by lot.

    Returns:
        (B, T, K) int64.
    """
    lot = rng.integers(distortion.moves, size=sources.shape)  # (B, T, K)
    replaced = rng.random(sources.shape) < distortion.noise
    replaced[:, : distortion.delay] = True
    late = np.roll(sources, distortion.delay, axis=1)  # (B, T, K)
    return np.where(replaced, lot, late).astype(np.int64)
