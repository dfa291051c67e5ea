"""What stands between an environment and the policy: observations of any number of copies as the
policy was trained on them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import (
    VecCheckNan,
    VecEnv,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
    VecTransposeImage,
    VecVideoRecorder,
)
from stable_baselines3.common.vec_env.base_vec_env import VecEnvWrapper
from stable_baselines3.common.vec_env.stacked_observations import StackedObservations

from mirrorenv.errors import ConfigError

__all__ = ["Glasses", "alters_observations", "wrappers_of"]

_CLEAR = (VecMonitor, VecCheckNan, VecVideoRecorder)


def wrappers_of(env: VecEnv) -> list[VecEnvWrapper]:
    """The wrappers around an environment, from the inside to the outside.

    Args:
        env: the outermost.
    """
    found: list[VecEnvWrapper] = []
    while isinstance(env, VecEnvWrapper):
        found.append(env)
        env = env.venv
    return found[::-1]


def alters_observations(env: VecEnv) -> bool:
    """Whether the policy sees something else than the environment shows.

    Args:
        env: the outermost.
    """
    return any(not isinstance(one, _CLEAR) for one in wrappers_of(env))


class Glasses:
    """The wrappers of a training environment, for copies that are played elsewhere. Running means
    stay as they are; frames are stacked from the first observation on.

    Args:
        env: what the policy was trained on.

    Raises:
        ConfigError: for a wrapper that is not known here; what it makes of observations is not,
            either.
    """

    def __init__(self, env: VecEnv) -> None:
        self._wrappers = wrappers_of(env)
        self._stacks: dict[int, StackedObservations[Any]] = {}
        known = (VecNormalize, VecFrameStack, VecTransposeImage, *_CLEAR)
        for one in self._wrappers:
            if not isinstance(one, known):
                raise ConfigError(
                    f"MirrorCallback.score: nothing is known of what {type(one).__name__} makes of "
                    "observations; known are VecNormalize, VecFrameStack, VecTransposeImage, "
                    "VecMonitor and VecCheckNan"
                )

    def see(self, shown: Any, *, first: bool) -> Any:
        """One step's observations as the policy is shown them.

        Args:
            shown: as the environment shows them, a row for each sub-environment.
            first: whether episodes begin with them.
        """
        for place, one in enumerate(self._wrappers):
            if isinstance(one, VecNormalize):
                shown = one.normalize_obs(copy.copy(shown))
            elif isinstance(one, VecTransposeImage):
                shown = one.transpose_observations(shown)
            elif isinstance(one, VecFrameStack):
                rows = len(next(iter(shown.values())) if isinstance(shown, dict) else shown)
                if first:
                    self._stacks[place] = _empty_stack(one, rows)
                    shown = self._stacks[place].reset(shown)
                else:
                    over = np.zeros(rows, bool)
                    shown = self._stacks[place].update(shown, over, [{}] * rows)[0]
        return shown


def _empty_stack(wrapper: VecFrameStack, rows: int) -> StackedObservations[Any]:
    """Frames as the wrapper stacks them, for so many sub-environments."""
    before = wrapper.stacked_obs
    first: Any = before.channels_first  # of each part, where there are parts
    space: Any = wrapper.venv.observation_space
    order: Any = "first" if first else "last"
    if isinstance(first, dict):
        order = {key: "first" if value else "last" for key, value in first.items()}
    return StackedObservations(rows, before.n_stack, space, order)
