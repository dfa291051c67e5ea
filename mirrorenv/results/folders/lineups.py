"""Who stood where in the lineups of a population result, from its tables.

All observers are shown everybody, unless there is a table `shown`: then each was shown some
agents of its episode only, and the columns of its evidence stand for these.

Shape legend: B episodes, T time, N agents, J observers (1 where all are shown the same), K slots.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ResultError
from mirrorenv.mirror import EpisodeBatch
from mirrorenv.results.folders.tables import Column, Table, num_rows

__all__ = [
    "Lineups",
    "Shown",
    "Tables",
    "find_rows",
    "lineups",
    "numbers",
    "recorded_episodes",
    "shown_lineups",
    "table_of",
]

Tables = Mapping[str, Table]


class Lineups(NamedTuple):
    """The episodes of a population result, each with all of its trajectories.

    Attributes:
        trials: (B,) ids, rising.
        truth: (B, N) the author of each trajectory.
        place: (B, N) row of each trajectory in `steps`.
    """

    trials: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]


class Shown(NamedTuple):
    """What observers were shown of every episode.

    Attributes:
        candidates: (B, J, K) the agents that the columns of evidence stand for, ascending.
        truth: (B, J, K) the column of each slot's author.
        place: (B, J, K) row of each slot's trajectory in `steps`.
    """

    candidates: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    place: npt.NDArray[np.int64]


def numbers(table: Table, stem: str, name: str, ndim: int) -> npt.NDArray[Any]:
    """A column of numbers with that many axes.

    Args:
        table: a table that was read.
        stem: its name, for errors.
        name: of the column.
        ndim: axes, the row's among them.

    Raises:
        ResultError: if there is no such column.
    """
    column: Column | None = table.get(name)
    if not isinstance(column, np.ndarray) or column.ndim != ndim:
        raise ResultError(f"the table '{stem}' needs a column '{name}' of numbers with {ndim} axes")
    return column


def table_of(tables: Tables, stem: str) -> Table:
    """A table by name.

    Raises:
        ResultError: if the folder does not hold it.
    """
    if stem not in tables:
        raise ResultError(
            f"the folder has no table '{stem}', without which its scores cannot be recomputed"
        )
    return tables[stem]


def lineups(tables: Tables) -> Lineups:
    """Who stood where, from `trials`, `labels` and `steps`.

    Raises:
        ResultError: if an id is missing or there twice, or a lineup does not show every agent of
            one episode once.
    """
    trials, labels, steps = (table_of(tables, stem) for stem in ("trials", "labels", "steps"))
    ids = numbers(trials, "trials", "trial", 1)  # (B,)
    shown = numbers(trials, "trials", "trajectories", 2)  # (B, K)
    order = np.argsort(ids, kind="stable")
    ids = ids[order].astype(np.int64)
    shown = shown[order]
    if len(np.unique(ids)) != len(ids):
        raise ResultError("trials: a trial is there twice")
    known = numbers(labels, "labels", "trajectory", 1)
    place = find_rows("steps", numbers(steps, "steps", "trajectory", 1), shown)
    label = find_rows("labels", known, shown)  # (B, K)
    truth = numbers(labels, "labels", "agent", 1)[label].astype(np.int64)
    if not (np.sort(truth, axis=1) == np.arange(shown.shape[1])).all():
        raise ResultError("labels: a lineup does not show every agent once")
    if not (numbers(labels, "labels", "trial", 1)[label] == ids[:, None]).all():
        raise ResultError("labels: a lineup shows a trajectory of another episode")
    if len(known) != shown.size or num_rows(steps) != shown.size:
        raise ResultError(
            "steps and labels must hold exactly the trajectories that the lineups show"
        )
    return Lineups(ids, truth, place)


def find_rows(
    stem: str, known: npt.NDArray[Any], wanted: npt.NDArray[Any]
) -> npt.NDArray[np.int64]:
    """Where ids stand.

    Args:
        stem: the table's name, for messages.
        known: (R,) ids, each once.
        wanted: ids to find.

    Returns:
        their rows in `known`.

    Raises:
        ResultError: if an id is there twice or not at all.
    """
    if not len(known):
        raise ResultError(f"{stem}: the table has no row")
    order = np.argsort(known, kind="stable")
    held = known[order]
    if (held[1:] == held[:-1]).any():
        raise ResultError(f"{stem}: a trajectory id is there twice")
    at = np.searchsorted(held, wanted).clip(max=len(held) - 1)
    if (held[at] != wanted).any():
        raise ResultError(f"{stem}: a trajectory that a lineup shows is missing")
    found: npt.NDArray[np.int64] = order[at]
    return found


def shown_lineups(tables: Tables, seen: Lineups) -> Shown:
    """What each observer was shown: everybody, or what the table `shown` says.

    Raises:
        ResultError: if an observer of an episode is missing or there twice, it is shown a
            trajectory of another episode, or the agents it was told are not the authors.
    """
    if "shown" not in tables:
        everybody = np.broadcast_to(np.arange(seen.truth.shape[1]), seen.truth.shape)
        return Shown(everybody[:, None], seen.truth[:, None], seen.place[:, None])
    table = tables["shown"]
    trial, observer = (
        numbers(table, "shown", name, 1).astype(np.int64) for name in ("trial", "observer")
    )
    order = np.lexsort((observer, trial))
    batch, agents = seen.truth.shape
    expected = np.repeat(seen.trials, agents), np.tile(np.arange(agents), batch)
    if len(order) != batch * agents or (np.stack([trial, observer])[:, order] != expected).any():
        raise ResultError("shown: every agent must be an observer of every episode exactly once")
    candidates = numbers(table, "shown", "agents", 2)[order].astype(np.int64)  # (B * N, K)
    trajectories = numbers(table, "shown", "trajectories", 2)[order]
    if candidates.shape != trajectories.shape or (np.diff(candidates, axis=1) <= 0).any():
        raise ResultError(
            "shown: the columns 'agents', ascending, and 'trajectories' must be of one shape"
        )
    steps, labels = (table_of(tables, stem) for stem in ("steps", "labels"))
    label = find_rows("labels", numbers(labels, "labels", "trajectory", 1), trajectories)
    if (numbers(labels, "labels", "trial", 1)[label] != trial[order, None]).any():
        raise ResultError("shown: an observer is shown a trajectory of another episode")
    author = numbers(labels, "labels", "agent", 1)[label].astype(np.int64)  # (B * N, K)
    if (np.sort(author, axis=1) != candidates).any():
        raise ResultError("shown: the agents that an observer was told are not those it was shown")
    truth = (author[:, :, None] == candidates[:, None, :]).argmax(axis=2)
    place = find_rows("steps", numbers(steps, "steps", "trajectory", 1), trajectories)
    shape = (batch, agents, candidates.shape[1])
    return Shown(candidates.reshape(shape), truth.reshape(shape), place.reshape(shape))


def recorded_episodes(tables: Tables, seen: Lineups) -> EpisodeBatch:
    """The record in author order: observations (B, T, N, D), actions, rewards and mask."""
    steps = table_of(tables, "steps")
    slot_of = np.argsort(seen.truth, axis=1)  # (B, N) slot of each agent
    rows = np.take_along_axis(seen.place, slot_of, axis=1)  # (B, N) row of each agent
    lengths = numbers(steps, "steps", "length", 1)[rows]  # (B, N)
    rewards = np.moveaxis(numbers(steps, "steps", "rewards", 2)[rows], 2, 1)  # (B, T, N)
    actions = steps["actions"]
    if not isinstance(actions, np.ndarray) or actions.ndim not in (2, 3):
        raise ResultError("the table 'steps' needs a column 'actions' of numbers with 2 or 3 axes")
    return EpisodeBatch(
        # (B, T, N, D)
        observations=np.moveaxis(numbers(steps, "steps", "observations", 3)[rows], 2, 1),
        actions=np.moveaxis(actions[rows], 2, 1),
        rewards=rewards,
        mask=np.arange(rewards.shape[1])[:, None] < lengths[:, None, :],
    )
