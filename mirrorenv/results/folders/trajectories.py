"""Tables of a population result from what the experimenter holds in author order.

Names come off here: a trajectory's id is a keyed hash whose key is a hash of all trajectories in
author order, and rows and slots are sorted by id. So the id names no one to who does not know the
order, and exporting twice gives the same.

Shape legend: B episodes, T time, N agents, K = N slots, J observers.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ShapeError
from mirrorenv.mirror import EpisodeBatch
from mirrorenv.results.folders.tables import Table

__all__ = ["opaque_ids", "population_tables"]

Floats = npt.NDArray[np.floating]


def opaque_ids(record: EpisodeBatch) -> npt.NDArray[np.uint64]:
    """(B, N) an id for each trajectory, different from all others."""
    key = blake2b(digest_size=32)
    for array in (record.observations, record.actions, record.rewards, record.mask):
        key.update(np.ascontiguousarray(array).tobytes())
    shape = (len(record), record.num_agents)
    ids = np.array(
        [_id(key.digest(), number) for number in range(len(record) * record.num_agents)], np.uint64
    )
    if len(np.unique(ids)) != len(ids):
        # probability 2**-64 for each pair
        raise ShapeError("two trajectories drew the same id; leave out an episode")
    return ids.reshape(shape)


def _id(key: bytes, number: int) -> int:
    return int.from_bytes(
        blake2b(number.to_bytes(8, "little"), key=key, digest_size=8).digest(), "little"
    )


def population_tables(
    record: EpisodeBatch,
    world_seeds: npt.ArrayLike,
    evidence: Mapping[str, Floats],
    over_time: Mapping[str, Floats] | None = None,
) -> dict[str, Table]:
    """``steps``, ``trials``, ``beliefs``, ``labels`` and, if there is any, ``evidence``.

    Args:
        record: the episodes, in author order, with actions as the world took them.
        world_seeds: (B,) what the world was reset with.
        evidence: stream -> (B, J, N, N) final evidence, row n for the trajectory of agent n.
        over_time: stream -> (B, T, J, N, N) evidence after every step.

    Raises:
        ShapeError: if shapes disagree.
    """
    batch = len(record)
    agents = record.num_agents
    ids = opaque_ids(record)  # (B, N)
    slots = np.argsort(ids, axis=1)  # (B, K) agent in each slot
    shown = np.take_along_axis(ids, slots, axis=1)  # (B, K)
    order = np.argsort(ids.reshape(-1))  # rows of steps and labels
    episode, agent = np.divmod(order, agents)
    # what a finished agent shows or is told to do is no part of its trajectory
    alive = record.mask[..., None]
    # (B, T, N, D)
    observations = np.where(alive, record.observations.reshape(*record.mask.shape, -1), 0)
    actions = np.where(alive if record.actions.ndim == 4 else record.mask, record.actions, 0)
    tables: dict[str, Table] = {
        "steps": {
            "trajectory": ids[episode, agent],
            "length": record.lengths[episode, agent],
            "observations": observations[episode, :, agent].astype(record.observations.dtype),
            "actions": actions[episode, :, agent].astype(record.actions.dtype),
            "rewards": np.where(record.mask, record.rewards, 0)[episode, :, agent].astype(
                record.rewards.dtype
            ),
        },
        "trials": {"trial": np.arange(batch), "trajectories": shown},
        "labels": {
            "trajectory": ids[episode, agent],
            "agent": agent,
            "trial": episode,
            "world_seed": np.asarray(world_seeds, np.uint64)[episode],
        },
        "beliefs": _read_by(evidence, slots, axis=2),
    }
    if over_time:
        # (B, J, T, N, N)
        moved = {name: np.moveaxis(values, 1, 2) for name, values in over_time.items()}
        streams = list(evidence)
        tables["evidence"] = _read_by(
            moved, slots, axis=3, numbers=[streams.index(name) for name in moved]
        )
    return tables


def _read_by(
    streams: Mapping[str, Floats],
    slots: npt.NDArray[np.int64],
    axis: int,
    numbers: list[int] | None = None,
) -> Table:
    """Rows (stream, trial, observer) with the evidence in slot order."""
    parts: list[tuple[npt.NDArray[np.int64], ...]] = []
    values = []
    for index, held in enumerate(streams.values()):
        batch, observers = held.shape[:2]
        if batch != len(slots) or held.shape[axis] != slots.shape[1]:
            raise ShapeError(
                f"evidence of shape {held.shape} does not fit {slots.shape} trajectories"
            )
        place = slots.reshape(batch, *(1,) * (axis - 1), slots.shape[1], 1)
        values.append(
            np.take_along_axis(held, place, axis=axis).reshape(batch * observers, *held.shape[2:])
        )
        number = index if numbers is None else numbers[index]
        trial, observer = np.divmod(np.arange(batch * observers), observers)
        parts.append((np.full(len(trial), number), trial, observer))
    stream, trial, observer = (np.concatenate(column) for column in zip(*parts, strict=True))
    return {
        "stream": stream,
        "trial": trial,
        "observer": observer,
        "evidence": np.concatenate(values),
    }
