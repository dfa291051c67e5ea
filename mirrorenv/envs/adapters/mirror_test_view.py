"""What one agent of a mirror test is shown and answers: its spaces, the same in all steps.

Shape legend: T time (steps at most), K lineup slots, N agents (K = N), D numbers in an observation,
A in an action.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.adapters.third_party_spaces import ObservationReader
from mirrorenv.envs.base import Space
from mirrorenv.mirror.arrays import AnyArray
from mirrorenv.mirror.recognition import EVIDENCE_BOUND

__all__ = ["ACTING", "RECOGNISING", "WAITING", "AgentView"]

ACTING = 0
WAITING = 1
RECOGNISING = 2
"""The phases an agent is in: it plays, it is out of the game, it says who did what."""


class AgentView:
    """One agent's side of a mirror test.

    Args:
        observation_space: of the agent in the environment. A Box is shown as it is, anything else
            flattened to float32.
        action_space: of the agent in the environment.
        lineup_spaces: what a lineup looks like, by name.
        agents: N.
        where: environment and agent, for messages.

    Attributes:
        observation_space: `observation`, `phase` and the parts of a lineup.
        action_space: `act` and `evidence` (K, N).

    Raises:
        WorldError: if the observation space has no fixed size.
    """

    def __init__(
        self,
        observation_space: Space,
        action_space: Space,
        *,
        lineup_spaces: Mapping[str, Space],
        agents: int,
        where: str,
    ) -> None:
        self._reader: ObservationReader | None = None
        shown = observation_space
        if not isinstance(shown, spaces.Box):
            self._reader = ObservationReader(observation_space, where)
            shown = self._reader.space
        blank = np.clip(np.zeros(shown.shape), shown.low, shown.high)
        self._blank: AnyArray = blank.astype(shown.dtype)
        self.observation_space = spaces.Dict(
            {"observation": shown, "phase": spaces.Discrete(3), **lineup_spaces}
        )
        evidence = spaces.Box(-EVIDENCE_BOUND, EVIDENCE_BOUND, (agents, agents), np.float32)
        self.action_space = spaces.Dict({"act": copy.deepcopy(action_space), "evidence": evidence})

    def blank(self) -> AnyArray:
        """What an agent that does not act is shown: zeros, clipped into the space."""
        return self._blank.copy()

    def read(self, observation: Any) -> Any:
        """An observation of the environment as it is shown here.

        Raises:
            ValueError, TypeError: if it does not fit its space.
        """
        if self._reader is None:
            return observation
        shown = self.blank()
        self._reader.read(observation, shown)
        return shown
