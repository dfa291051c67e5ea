"""`mirrorenv.identity`: anybody's recorded behaviour in, identity out.

Shape legend: M trajectories, S steps, N agents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mirrorenv.errors import LogError
from mirrorenv.instrument.crossed import crossed, deal, out_of_fold
from mirrorenv.instrument.diversity import Policy as AskedPolicy
from mirrorenv.instrument.diversity import system_neural_diversity
from mirrorenv.instrument.doors.mapping import Mapped
from mirrorenv.instrument.doors.opening import Log, open_log
from mirrorenv.instrument.lineups import LineupReading, lineup_reading
from mirrorenv.instrument.measured import Part, Reading, limit_reading, parts, reading_of
from mirrorenv.instrument.over_episodes import Watched, enrolment_curve, watched
from mirrorenv.instrument.readers.base import Reader
from mirrorenv.instrument.readers.policy import Policy
from mirrorenv.instrument.readers.steps import (
    column_readers,
    first_glance,
    naming_columns,
    step_readers,
    symbols_of,
)
from mirrorenv.instrument.readers.texts import names_in_texts, text_readers
from mirrorenv.instrument.record import ChatRecord, Lineups, StepRecord, check_enough
from mirrorenv.mirror.arrays import Ints64
from mirrorenv.mirror.intervals import Estimate
from mirrorenv.mirror.leak import log_e_threshold

__all__ = ["Identity", "identity", "identity_of"]

FOLDS = 5
_COLUMNS = 64  # columns of which each is read by itself, the first ones of a wide log
_LEAST = 0.01  # nats of a first observation below which nothing is said
_ASKED = 2_000  # observations that policies are compared on


@dataclass(frozen=True, eq=False)
class Identity:
    """How far the agents of a log are told apart by what they did.

    Args:
        lineups: of the M trajectories.
        reading: each trajectory by itself; `reading.identity` is the number to print.
        lineup: all trajectories of an episode together, each name once; None where agents played
            alone, or episodes differ too much.
        parts: what each kind of reader knows by itself, best first.
        columns: what each column of the log tells by itself, best first; empty for texts.
        first: nats that the first observation tells, before anything was done; None for texts.
        curve: (episodes of each agent that are known, nats).
        watched: e-value for "more than chance".
        ceiling: the exact limit of each trajectory alone, where the log holds every agent's
            probabilities.
        log_e_above: log e-value against the ceiling being one: large if readers know more.
        diversity: system neural diversity, where policies were given.
        warnings: what gives names away, in sentences.
        notes: how the log was understood, in sentences.
    """

    lineups: Lineups
    reading: Reading
    lineup: LineupReading | None
    parts: list[Part]
    columns: list[Part]
    first: Estimate | None
    curve: list[tuple[int, Estimate]]
    watched: Watched
    ceiling: Reading | None = None
    log_e_above: float | None = None
    diversity: float | None = None
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def identity(
    *logs: Log,
    columns: Mapping[str, str | Sequence[str]] | None = None,
    steps_per_episode: int | None = None,
    policies: Mapping[str, AskedPolicy] | None = None,
    seed: int = 0,
    doing: Callable[[str], None] | None = None,
) -> Identity:
    """How much do these agents differ as individuals, how sure is that, and which would be taken
    for which other?

    Args:
        *logs: paths of logs (CSV, TSV, npz, Parquet, JSON lines of steps or chats, Minari data
            sets, folders of such), arrays by name as they would stand in an npz file, or RLlib's
            episodes. A log without agents is of one agent, named by its file.
        columns: what is what, where it should not be guessed: `agent`, `episode`, `step`, `action`,
            `observation`, `text`; the last ones may name several columns.
        steps_per_episode: cut logs of one long episode into parts of so many steps.
        policies: what each agent would do, for system neural diversity.
        seed: of the dealing into folds.
        doing: is told what is being done.

    Raises:
        LogError: if a log cannot be read as one; names file, row and column.
    """
    say = doing or (lambda _: None)
    say("reading the log")
    record = open_log(logs, Mapped(dict(columns or {}), steps_per_episode))
    return identity_of(record, policies=policies, seed=seed, doing=say)


def identity_of(
    record: StepRecord | ChatRecord,
    *,
    policies: Mapping[str, AskedPolicy] | None = None,
    seed: int = 0,
    doing: Callable[[str], None] | None = None,
) -> Identity:
    """:func:`identity` of a log that has been read.

    Args:
        record: trajectories with their authors.
        policies: what each agent would do, for system neural diversity.
        seed: of the dealing into folds.
        doing: is told what is being done.

    Raises:
        LogError: if there are too few agents or episodes.
    """
    say = doing or (lambda _: None)
    lineups = record.lineups
    check_enough(lineups, FOLDS)
    say("counting")
    readers, single, glance = _readers(record, seed)
    fold = deal(lineups, FOLDS, seed)
    say(f"reading {len(lineups.agent):,} trajectories")
    together = crossed(readers, lineups, fold)
    reading = reading_of(together.log_belief, lineups, together.fitted)
    found = Identity(
        lineups,
        reading,
        lineup_reading(together.log_belief, lineups),
        parts(readers, together.evidence, lineups, fold),
        _alone(single, lineups, fold),
        None if glance is None else _alone([glance], lineups, fold)[0].identity,
        enrolment_curve([one for one in readers if one.quick], lineups, seed, reading.most),
        watched([one for one in readers if one.quick], lineups, seed),
        notes=[*record.notes, *_left_out(record)],
    )
    return _completed(found, record, policies)


def _readers(
    record: StepRecord | ChatRecord, seed: int
) -> tuple[list[Reader], list[Reader], Reader | None]:
    """Readers of all, readers of one column each, and the reader of the first observation."""
    if isinstance(record, ChatRecord):
        return list(text_readers(record)), [], None
    symbols = symbols_of(record, seed)
    readers: list[Reader] = list(step_readers(record, symbols))
    if record.columns and record.action_columns:
        readers.append(Policy(record, seed))
    single = column_readers(record, symbols)[:_COLUMNS]
    return readers, list(single), first_glance(record, symbols)


def _left_out(record: StepRecord | ChatRecord) -> list[str]:
    columns = 0 if isinstance(record, ChatRecord) else len(record.columns + record.action_columns)
    if columns <= _COLUMNS:
        return []
    return [f"of {columns:,} columns the first {_COLUMNS} are read by themselves"]


def _alone(readers: Sequence[Reader], lineups: Lineups, fold: Ints64) -> list[Part]:
    if not readers:
        return []
    return parts(readers, out_of_fold(readers, lineups, fold), lineups, fold)


def _completed(
    found: Identity,
    record: StepRecord | ChatRecord,
    policies: Mapping[str, AskedPolicy] | None,
) -> Identity:
    """With the ceiling, diversity and warnings."""
    warnings = _warnings(found, record)
    if isinstance(record, ChatRecord):
        if policies:
            raise LogError("policies cannot be asked about texts; leave them out")
        return replace(found, warnings=warnings)
    diversity = None
    if policies:
        asked = record.observations[:: max(1, len(record.observations) // _ASKED)]
        diversity = system_neural_diversity(policies, asked)
    if record.law is None:
        return replace(found, diversity=diversity, warnings=warnings)
    ceiling = limit_reading(record.law, record.trajectory, found.lineups)
    log_e = _above(found.reading, ceiling, found.lineups)
    if log_e > log_e_threshold(0.05):
        warnings.append(
            f"Readers know more than the ceiling allows (log e-value {log_e:.1f}): the log's "
            "probabilities are not those that agents acted by, or observations tell who acts."
        )
    return replace(
        found, ceiling=ceiling, log_e_above=log_e, diversity=diversity, warnings=warnings
    )


def _above(reading: Reading, ceiling: Reading, lineups: Lineups) -> float:
    """Log e-value against the ceiling, with trajectories of one episode averaged."""
    ratio = np.exp(np.clip(reading.nats - ceiling.nats, -700.0, 700.0))
    means = np.bincount(lineups.episode, ratio) / np.bincount(lineups.episode)
    return float(np.log(np.maximum(means, 1e-300)).sum())


def _warnings(found: Identity, record: StepRecord | ChatRecord) -> list[str]:
    said = []
    if isinstance(record, ChatRecord):
        names = names_in_texts(record)
        if names:
            said.append(f"The texts of {', '.join(names[:5])} hold their own names.")
        return said
    if found.first is not None and found.first.low > 0.0 and found.first.value > _LEAST:
        said.append(
            f"The first observation, seen before anything was done, tells {found.first} nats: that "
            "is what the world gives away, not who acts."
        )
    naming = naming_columns(record)
    if naming:
        said.append(
            f"{', '.join(naming[:5])}: the same in all of a trajectory and different for every "
            "agent. That is a name; leave it out with --columns observation=..."
        )
    return said
