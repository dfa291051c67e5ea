"""Arrays by name, as an npz file or a program holds them, and episodes of RLlib.

Shape legend: R rows, T time, B copies or episodes, N agents, D numbers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from mirrorenv.errors import LogError
from mirrorenv.instrument.doors.table import Place, Rows
from mirrorenv.mirror.arrays import AnyArray, Ints64

__all__ = ["AgentEpisode", "TeamEpisode", "array_rows", "rllib_rows"]

_STARTS = ("episode_starts", "dones", "terminals")


@runtime_checkable
class AgentEpisode(Protocol):
    """What is asked of an RLlib `SingleAgentEpisode`."""

    def get_observations(self) -> AnyArray:
        """(T + 1, ...) what was seen, the last one included."""
        ...

    def get_actions(self) -> AnyArray:
        """(T, ...) what was done."""
        ...


@runtime_checkable
class TeamEpisode(Protocol):
    """What is asked of an RLlib `MultiAgentEpisode`."""

    id_: str
    agent_episodes: Mapping[str, AgentEpisode]


def array_rows(arrays: Mapping[str, AnyArray], file: str) -> Rows:
    """Arrays as a table.

    Either all share their first axis, which counts rows; or all share two, steps and copies (T, B),
    as the rollouts of Stable-Baselines3, with `episode_starts` or `dones`; or episodes, steps and
    agents (B, T, N) with a `mask` of the steps that happened, as this package holds them. Arrays of
    no axes are passed over.

    Args:
        arrays: by name.
        file: what holds them, for errors.

    Raises:
        LogError: if their axes differ.
    """
    held = {name: np.asarray(array) for name, array in arrays.items() if np.ndim(array)}
    mask = held.get("mask")
    if mask is not None and mask.ndim == 3:
        return _lineups(held, mask.astype(bool), file)
    starts = next((held[name] for name in _STARTS if name in held), None)
    if starts is not None and starts.ndim == 2:
        return _copies(held, starts, file)
    return _rows(held, file)


def _rows(held: Mapping[str, AnyArray], file: str) -> Rows:
    lengths = {name: len(array) for name, array in held.items()}
    if not held or len(set(lengths.values())) > 1:
        raise LogError(
            f"{file}: its arrays must have one row for each step, and their lengths differ: "
            f"{str(lengths)[:300]}"
        )
    columns: dict[str, AnyArray] = {}
    for name, array in held.items():
        if array.dtype.kind in "US":
            columns[name] = array.astype(str).astype(object).reshape(len(array), -1)[:, 0]
        elif array.dtype.kind in "biuf":
            flat = array.reshape(len(array), -1).astype(np.float64)
            columns[name] = flat[:, 0] if array.ndim == 1 else flat
        else:
            raise LogError(f"{file}: '{name[:80]}' holds {array.dtype}, neither numbers nor texts")
    return Rows(columns, Place(file))


def _copies(held: Mapping[str, AnyArray], starts: AnyArray, file: str) -> Rows:
    """(T, B, ...): one copy after another, episodes cut where one starts."""
    steps, copies = starts.shape
    begins = starts.astype(bool)
    if "episode_starts" not in held:  # the step after a finished one
        begins = np.concatenate([np.ones((1, copies), bool), begins[:-1]])
    begins[0] = True
    cut: dict[str, AnyArray] = {}
    for name, array in held.items():
        if array.shape[:2] == (steps, copies):
            cut[name] = np.swapaxes(array, 0, 1).reshape(steps * copies, *array.shape[2:])
        elif array.shape == (copies,):
            cut[name] = np.repeat(array, steps)
        else:
            raise LogError(
                f"{file}: '{name[:80]}' is {array.shape}, and the steps of all copies are "
                f"({steps}, {copies}, ...)"
            )
    cut.setdefault("episode", begins.T.reshape(-1).cumsum())
    cut.setdefault("step", np.tile(np.arange(steps), copies))
    return _rows(cut, file)


def _lineups(held: Mapping[str, AnyArray], mask: AnyArray, file: str) -> Rows:
    """(B, T, N, ...) of which the mask says what happened."""
    episode, step, agent = np.nonzero(mask)
    cut: dict[str, AnyArray] = {"episode": episode, "step": step, "agent": agent}
    for name, array in held.items():
        if name == "mask":
            continue
        if array.shape[:3] != mask.shape:
            raise LogError(f"{file}: '{name[:80]}' is {array.shape}, and the mask is {mask.shape}")
        cut[name] = array[episode, step, agent]
    return _rows(cut, file)


def rllib_rows(episodes: Iterable[TeamEpisode | AgentEpisode]) -> Rows:
    """Episodes as RLlib's environment runners return them; RLlib is not needed.

    Args:
        episodes: of several agents, or of one.

    Raises:
        LogError: if one is neither.
    """
    parts: list[dict[str, AnyArray]] = []
    for number, episode in enumerate(episodes):
        if isinstance(episode, TeamEpisode):
            for agent, own in episode.agent_episodes.items():
                parts.append(_agent_rows(own, str(agent), number))
        elif isinstance(episode, AgentEpisode):
            parts.append(_agent_rows(episode, "agent", number))
        else:
            raise LogError(f"episode {number} is a {type(episode).__name__}, none of RLlib's")
    if not parts:
        raise LogError("there are no episodes")
    columns: dict[str, AnyArray] = {}
    for name in parts[0]:
        columns[name] = np.concatenate([part[name] for part in parts])
    return Rows(columns, Place("the episodes"))


def _agent_rows(episode: AgentEpisode, agent: str, number: int) -> dict[str, AnyArray]:
    actions = np.asarray(episode.get_actions())
    steps = len(actions)
    seen = np.asarray(episode.get_observations())[:steps].reshape(steps, -1)
    index: Ints64 = np.arange(steps)
    return {
        "agent": np.full(steps, agent, object),
        "episode": np.full(steps, float(number)),
        "step": index.astype(np.float64),
        "observation": seen.astype(np.float64),
        "action": actions.astype(np.float64),
    }
