"""What a chart of the report is, and the parts that charts share."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from mirrorenv.mirror.intervals import Estimate
from mirrorenv.results.report.plots import Dots, Level, Track
from mirrorenv.results.report.themes import Theme
from mirrorenv.results.report.words import steps
from mirrorenv.results.runs.evaluation import Evaluation, RecordedScore
from mirrorenv.results.runs.record import RunRecord, Series

__all__ = [
    "DASHED",
    "DASH_DOT",
    "STEPS",
    "Chart",
    "Maker",
    "describe",
    "reader_tracks",
    "two_times",
]

STEPS = "environment steps"
DASHED = (0, (5, 2))
DASH_DOT = (0, (5, 1.5, 1.2, 1.5))


@dataclass(frozen=True)
class Chart:
    """A picture to be drawn in any theme.

    Attributes:
        title: its heading.
        caption: how to read it, plain text.
        alt: what it shows, for who cannot see it.
        draw: makes the figure.
    """

    title: str
    caption: str
    alt: str
    draw: Callable[[Theme], Figure]


def _ends(name: str, series: Series, write: Callable[[float], str]) -> str:
    first = write(float(series.value[0]))
    last = write(float(series.value[-1]))
    if len(series.value) == 1:
        return f"{name} is {last} at {steps(series.steps[-1])} steps"
    return (
        f"{name} goes from {first} at {steps(series.steps[0])} steps to {last} at "
        f"{steps(series.steps[-1])}"
    )


def describe(
    kind: str, tracks: list[Track], levels: list[Level], write: Callable[[float], str]
) -> str:
    """A line chart in words: where each line starts and ends, and where the reference lines are.

    Args:
        kind: of chart and what it shows; the beginning of the sentence.
        tracks: the lines; faint ones are passed over.
        levels: reference lines.
        write: a number as the axis writes it.
    """
    parts = [_ends(track.label, track.series, write) for track in tracks if not track.faint]
    parts += [f"{level.label} is at {write(level.value)}" for level in levels]
    return f"{kind}: {'; '.join(parts)}."


def reader_tracks(
    record: RunRecord,
    weight0: RunRecord | None,
    figure: Callable[[RecordedScore], Estimate | None],
) -> list[Track]:
    """Learned, limit and the run without the mirror reward, as far as they are there.

    Args:
        record: the run.
        weight0: the same training without the mirror reward, if there is one.
        figure: takes the figure to draw from a score.
    """
    tracks = []
    limit = record.series(lambda one: figure(one.limit))
    learned = record.series(lambda one: figure(one.learned))
    if limit is not None:
        tracks.append(Track(record.limit_name, limit, "limit", DASHED, "s"))
    if learned is not None:
        tracks.append(Track("learned", learned, "learned"))
    other = None if weight0 is None else weight0.series(lambda one: figure(one.learned))
    if other is not None:
        tracks.append(Track("learned, mirror weight 0", other, "other", DASH_DOT, "^"))
    return tracks if learned is not None or limit is not None else []


def _dots(label: str, found: list[Estimate | None], filled: bool) -> Dots:
    unknown = Estimate(math.nan)
    marks = [unknown if one is None else one for one in found]
    value = np.array([one.value for one in marks], dtype=np.float64)
    low = np.array([one.low if one.bounded else math.nan for one in marks], dtype=np.float64)
    high = np.array([one.high if one.bounded else math.nan for one in marks], dtype=np.float64)
    return Dots(label, value, low, high, filled)


def two_times(record: RunRecord, read: Callable[[Evaluation], list[Estimate | None]]) -> list[Dots]:
    """Marks before training and at the end; one kind only if the run has one evaluation.

    Args:
        record: the run.
        read: takes the marks from an evaluation, one for each line of the picture.
    """
    groups = []
    at_start = record.last is record.before
    if record.before is not None and not at_start:
        groups.append(_dots("before training", read(record.before), False))
    groups.append(
        _dots("before training" if at_start else "at the end", read(record.last), not at_start)
    )
    return [group for group in groups if np.isfinite(group.value).any()]


# Makes a chart of a run and, where it is of use, the same training without the mirror reward; None
# if the run does not hold what the picture needs.
Maker = Callable[[RunRecord, RunRecord | None], Chart | None]
