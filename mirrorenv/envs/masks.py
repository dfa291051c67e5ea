"""Which choices an agent may take: found where environments put it, and read out of observations.

An array world with masks shows them at the end of its observations: `world.mask_from` is the first
of their columns in the flattened observation, and there is one for each choice of each number of an
action (one for a number of a Box, which 0 holds at the middle of its range). 1 allows, 0 forbids.
Where an agent does not act at all only the first choice is allowed, so that no name hides in moves
without effect.

Shapes: B batch, N agents, W mask columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim

from mirrorenv.envs.actions import ActionColumns
from mirrorenv.mirror.arrays import AnyArray, Bools

__all__ = [
    "MASK_NAMES",
    "at_least_first",
    "mask_in",
    "mask_path",
    "mask_width",
    "masked_numbers",
    "shown_mask",
    "without_mask",
]

MASK_NAMES = (
    "action_mask",
    "action_masks",
    "avail_actions",
    "available_actions",
    "legal_moves",
    "legal_actions",
    "valid_actions",
    "mask",
)
"""Under which a mask is looked for, in observations (one level down, too) and in infos."""

_LISTS = ("legal_moves", "legal_actions")
Path = tuple[str, ...]


def mask_width(columns: ActionColumns) -> int:
    """W, how many mask columns actions of these numbers take."""
    return sum(count or 1 for count in columns.counts)


def mask_path(sight: spaces.Space[Any], choices: int) -> Path | None:
    """Where in an observation the mask is: keys from the outside in; None if there is none.

    Args:
        sight: what an agent sees; only a Dict can hold a mask, itself or in a Dict inside.
        choices: how many choices the agent's actions have together. What is called `mask` and has
            another size is no mask.
    """
    if not isinstance(sight, spaces.Dict):
        return None
    inner = [(key, part) for key, part in sight.spaces.items() if isinstance(part, spaces.Dict)]
    for name in MASK_NAMES:
        if _is_mask(sight, name, choices):
            return (name,)
        for key, part in inner:
            if _is_mask(part, name, choices):
                return (key, name)
    return None


def _is_mask(sight: spaces.Dict, name: str, choices: int) -> bool:
    if name not in sight.spaces:
        return False
    part = sight.spaces[name]
    binary = isinstance(part, spaces.MultiBinary | spaces.Box | spaces.MultiDiscrete | spaces.Tuple)
    if name != "mask":
        return binary
    return isinstance(part, spaces.MultiBinary | spaces.Box) and flatdim(part) == choices


def without_mask(sight: spaces.Dict, path: Path) -> tuple[spaces.Space[Any], tuple[str, ...]]:
    """What is left of an observation space.

    Args:
        sight: a Dict with a mask.
        path: where the mask is.

    Returns:
        the Dict without it, or, where a single space is left, that space; and the keys that lead
        to it (empty for a Dict).
    """
    if len(path) == 1:
        rest: dict[str, spaces.Space[Any]] = {
            key: part for key, part in sight.spaces.items() if key != path[0]
        }
    else:
        inner = sight.spaces[path[0]]
        assert isinstance(inner, spaces.Dict)
        left = {key: part for key, part in inner.spaces.items() if key != path[1]}
        kept = {path[0]: spaces.Dict(left)} if left else {}
        rest = {key: kept.get(key, part) for key, part in sight.spaces.items()}
        rest = {key: part for key, part in rest.items() if key != path[0] or left}
    if len(rest) != 1:
        return spaces.Dict(rest), ()
    key, only = next(iter(rest.items()))
    if isinstance(only, spaces.Dict) and len(only.spaces) == 1:
        inside, part = next(iter(only.spaces.items()))
        return part, (key, inside)
    return only, (key,)


def mask_in(info: Any, choices: int) -> Any:
    """The mask in an agent's info, under one of the names in use, or inside a dictionary there;
    None if there is none.

    Args:
        info: of one agent.
        choices: how many choices its actions have.
    """
    if not isinstance(info, Mapping):
        return None
    for name in MASK_NAMES:
        if name in info:
            return shown_mask(info[name], choices, name in _LISTS)
    for part in info.values():
        if isinstance(part, Mapping):
            for name in MASK_NAMES:
                if name in part:
                    return shown_mask(part[name], choices, name in _LISTS)
    return None


def shown_mask(value: Any, choices: int, may_list: bool = False) -> AnyArray:
    """A mask as one row of zeros and ones.

    Args:
        value: an array, a tuple of arrays (one for each part of a MultiDiscrete), or, where
            `may_list`, the numbers of what is allowed.
        choices: how many choices there are.
        may_list: whether numbers of choices may stand there in place of a mask.

    Returns:
        (choices,) float32.

    Raises:
        ValueError: if it is none of these.
    """
    parts = value.values() if isinstance(value, Mapping) else value
    if isinstance(value, Mapping | tuple) and any(np.ndim(part) for part in parts):
        row = np.concatenate([np.ravel(np.asarray(part)) for part in parts])
    else:
        row = np.ravel(np.asarray(list(parts) if isinstance(value, Mapping) else value))
    if may_list and not _looks_like_mask(row, choices):
        return _listed(row, choices)
    if row.shape != (choices,) or row.dtype.kind not in "biuf":
        raise ValueError(f"a mask of shape {row.shape} and dtype {row.dtype} for {choices} choices")
    if not np.isin(row, (0, 1)).all():
        raise ValueError(f"a mask of zeros and ones, got {row.tolist()[:20]}")
    return row.astype(np.float32)


def _looks_like_mask(row: AnyArray, choices: int) -> bool:
    """Zeros and ones, one for each choice; of two choices, `[0, 1]` names both."""
    if row.shape != (choices,) or not np.isin(row, (0, 1)).all():
        return False
    return row.dtype == bool or choices != 2 or row.tolist() != [0, 1]


def _listed(row: AnyArray, choices: int) -> AnyArray:
    mask = np.zeros(choices, np.float32)
    if not row.size:
        return mask
    if row.dtype.kind not in "iu" or row.min() < 0 or row.max() >= choices:
        raise ValueError(f"numbers of allowed choices below {choices}, got {row.tolist()[:20]}")
    mask[row] = 1.0
    return mask


def at_least_first(row: AnyArray, columns: ActionColumns) -> AnyArray:
    """A mask (..., W) that allows the first choice of every number that is allowed none; changed in
    place.

    Args:
        row: of numbers or booleans.
        columns: of the actions.
    """
    first = 0
    for count in columns.counts:
        if count is not None:
            block = row[..., first : first + count]
            block[..., 0] += (block != 0).any(-1) == 0
        first += count or 1
    return row


def masked_numbers(
    actions: AnyArray, allowed: Bools, columns: ActionColumns
) -> tuple[int, ...] | None:
    """The first action that its mask forbids, as an index into the leading axes; None if all are
    fine.

    Args:
        actions: (..., *shape) as the world takes them.
        allowed: (..., W) bool.
        columns: of the actions.
    """
    flat = actions.reshape(*allowed.shape[:-1], len(columns.counts))
    starts = [0, *accumulate(count or 1 for count in columns.counts)]
    for column, (count, low) in enumerate(zip(columns.counts, columns.low, strict=True)):
        if count is None:
            continue
        place = (flat[..., column] - low).astype(np.int64) + starts[column]
        wrong = ~np.take_along_axis(allowed, place[..., None], -1)[..., 0]
        if wrong.any():
            return tuple(int(i) for i in np.argwhere(wrong)[0])
    return None
