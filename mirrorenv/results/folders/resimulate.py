"""The world again: the recorded actions are played from the recorded seeds, and must lead to the
same record.

Shape legend: B episodes, T time, N agents, D observation, flattened.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.episodes import play_episodes
from mirrorenv.envs.registry import make_batch, registry
from mirrorenv.errors import MirrorError, ResultError
from mirrorenv.mirror import EpisodeBatch
from mirrorenv.named_code import unnamed_code
from mirrorenv.results.folders.schema import Result

__all__ = ["resimulate", "unreplayable"]

_TOLERANCE = 1e-5  # one machine's float32 against another's
_LEAN = 1e-6  # of a mean over all episodes
_MOST = 100_000  # no world of a result has an argument above this


def unreplayable(result: Result, named: str | None = None) -> str | None:
    """Why the world of a result is not played again; None if it is.

    A result is data, but `package.module:Env` is code, so it runs only if the user has named it.

    Args:
        result: of kind population.
        named: the world that the user has named, if any.
    """
    code = unnamed_code([result.world, result.world_options])
    unnamed = [name for name in code if name != named]
    if unnamed:
        option = "--world" if unnamed[0] == result.world else "--code"
        return f"its world is code ({unnamed[0]}); name it to run it: {option} {unnamed[0]}"
    if ":" not in result.world and result.world not in registry():
        return f"its world '{result.world}' is not installed here"
    return None


def resimulate(result: Result, record: EpisodeBatch, seeds: npt.NDArray[np.uint64]) -> int:
    """Play the recorded actions again and compare.

    Args:
        result: names the world and its options.
        record: in author order, observations (B, T, N, D).
        seeds: (B,) world seeds.

    Returns:
        Joint steps compared.

    Raises:
        ResultError: if the world cannot be made, or gives another record; the message names the
            first difference.
    """
    for name, value in result.world_options.items():
        if isinstance(value, int | float) and abs(value) > _MOST:
            raise ResultError(
                f"result.json: the world's argument {name} = {value} is out of any range"
            )
    try:
        world = make_batch(result.world, len(record), **result.world_options)
        wanted = (record.horizon, record.num_agents)
        if (world.horizon, world.num_agents) != wanted:
            raise ResultError(
                f"{result.world} has {world.horizon} steps and {world.num_agents} agents, not "
                f"{wanted}"
            )
        actions = record.actions
        if isinstance(world.action_space, spaces.Box):  # a finished agent's zeros may lie outside
            actions = np.clip(actions, world.action_space.low, world.action_space.high)
        played = play_episodes(world, lambda _, t: actions[:, t], seeds)
    except ResultError:
        raise
    except (MirrorError, TypeError, ValueError) as error:
        raise ResultError(f"{result.world} cannot play the recorded actions: {error}") from error
    found = played.observations.reshape(*played.mask.shape, -1)
    # What the agents saw last would show what was done later, so the first difference is named, in
    # order of time.
    pairs: list[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]] = [
        ("who was there", played.mask[..., None], record.mask[..., None]),
        ("what was seen", found, record.observations),
        ("the reward", played.rewards[..., None], record.rewards[..., None]),
    ]
    for what, ours, theirs in pairs:
        if ours.shape != theirs.shape:
            raise ResultError(
                f"{result.world}: {what} has shape {ours.shape} here and {theirs.shape} in the "
                "record"
            )
        apart = (np.abs(ours.astype(np.float64) - theirs) > _TOLERANCE).any(axis=-1) & (
            played.mask | record.mask
        )
        if apart.any():
            b, t, n = (int(i) for i in np.argwhere(apart)[0])
            raise ResultError(
                f"{result.world} played again differs: {what}, episode {b}, step {t}, agent {n}; "
                "the record was changed, or this is another version of the world"
            )
    paid = [
        np.where(mask, rewards, 0.0).sum(axis=1, dtype=np.float64)  # (B, N)
        for mask, rewards in ((played.mask, played.rewards), (record.mask, record.rewards))
    ]
    if (np.abs(paid[0] - paid[1]) > _TOLERANCE * np.abs(paid[0]).clip(1.0)).any():
        raise ResultError(
            f"{result.world} played again differs: the sum of rewards over an episode; many small "
            "changes are a change"
        )
    lean = float(np.mean(paid[1] - paid[0]))
    if abs(lean) > _LEAN * max(1.0, float(np.abs(paid[0]).mean())):
        raise ResultError(
            f"{result.world} played again differs: rewards lie {lean:.2g} off on average, where "
            "rounding goes either way"
        )
    return int(record.mask.any(axis=2).sum())
