"""One episode of any PettingZoo environment written down as arrays, and shown again as a lineup.

Shape legend: T time (steps at most), N agents, K lineup slots (K = N), D numbers in an observation,
A in an action.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim

from mirrorenv.envs.adapters.third_party_spaces import ObservationReader
from mirrorenv.envs.base import Space
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import Floats32, Ints64

__all__ = ["MAX_SHOWN", "EpisodeRecord", "Show"]

Show = Literal["both", "observations", "actions"]
"""What of each trajectory a lineup shows."""

MAX_SHOWN = 1 << 22
"""The most numbers a lineup may hold: every observation of every step carries room for one."""


class EpisodeRecord:
    """What N agents saw and did, step by step: float32, flattened in gymnasium's order, choices
    one-hot.

    Args:
        observation_spaces: of each agent, as the environment has them.
        action_spaces: of each agent.
        horizon: T.
        show: what a lineup shows.
        pad: fill agents of different sizes up with zeros, which name them.
        name: environment, for messages.

    Attributes:
        spaces: what a lineup looks like: `lineup_observations` (K, T, D) and `lineup_actions`
            (K, T, A), as far as they are shown, and `lineup_mask` (K, T), 1 for the steps that
            happened; all Box float32.

    Raises:
        ConfigError: if sizes differ without `pad`, `show` is unknown, or a lineup would be too
            large.
        WorldError: if a space has no fixed size.
    """

    def __init__(
        self,
        observation_spaces: Sequence[Space],
        action_spaces: Sequence[Space],
        *,
        horizon: int,
        show: Show,
        pad: bool,
        name: str,
    ) -> None:
        if show not in get_args(Show):
            raise ConfigError(
                f"{name}: show must be one of {', '.join(get_args(Show))}, got {show!r}"
            )
        agents = len(observation_spaces)
        sources = {"observations": observation_spaces, "actions": action_spaces}
        self._readers: dict[str, list[ObservationReader]] = {}
        self._columns: dict[str, Floats32] = {}
        for what, natives in sources.items():
            if show in ("both", what):
                self._readers[what] = _readers(natives, what, pad, name)
                self._columns[what] = np.zeros(
                    (agents, horizon, *self._readers[what][0].space.shape), np.float32
                )
        self._mask = np.zeros((agents, horizon), np.float32)
        numbers = sum(column.size for column in self._columns.values())
        if numbers > MAX_SHOWN:
            raise ConfigError(
                f"{name}: a lineup would hold {numbers:,} numbers, more than {MAX_SHOWN:,}, in "
                "every observation of every step. What works: show='actions', a smaller "
                "horizon=..., or a wrapper that shrinks what is seen."
            )
        self.spaces: dict[str, Space] = {
            f"lineup_{what}": spaces.Box(-np.inf, np.inf, column.shape, np.float32)
            for what, column in self._columns.items()
        }
        self.spaces["lineup_mask"] = spaces.Box(0.0, 1.0, self._mask.shape, np.float32)

    def clear(self) -> None:
        """Forget the last episode."""
        self._mask[:] = 0.0
        for column in self._columns.values():
            column[:] = 0.0

    def write(self, step: int, agent: int, observation: Any, action: Any) -> None:
        """Write down what one agent saw and then did.

        Args:
            step: which step, from 0.
            agent: index of the agent.
            observation: what it saw, in its own space.
            action: what it did, in its own space.

        Raises:
            ValueError: if one of them does not fit its space.
        """
        values = {"observations": observation, "actions": action}
        for what, column in self._columns.items():
            self._readers[what][agent].read(values[what], column[agent, step])
        self._mask[agent, step] = 1.0

    def lineup(self, permutation: Ints64) -> dict[str, Floats32]:
        """Fresh copies in slot order: slot k shows agent `permutation[k]`. Keys and shapes as
        `spaces`.

        Args:
            permutation: (K,) the agent that slot k shows.
        """
        shown = {f"lineup_{what}": column[permutation] for what, column in self._columns.items()}
        return {**shown, "lineup_mask": self._mask[permutation]}

    def nothing(self) -> dict[str, Floats32]:
        """What stands in the place of a lineup until there is one: zeros."""
        return {
            name: np.zeros(space.shape or (), np.float32) for name, space in self.spaces.items()
        }


def _readers(natives: Sequence[Space], what: str, pad: bool, name: str) -> list[ObservationReader]:
    """One reader for each agent, all of one size."""
    for index, native in enumerate(natives):
        # refuses what has no fixed size, and says why
        ObservationReader(native, f"{name}, {what} of agent {index}")
    sizes = [flatdim(native) for native in natives]
    if len(set(sizes)) > 1 and not pad:
        raise ConfigError(
            f"{name}: the agents' {what} differ in size ({sizes} numbers), so anybody could tell "
            "their trajectories apart, whatever their policies. What works: pad=True fills them up "
            "with zeros, which name the agents too; or show='observations' or show='actions', if "
            "only the other differs."
        )
    return [
        ObservationReader(native, f"{name}, agent {i}", max(sizes))
        for i, native in enumerate(natives)
    ]
