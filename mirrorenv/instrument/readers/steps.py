"""Readers of steps: actions, what follows what, what is done where, where an agent is, how long.

Shape legend: S steps, M trajectories, D observation columns, A action columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.cluster.vq import kmeans2, vq
from scipy.sparse import coo_array

from mirrorenv.instrument.readers.base import Counted
from mirrorenv.instrument.record import StepRecord
from mirrorenv.mirror.arrays import AnyArray, Floats32, Ints64

__all__ = [
    "Symbols",
    "column_readers",
    "first_glance",
    "naming_columns",
    "step_readers",
    "symbols_of",
]

BINS = 16
"""Into which a number is put, by quantiles of all agents together."""
PLACES = 48
"""Kinds of observations that actions are counted in."""
_SAMPLE = 20_000
_PAIRS = 64  # joint actions up to which what follows what is counted


@dataclass(frozen=True, eq=False)
class Symbols:
    """The steps as whole numbers.

    Args:
        actions: (S, A) int64, each column from 0 to `sizes` - 1.
        sizes: (A,) symbols of each action column.
        seen: (S, D) int64 bins of each observation column.
        place: (S,) int64 kind of observation; all 0 if there are no observations.
    """

    actions: Ints64  # (S, A)
    sizes: tuple[int, ...]
    seen: Ints64  # (S, D)
    place: Ints64  # (S,)


def symbols_of(record: StepRecord, seed: int = 0) -> Symbols:
    """The steps as whole numbers. No name is looked at.

    Args:
        record: S steps.
        seed: of the kinds of observations, which are means of a sample (k-means).
    """
    actions = np.zeros(record.actions.shape, np.int64)
    sizes = []
    for column, choices in enumerate(record.choices):
        values = record.actions[:, column]
        actions[:, column] = values if choices else _bins(values)
        sizes.append(choices or BINS)
    seen = np.zeros(record.observations.shape, np.int64)
    for column in range(len(record.columns)):
        seen[:, column] = _bins(record.observations[:, column])
    return Symbols(actions, tuple(sizes), seen, _places(record.observations, seed))


def step_readers(record: StepRecord, symbols: Symbols) -> list[Counted]:
    """The readers of steps that this log has something for."""
    found = []
    if symbols.sizes:
        found.append(_by_place(record, symbols, np.zeros_like(symbols.place), "actions", "actions"))
        found += _after(record, symbols)
    if symbols.sizes and symbols.place.any():
        found.append(
            _by_place(record, symbols, symbols.place, "actions_where", "actions in each place")
        )
    if symbols.place.any():
        found.append(_table(record, "places", "what is seen", symbols.place[:, None], (PLACES,)))
        found.append(
            _table(
                record,
                "columns",
                "each number seen",
                symbols.seen,
                (BINS,) * symbols.seen.shape[1],
            )
        )
    lengths = np.rint(4 * np.log2(record.lengths() + 1.0)).astype(np.int64)
    if np.ptp(lengths):
        found.append(_lengths(lengths))
    return found


def column_readers(record: StepRecord, symbols: Symbols) -> list[Counted]:
    """One reader for each column of the log, by its name: which part tells."""
    found = []
    for name, column, size in zip(
        record.action_columns, symbols.actions.T, symbols.sizes, strict=True
    ):
        found.append(_table(record, name, f"action {name}", column[:, None], (size,)))
    for name, column in zip(record.columns, symbols.seen.T, strict=True):
        found.append(_table(record, name, f"observation {name}", column[:, None], (BINS,)))
    return found


def first_glance(record: StepRecord, symbols: Symbols) -> Counted | None:
    """What is seen before anything was done: what it tells the world gives away, not the agent."""
    if not symbols.place.any():
        return None
    first = record.firsts()
    cells = np.concatenate([symbols.seen[first], symbols.place[first, None]], axis=1)
    sizes = (BINS,) * symbols.seen.shape[1] + (PLACES,)
    return _count("first_glance", "the first observation", np.arange(len(first)), cells, sizes)


def naming_columns(record: StepRecord) -> list[str]:
    """Observation columns that stay the same in a trajectory and differ for every agent."""
    first = record.firsts()
    agent = record.lineups.agent
    found = []
    for name, column in zip(record.columns, record.observations.T, strict=True):
        start = column[first]  # (M,)
        if not np.array_equal(start[record.trajectory], column):
            continue
        pairs = np.unique(np.stack([agent, start]), axis=1)
        values = len(np.unique(start))
        if pairs.shape[1] == values == record.lineups.num_agents:
            found.append(name)
    return found


def _table(
    record: StepRecord, name: str, part: str, cells: Ints64, sizes: tuple[int, ...]
) -> Counted:
    return _count(name, part, record.trajectory, cells, sizes, len(record.lineups.agent))


def _by_place(record: StepRecord, symbols: Symbols, place: Ints64, name: str, part: str) -> Counted:
    """Action columns, each with a law of its own for each kind of observation."""
    kinds = int(place.max()) + 1
    sizes = np.repeat(symbols.sizes, kinds)
    block = np.arange(len(symbols.sizes)) * kinds + place[:, None]  # (S, A)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    return _sparse(
        name,
        part,
        record.trajectory,
        starts[block] + symbols.actions,
        sizes,
        len(record.lineups.agent),
    )


def _after(record: StepRecord, symbols: Symbols) -> list[Counted]:
    """What follows what: the joint action, given the one before."""
    joint = int(np.prod(symbols.sizes))
    if joint > _PAIRS:
        return []
    together = np.zeros(len(symbols.actions), np.int64)
    for column, size in enumerate(symbols.sizes):
        together = together * size + symbols.actions[:, column]
    goes_on = record.trajectory[1:] == record.trajectory[:-1]
    cells = (together[:-1] * joint + together[1:])[goes_on]
    if not len(cells):
        return []
    return [
        _sparse(
            "after",
            "which action follows which",
            record.trajectory[1:][goes_on],
            cells[:, None],
            np.full(joint, joint),
            len(record.lineups.agent),
        )
    ]


def _lengths(lengths: Ints64) -> Counted:
    known = np.unique(lengths, return_inverse=True)[1].reshape(-1, 1)
    return _count(
        "length", "how long it is", np.arange(len(lengths)), known, (int(known.max()) + 1,)
    )


def _count(
    name: str,
    part: str,
    owner: Ints64,
    cells: Ints64,
    sizes: tuple[int, ...],
    rows: int | None = None,
) -> Counted:
    """Columns of symbols, each a block of its own."""
    starts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    return _sparse(name, part, owner, cells + starts, np.asarray(sizes), rows or len(cells))


def _sparse(
    name: str, part: str, owner: Ints64, cells: Ints64, sizes: Ints64, rows: int
) -> Counted:
    """Args: owner (S,), cells (S, L) with numbers below the sum of the blocks' sizes."""
    flat = cells.reshape(-1)
    owners = np.repeat(owner, cells.shape[1])
    width = int(sizes.sum())
    counts = coo_array((np.ones(len(flat)), (owners, flat)), (rows, width)).tocsr()
    counts.sum_duplicates()
    return Counted(name, part, counts, np.repeat(np.arange(len(sizes)), sizes))


def _bins(values: AnyArray) -> Ints64:
    """(S,) which of the quantiles of a sample a number lies in; equal numbers lie together."""
    sample = values[:: max(1, len(values) // _SAMPLE)]
    edges = np.unique(np.quantile(sample, np.arange(1, BINS) / BINS))
    return np.searchsorted(edges, values, side="right")


def _places(observations: Floats32, seed: int) -> Ints64:
    """(S,) the nearest of at most PLACES means of standardised observations."""
    if not observations.shape[1]:
        return np.zeros(len(observations), np.int64)
    mean = observations.mean(0, dtype=np.float64)
    spread = observations.std(0, dtype=np.float64)
    scaled = ((observations - mean) / np.where(spread > 0, spread, 1.0)).astype(np.float32)
    sample = scaled[:: max(1, len(scaled) // _SAMPLE)]
    different = np.unique(sample, axis=0)
    if len(different) <= PLACES:
        means = different
    else:
        means, _ = kmeans2(sample, PLACES, iter=12, minit="++", rng=np.random.default_rng(seed))
    place: Ints64 = vq(scaled, means)[0].astype(np.int64)
    return place
