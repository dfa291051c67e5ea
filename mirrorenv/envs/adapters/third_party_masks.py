"""Agents with masks, with different actions, or out of turn: what each may do, in columns that are
the same for all.

Shapes: W mask columns of the actions that all share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.actions import ActionColumns, action_columns
from mirrorenv.envs.adapters.third_party_spaces import ActionWriter
from mirrorenv.envs.base import Space
from mirrorenv.envs.masks import (
    Path,
    at_least_first,
    mask_in,
    mask_path,
    mask_width,
    shown_mask,
    without_mask,
)
from mirrorenv.errors import WorldError
from mirrorenv.mirror.arrays import AnyArray, Floats32

__all__ = ["AgentMask", "PaddedWriter", "common_actions"]


def common_actions(own: Sequence[ActionWriter]) -> Space:
    """One space in which all agents can act: choices first, then numbers of a Box, as many of each
    as any agent has; a part of one agent that another lacks is never allowed to it.

    Args:
        own: how each agent acts.
    """
    every = [action_columns(writer.space).counts for writer in own]
    sizes: list[int] = []
    numbers = 0
    for counts in every:
        mine = [count for count in counts if count is not None]
        numbers = max(numbers, len(counts) - len(mine))
        longer = max(len(mine), len(sizes))
        mine += [1] * (longer - len(mine))
        sizes += [1] * (longer - len(sizes))
        sizes = [max(pair) for pair in zip(sizes, mine, strict=True)]
    box = spaces.Box(-1.0, 1.0, (numbers,), np.float32)
    if not sizes:
        return box
    choices: Space = spaces.Discrete(sizes[0]) if len(sizes) == 1 else spaces.MultiDiscrete(sizes)
    return spaces.Tuple([choices, box]) if numbers else choices


class PaddedWriter:
    """An agent's own actions, out of those of a space that all agents share.

    Args:
        own: how the agent acts.
        shared: from :func:`common_actions`.

    Attributes:
        space: the shared one.
        native: the agent's own.
        takes: for each of the agent's numbers, its column among the shared ones.
    """

    def __init__(self, own: ActionWriter, shared: Space) -> None:
        self.space = shared
        self.native = own.native
        self._own = own
        choices = 0
        numbers = sum(count is not None for count in action_columns(shared).counts)
        self.takes: list[int] = []
        for count in action_columns(own.space).counts:
            self.takes.append(numbers if count is None else choices)
            choices += count is not None
            numbers += count is None

    def write(self, action: Any) -> Any:
        """The environment's action, from one of the shared space."""
        numbers = np.atleast_1d(np.asarray(action))[self.takes]
        return self._own.write(
            numbers[0] if isinstance(self._own.space, spaces.Discrete) else numbers
        )


class AgentMask:
    """What one agent may do, step by step.

    Args:
        sight: what it sees, as the environment has it.
        writer: how it acts in the space that all share.
        own: how it acts by itself; the same, where spaces are equal.
        where: environment and agent, for the message.

    Attributes:
        path: where its observations hold a mask; None where they do not.
        rest: its observations without the mask.
        width: W.
        base: (W,) float32, 1 for what its own actions are made of.
    """

    def __init__(
        self, sight: Space, writer: ActionWriter | PaddedWriter, own: ActionWriter, where: str
    ) -> None:
        self._columns: ActionColumns = action_columns(writer.space)
        counts = action_columns(own.space).counts
        takes = writer.takes if isinstance(writer, PaddedWriter) else list(range(len(counts)))
        self.width = mask_width(self._columns)
        ends = np.cumsum([count or 1 for count in self._columns.counts])
        self.base = np.zeros(self.width, np.float32)
        choices: list[int] = []  # the columns of this agent's own choices
        for count, column in zip(counts, takes, strict=True):
            first = int(ends[column]) - (self._columns.counts[column] or 1)
            self.base[first : first + (count or 1)] = 1.0
            if count is not None:
                choices += range(first, first + count)
        self._choices = np.array(choices, np.int64)
        at_least_first(self.base, self._columns)
        self._waiting = at_least_first(np.zeros(self.width, np.float32), self._columns)
        self.path: Path | None = mask_path(sight, len(choices))
        self.rest, self._inside = (
            without_mask(sight, self.path)
            if self.path and isinstance(sight, spaces.Dict)
            else (sight, ())
        )
        self._where = where

    def has(self, info: Any) -> bool:
        """Whether there is a mask, in observations or in this info of the agent.

        Raises:
            WorldError: if there is one that does not fit the agent's actions.
        """
        try:
            return self.path is not None or mask_in(info, len(self._choices)) is not None
        except ValueError as error:
            raise WorldError(f"{self._where}: infos hold {error}") from error

    def seen(self, value: Any) -> Any:
        """An observation without its mask, as `rest` has it.

        Raises:
            ValueError: if it does not have the keys that it declares.
        """
        if self.path is None:
            return value
        if not isinstance(value, Mapping):
            raise ValueError(f"{type(value).__name__} instead of a dictionary with a mask")
        try:
            for key in self._inside:
                value = value[key]
        except (KeyError, TypeError) as error:
            raise ValueError(f"no {error} in the observation") from error
        return value  # keys that the space does not name are not read

    def read(self, value: Any, info: Any, acts: bool, out: Floats32 | AnyArray) -> None:
        """Write what the agent may do now.

        Args:
            value: its observation, as the environment has it.
            info: its info.
            acts: whether it is its turn.
            out: (W,), overwritten.

        Raises:
            ValueError: if the mask does not fit the agent's actions.
        """
        if not acts:
            out[:] = self._waiting
            return
        count = len(self._choices)
        given = None if self.path is None else shown_mask(_at(value, self.path), count)
        given = mask_in(info, count) if given is None else given
        if given is None:
            out[:] = self.base
            return
        allowed = self.base if given.any() else np.zeros_like(self.base)
        row = allowed.copy()
        row[self._choices] = given
        out[:] = at_least_first(row, self._columns)


def _at(value: Any, path: Path) -> Any:
    try:
        for key in path:
            value = value[key]
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"no mask {'.'.join(path)} in the observation") from error
    return value
