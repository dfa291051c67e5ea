"""Every score of a result folder, computed from its tables. Writing and verifying a folder are the
same computation.

| table | a row is | columns |
|---|---|---|
| `steps` | a trajectory | `trajectory` (id), `length`, `observations` (T, D), `actions`,
`rewards` (T,) |
| `trials` | a lineup | `trial`, `trajectories` (K,) ids in the order shown |
| `shown` | what one observer was shown, if not everybody | `trial`, `observer`,
`trajectories` (K,) ids in the order shown, `agents` (K,) for which the columns of its evidence
stand |
| `beliefs` | what one observer made of a lineup | `trial`, `stream`, `observer`,
`evidence` (K, N) |
| `evidence` | the same after every step | `trial`, `stream`, `observer`, `evidence` (T,
K, N) |
| `labels` | a trajectory | `trajectory`, `agent`, `trial`, `world_seed` |
| `episodes` | one draw of the figures | `entry`, `seed`, `episode` and a column for each
figure |

`labels` is a file of its own so that trajectories and lineups can be shared without it.

Shape legend: B episodes (one lineup each, or one for each observer), T time, N agents, K slots (K =
N where everybody is shown), J observers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ResultError
from mirrorenv.mirror import (
    Belief,
    Decode,
    Estimate,
    rate_interval,
    score_belief,
    t_interval,
)
from mirrorenv.mirror.score import episode_information
from mirrorenv.mirror.verdicts import of_true_author, row_verdicts
from mirrorenv.results.folders.lineups import (
    Shown,
    Tables,
    find_rows,
    lineups,
    numbers,
    recorded_episodes,
    shown_lineups,
    table_of,
)
from mirrorenv.results.folders.schema import Reader, Result
from mirrorenv.results.folders.tables import Table

__all__ = [
    "Scores",
    "episode_rows",
    "reading_rows",
    "scores_of",
    "scores_to_json",
    "stream_belief",
]

Scores = dict[tuple[int, int], dict[str, Estimate | None]]
"""(entry, seed) -> figure -> value with its interval over the episodes of that seed; None where it
is undefined."""


def _evidence(
    tables: Tables, stem: str, stream: int, trials: npt.NDArray[np.int64]
) -> npt.NDArray[Any] | None:
    """(B, J, K, N) or (B, J, T, K, N) evidence of one stream; None if the table has none of it."""
    if stem not in tables:
        return None
    table = tables[stem]
    mine = numbers(table, stem, "stream", 1) == stream
    if not mine.any():
        return None
    trial, observer = (
        numbers(table, stem, name, 1)[mine].astype(np.int64) for name in ("trial", "observer")
    )
    order = np.lexsort((observer, trial))
    observers = len(order) // len(trials)
    expected = np.repeat(trials, observers), np.tile(np.arange(observers), len(trials))
    if (
        len(order) % len(trials)
        or (trial[order] != expected[0]).any()
        or (observer[order] != expected[1]).any()
    ):
        raise ResultError(f"{stem}: every observer must have read every lineup exactly once")
    values = numbers(table, stem, "evidence", 3 if stem == "beliefs" else 4)[mine][order]
    by_observer: npt.NDArray[Any] = values.reshape(len(trials), observers, *values.shape[1:])
    return by_observer


def stream_belief(
    result: Result, tables: Tables, stream: str, trials: npt.NDArray[np.int64]
) -> Belief:
    """Final evidence of a stream, (B, J, K, N).

    Args:
        result: what was sent.
        tables: its tables.
        stream: one of its streams.
        trials: (B,) ids of the lineups.

    Raises:
        ResultError: if there is none, or an observer or a lineup is missing.
    """
    values = _evidence(tables, "beliefs", result.streams.index(stream), trials)
    if values is None:
        raise ResultError(f"beliefs: nothing of the stream '{stream}'")
    return Belief(values.astype(np.float64))


def _truth(shown: Shown, belief: Belief) -> npt.NDArray[np.int64]:
    shape = belief.evidence.shape[:-1]  # (B, J, K)
    if shown.truth.shape[1] not in (1, shape[1]) or shown.truth.shape[2] != shape[2]:
        raise ResultError(
            f"beliefs: evidence of {shape[1]} observers about {shape[2]} slots does not fit what "
            f"they were shown, {shown.truth.shape[1:]}"
        )
    return np.broadcast_to(shown.truth, shape)


def episode_rows(result: Result, tables: Tables) -> Table:
    """`episodes` of a population result: the return, and nats and top-1 of each reader, one row
    an episode."""
    seen = lineups(tables)
    shown = shown_lineups(tables, seen)
    record = recorded_episodes(tables, seen)
    rows: Table = {
        "entry": np.zeros(len(seen.trials), np.int64),
        "seed": np.full(len(seen.trials), result.seeds[0], np.int64),
        "episode": seen.trials,
        "length": record.mask.any(axis=2).sum(axis=1).astype(np.int64),
        "return": record.returns().mean(axis=1),
    }
    for reader in result.readers:
        belief = stream_belief(result, tables, reader.stream, seen.trials)
        logs = belief.log_belief(reader.decode)
        truth = _truth(shown, belief)
        rows[f"{reader.name}.nats"] = episode_information(logs, truth)
        rows[f"{reader.name}.credit"] = of_true_author(row_verdicts(logs), truth).mean(axis=(1, 2))
    return rows


def scores_of(result: Result, tables: Tables) -> Scores:
    """Every figure of every entry and seed, with intervals over the episodes of that seed.

    Raises:
        ResultError: if a table or a column is missing, or a seed has no row.
    """
    rows = table_of(tables, "episodes")
    entry, seed = (numbers(rows, "episodes", name, 1) for name in ("entry", "seed"))
    scores: Scores = {}
    for number in range(len(result.entries)):
        for one in result.seeds:
            mine = (entry == number) & (seed == one)
            if not mine.any():
                raise ResultError(
                    f"episodes: no row of seed {one} of '{result.entries[number].condition}'"
                )
            scores[number, one] = {
                figure.name: _mean(numbers(rows, "episodes", figure.name, 1)[mine], figure.share)
                for figure in result.figures
                if figure.of == "rows"
            }
    if (covered := sum(int(((entry == e) & (seed == s)).sum()) for e, s in scores)) != len(entry):
        raise ResultError(
            f"episodes: {len(entry) - covered} rows belong to no entry and seed of result.json"
        )
    if any(figure.of == "belief" for figure in result.figures):
        scores[0, result.seeds[0]] |= _belief_scores(result, tables)
    return scores


def _mean(values: npt.NDArray[Any], share: bool) -> Estimate | None:
    """Mean with its interval over episodes; None without a number, and infinite where the one draw
    is."""
    known = values[~np.isnan(values)].astype(np.float64)
    if not len(known):
        return None
    if not np.isfinite(known).all():
        return Estimate(float(known.mean()), -np.inf, np.inf, len(known), "not finite")
    return rate_interval(known) if share and len(known) > 1 else t_interval(known)


def _belief_scores(result: Result, tables: Tables) -> dict[str, Estimate | None]:
    if len(result.entries) != 1 or len(result.seeds) != 1:
        raise ResultError(
            "scores of beliefs are of one entry and one seed; write a folder for each seed"
        )
    seen = lineups(tables)
    shown = shown_lineups(tables, seen)
    wanted = {figure.name for figure in result.figures if figure.of == "belief"}
    found: dict[str, Estimate | None] = {}
    for reader in result.readers:
        score = _score(result, tables, seen.trials, shown, reader)
        found |= {
            f"{reader.name}.{name}": value
            for name, value in vars(score).items()
            if name != "undefined"
        }
    if missing := sorted(wanted - found.keys()):
        raise ResultError(f"result.json asks for '{missing[0]}', which is no score of a reader")
    return {name: found[name] for name in sorted(wanted)}


def _score(
    result: Result,
    tables: Tables,
    trials: npt.NDArray[np.int64],
    shown: Shown,
    reader: Reader,
) -> Any:
    belief = stream_belief(result, tables, reader.stream, trials)
    truth = _truth(shown, belief)
    over_time = _evidence(tables, "evidence", result.streams.index(reader.stream), trials)
    options: dict[str, Any] = {}
    if over_time is not None:  # (B, J, T, K, N)
        lengths = numbers(table_of(tables, "steps"), "steps", "length", 1)[shown.place]  # (B, J, K)
        options["evidence_over_time"] = np.moveaxis(over_time, 2, 1).astype(np.float64)
        # (B, T, J, K)
        options["mask"] = np.arange(over_time.shape[2])[:, None, None] < lengths[:, None]
    if reader.limit is not None:
        limit = stream_belief(result, tables, reader.limit, trials)
        options["limit_information"] = episode_information(
            limit.log_belief("marginals"), _truth(shown, limit)
        )
    return score_belief(belief, truth, decode=reader.decode, **options)


def scores_to_json(result: Result, scores: Scores) -> dict[str, Any]:
    """The object that is written to `scores.json`; what is undefined or infinite becomes null."""
    return {
        "interval": "95 %, over the episodes of one seed: it says nothing about another seed",
        "scores": [
            {
                "condition": result.entries[entry].condition,
                "agents": result.entries[entry].agents,
                "seed": seed,
                "figures": _figures_to_json(figures),
            }
            for (entry, seed), figures in scores.items()
        ],
    }


def _figures_to_json(figures: Mapping[str, Estimate | None]) -> dict[str, Any]:
    return {name: _plain(one) for name, one in figures.items()}


def _plain(one: Estimate | None) -> dict[str, Any] | None:
    return None if one is None else {**one.to_dict(), "episodes": one.n, "method": one.method}


def reading_rows(tables: Tables, seed: int, decode: Decode = "independent") -> Table:
    """What lineups, beliefs and labels of a debate say of each reader in each game: one row a pair,
    sorted.

    Args:
        tables: of the result.
        seed: of the run.
        decode: how evidence becomes a belief.

    Returns:
        `entry`, `seed` and `episode`; `hits`, the share of slots given to their author
        (ties shared); `nats`, log N + mean log belief in the author. Both over all rounds, one's
        own text included.

    Raises:
        ResultError: if a lineup shows a text twice, or the tables do not fit together.
    """
    trials, beliefs, labels = (table_of(tables, stem) for stem in ("trials", "beliefs", "labels"))
    shown = numbers(trials, "trials", "trajectories", 2)
    label = find_rows("labels", numbers(labels, "labels", "trajectory", 1), shown)  # (trials, K)
    truth = numbers(labels, "labels", "agent", 1)[label].astype(np.int64)
    episode = numbers(trials, "trials", "episode", 1)
    if not (np.sort(truth, axis=1) == np.arange(shown.shape[1])).all():
        raise ResultError("labels: a lineup does not show every player once")
    if not (numbers(labels, "labels", "episode", 1)[label] == episode[:, None]).all():
        raise ResultError("labels: a lineup shows a text of another game")
    find_rows("steps", numbers(table_of(tables, "steps"), "steps", "trajectory", 1), shown)
    ids = numbers(trials, "trials", "trial", 1)
    read = numbers(beliefs, "beliefs", "trial", 1)
    # (trials, K, N)
    belief = Belief(numbers(beliefs, "beliefs", "evidence", 3)[find_rows("beliefs", read, ids)])
    logs = belief.log_belief(decode)
    hits = of_true_author(row_verdicts(logs), truth).mean(axis=1)
    nats = of_true_author(logs, truth).mean(axis=1) + np.log(shown.shape[1])
    pairs, row = np.unique(
        np.stack([numbers(trials, "trials", "entry", 1), episode], 1), axis=0, return_inverse=True
    )
    count = np.bincount(row.reshape(-1))
    return {
        "entry": pairs[:, 0],
        "seed": np.full(len(pairs), seed, np.int64),
        "episode": pairs[:, 1],
        "hits": np.bincount(row.reshape(-1), weights=hits) / count,
        "nats": np.bincount(row.reshape(-1), weights=nats) / count,
    }
