"""Tables of a population result from what the experimenter holds in author order.

Names come off here: a trajectory's id is a keyed hash whose key is a hash of all trajectories in
author order, and rows and slots are sorted by id. So the id names no one to who does not know the
order, and exporting twice gives the same.

Shape legend: B episodes, T time, N agents, K slots, J observers (1 where all are shown the same).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ShapeError
from mirrorenv.mirror import EpisodeBatch, Neighbourhood
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
    *,
    shown: Neighbourhood | None = None,
) -> dict[str, Table]:
    """`steps`, `trials`, `beliefs`, `labels` and, if there is any, `evidence` and
    `shown`.

    Args:
        record: the episodes, in author order, with actions as the world took them.
        world_seeds: (B,) what the world was reset with.
        evidence: stream -> (B, J, K, K) final evidence, rows and columns in the order of the agents
            shown, which are all N if `shown` is None.
        over_time: stream -> (B, T, J, K, K) evidence after every step.
        shown: which agents each observer was shown; None for everybody.

    Raises:
        ShapeError: if shapes disagree.
    """
    batch = len(record)
    agents = record.num_agents
    ids = opaque_ids(record)  # (B, N)
    everybody = np.broadcast_to(np.arange(agents), (batch, 1, agents))
    candidates = everybody if shown is None else shown.candidates  # (B, J, K)
    trajectories = np.take_along_axis(ids[:, None], candidates, axis=2)  # (B, J, K)
    slots = np.argsort(trajectories, axis=2)  # (B, J, K) candidate in each slot
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
        "trials": {"trial": np.arange(batch), "trajectories": np.sort(ids, axis=1)},
        "labels": {
            "trajectory": ids[episode, agent],
            "agent": agent,
            "trial": episode,
            "world_seed": np.asarray(world_seeds, np.uint64)[episode],
        },
        "beliefs": _read_by(evidence, slots, axis=2),
    }
    if shown is not None:
        observers = candidates.shape[1]
        trial, observer = np.divmod(np.arange(batch * observers), observers)
        tables["shown"] = {
            "trial": trial,
            "observer": observer,
            "trajectories": np.sort(trajectories, axis=2).reshape(len(trial), -1),
            "agents": candidates.reshape(len(trial), -1),
        }
    if over_time:
        # (B, J, T, K, K)
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
        if (
            batch != len(slots)
            or slots.shape[1] not in (1, observers)
            or held.shape[axis] != slots.shape[2]
        ):
            raise ShapeError(
                f"evidence of shape {held.shape} does not fit {slots.shape} trajectories"
            )
        place = slots.reshape(*slots.shape[:2], *(1,) * (axis - 2), slots.shape[2], 1)
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
