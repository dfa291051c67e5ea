"""Somebody else's spaces as those that RLlib's default networks read and its distributions draw.

RLlib 2.60 has no encoder for Dict, Tuple, Discrete and MultiDiscrete observations or a Box of two
dimensions, and no distribution for MultiBinary, whole numbers in a Box, or a Box of more than one
dimension.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim

from mirrorenv.envs.adapters.third_party_spaces import ObservationReader
from mirrorenv.errors import WorldError

__all__ = ["PlainActs", "PlainSight"]

Space = spaces.Space[Any]


class PlainSight:
    """What one agent is shown. A vector or an image stays as it is; anything else becomes one
    vector of float32.

    Args:
        native: the space of the environment.
        where: environment and agent, for the message.

    Attributes:
        space: a Box of one dimension, or of three.

    Raises:
        WorldError: if the space has no fixed size, or carries an action mask.
    """

    def __init__(self, native: Space, where: str) -> None:
        self.space: Space = native
        self._reader: ObservationReader | None = None
        box = isinstance(native, spaces.Box)
        if not box or len(native.shape or ()) not in (1, 3):
            self._reader = ObservationReader(native, where, pad_to=flatdim(native) if box else None)
            self.space = self._reader.space

    def read(self, value: Any) -> Any:
        """The observation, in `space`.

        Raises:
            ValueError: if it does not fit the environment's space.
        """
        if self._reader is None:
            return value
        out = np.zeros(self._reader.space.shape, np.float32)
        self._reader.read(value, out)
        return out


class PlainActs:
    """What one agent does. Dict and Tuple keep their form; within them a Box becomes a vector,
    choices start at 0.

    Args:
        native: the space of the environment.
        where: environment and agent, for the message.

    Attributes:
        space: made of Discrete, MultiDiscrete (one dimension) and Box (one dimension, floats).

    Raises:
        WorldError: if RLlib can draw nothing from it.
    """

    def __init__(self, native: Space, where: str) -> None:
        self.native = native
        self._parts: dict[Any, PlainActs] = {}
        if isinstance(native, spaces.Dict | spaces.Tuple):
            named = (
                native.spaces.items()
                if isinstance(native, spaces.Dict)
                else enumerate(native.spaces)
            )
            self._parts = {key: PlainActs(part, f"{where}, {key}") for key, part in named}
        self.space = self._plain(where)

    def _plain(self, where: str) -> Space:
        native = self.native
        if isinstance(native, spaces.Dict):
            return spaces.Dict({key: part.space for key, part in self._parts.items()})
        if isinstance(native, spaces.Tuple):
            return spaces.Tuple([part.space for part in self._parts.values()])
        if isinstance(native, spaces.Discrete):
            return spaces.Discrete(int(native.n))
        if isinstance(native, spaces.MultiDiscrete):
            return spaces.MultiDiscrete(native.nvec.ravel())
        if isinstance(native, spaces.MultiBinary):
            return spaces.MultiDiscrete(np.full(flatdim(native), 2))
        if isinstance(native, spaces.Box) and native.low.dtype.kind == "f":
            return spaces.Box(native.low.ravel(), native.high.ravel(), dtype=native.low.dtype.type)
        raise WorldError(
            f"{where}: RLlib draws no actions from {native}. What works: Discrete, MultiDiscrete, "
            "MultiBinary, a Box "
            "of floats, and Dict or Tuple of these; let a wrapper turn it into one of them."
        )

    def write(self, action: Any) -> Any:
        """The environment's action."""
        native = self.native
        if isinstance(native, spaces.Dict):
            return {key: part.write(action[key]) for key, part in self._parts.items()}
        if isinstance(native, spaces.Tuple):
            return tuple(part.write(action[index]) for index, part in self._parts.items())
        if isinstance(native, spaces.Discrete):
            return int(np.asarray(action).item()) + int(native.start)
        shaped = np.asarray(action).reshape(native.shape or ())
        if isinstance(native, spaces.MultiDiscrete):
            shaped = shaped + native.start
        return shaped.astype(native.dtype)
