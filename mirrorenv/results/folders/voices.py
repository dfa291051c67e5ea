"""What the tables of a `preference` result say of each lineup: voices that read by their
likelihood, and the limit.

Two entries. The readers of the first are the voices, each of which knows its own likelihood and
no one else's; the one reader of the second is given everybody's, the exact limit.

Shape legend: B lineups, K = N slots and voices.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mirrorenv.errors import ResultError
from mirrorenv.results.folders.lineups import numbers, table_of
from mirrorenv.results.folders.rescore import reading_rows
from mirrorenv.results.folders.tables import Table

__all__ = ["LIMIT", "VOICES", "voice_rows"]

# entries
VOICES = 0
LIMIT = 1


def voice_rows(tables: Mapping[str, Table], seed: int) -> Table:
    """One row for each entry and lineup, sorted.

    Args:
        tables: `steps`, `trials`, `beliefs` and `labels` of the result.
        seed: of the run.

    Returns:
        `entry`, `seed`, `episode`, `hits` and `nats` as `reading_rows` computes them,
        each author being there once; `own`, for the voices, the share of the others' texts that a
        voice finds less likely than its own on the same topic, ties half, by the likelihoods in the
        limit's evidence; NaN for the limit.

    Raises:
        ResultError: if the tables do not fit together, or the limit has not read every lineup
            exactly once.
    """
    rows = reading_rows(tables, seed, "marginals")
    own = _own(tables)
    episodes, entries = (np.asarray(rows[name]) for name in ("episode", "entry"))
    if own.keys() != set(episodes[entries == VOICES].tolist()):
        raise ResultError("trials: the limit must have read every lineup exactly once")
    voices = [
        own[episode] if entry == VOICES else np.nan
        for entry, episode in zip(entries, episodes, strict=True)
    ]
    return {**rows, "own": np.array(voices)}


def _own(tables: Mapping[str, Table]) -> dict[int, float]:
    """Lineup -> share of others' texts below one's own, mean over voices."""
    trials, beliefs, labels = (table_of(tables, stem) for stem in ("trials", "beliefs", "labels"))
    agents = dict(
        zip(
            numbers(labels, "labels", "trajectory", 1).tolist(),
            numbers(labels, "labels", "agent", 1).tolist(),
            strict=True,
        )
    )
    read = numbers(beliefs, "beliefs", "trial", 1)
    evidence = numbers(beliefs, "beliefs", "evidence", 3)
    found: dict[int, float] = {}
    mine = numbers(trials, "trials", "entry", 1) == LIMIT
    columns = [
        numbers(trials, "trials", name, ndim)[mine]
        for name, ndim in (("trial", 1), ("episode", 1), ("trajectories", 2))
    ]
    for trial, episode, shown in zip(*columns, strict=True):
        (row,) = np.flatnonzero(read == trial)
        slots = np.argsort([agents[one] for one in shown.tolist()])
        # (K, N): text of author k under voice n
        likelihood = evidence[row][slots].astype(np.float64)
        margin = np.diagonal(likelihood)[None] - likelihood  # own minus other, by voice
        others = ~np.eye(len(likelihood), dtype=bool)
        if int(episode) in found:
            raise ResultError("trials: the limit must have read every lineup exactly once")
        found[int(episode)] = float(((margin > 0) + 0.5 * (margin == 0))[others].mean())
    return found
