"""What every baseline observer is: fitted on labelled past episodes, it gives evidence on new ones.

Shapes: B episodes, T time, K trajectories, N agents.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from mirrorenv.errors import ShapeError
from mirrorenv.mirror import EpisodeBatch
from mirrorenv.population.actions import ActionLayout

__all__ = ["Baseline", "Evidence"]

Evidence = NDArray[np.float64]


class Baseline(ABC):
    """An observer that is no part of the population.

    It reads each trajectory by itself and knows nothing of its place, so it makes no difference
    that it is shown episodes in author order: whoever scores it may shuffle the rows.
    """

    num_agents = 0
    """N, known once fitted."""

    def fit(self, episodes: EpisodeBatch, actions: ActionLayout) -> None:
        """Learn from labelled episodes.

        Args:
            episodes: trajectory n of every episode was made by agent n.
            actions: what one action is made of.
        """
        self.num_agents = episodes.num_agents
        self._fit(episodes, actions)

    def evidence(self, episodes: EpisodeBatch) -> Evidence:
        """What is to be said of each trajectory of other episodes.

        Args:
            episodes: B episodes of the agents it was fitted to.

        Returns:
            (B, K, N) float64, evidence in nats that trajectory k was made by agent n; trajectories
            in the order given.

        Raises:
            ShapeError: if it was not fitted to as many agents.
        """
        if episodes.num_agents != self.num_agents:
            raise ShapeError(
                f"{type(self).__name__} was fitted to {self.num_agents} agents and is shown "
                f"{episodes.num_agents}: "
                "call fit(...) with episodes of the same agents first"
            )
        return self._evidence(episodes)

    @abstractmethod
    def _fit(self, episodes: EpisodeBatch, actions: ActionLayout) -> None: ...

    @abstractmethod
    def _evidence(self, episodes: EpisodeBatch) -> Evidence: ...
