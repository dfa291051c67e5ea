"""Charts of who is recognised, when in the episode, and by which reader."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from mirrorenv.mirror.arrays import Floats64
from mirrorenv.results.report.chart import DASHED, STEPS, Chart, describe, reader_tracks, two_times
from mirrorenv.results.report.heat import heat_map
from mirrorenv.results.report.plots import Dots, Level, Track, dot_plot, line_chart, short
from mirrorenv.results.report.words import percent, plain
from mirrorenv.results.runs.evaluation import NOT_GIVEN, Evaluation, RecordedScore
from mirrorenv.results.runs.record import RunRecord, Series

MOST_BASELINES = 20

__all__ = ["confusion", "evidence", "information", "readers", "recognition", "recognition_matrix"]


def recognition(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Top-1 against environment steps."""
    tracks = reader_tracks(record, weight0, lambda score: score.top1)
    agents = record.lineup_size
    if not tracks:
        return None
    levels = [Level("chance", 1 / agents)] if agents else []
    return Chart(
        "Recognised over training",
        "Share of trajectories attributed to their true author. Bands are 95 % intervals over "
        "evaluation episodes. "
        "The exact limit reads the agents' policies themselves; an observer that only watches "
        "should not pass it.",
        describe("Line chart", tracks, levels, percent),
        lambda theme: line_chart(
            theme,
            tracks,
            levels,
            x_label=STEPS,
            y_label="recognised (top-1)",
            y_range=(0, 1.03),
            percent=True,
        ),
    )


def information(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Nats a trajectory against log N."""
    tracks = reader_tracks(record, weight0, lambda score: score.information)
    agents = record.lineup_size
    if not tracks:
        return None
    levels = [Level(f"log {agents}, the most possible", math.log(agents), "-")] if agents else []
    top = 1.05 * math.log(agents) if agents and agents > 1 else None
    bottom = -0.03 if min(float(track.series.value.min()) for track in tracks) >= 0 else None
    return Chart(
        "Information",
        "What a belief is worth: log N plus the mean log belief in the true author, in nats. 0 is "
        "what guessing gives; "
        "below 0 the beliefs are worse than saying nothing.",
        describe("Line chart", tracks, levels, lambda value: f"{plain(value)} nats"),
        lambda theme: line_chart(
            theme,
            tracks,
            levels,
            x_label=STEPS,
            y_label="nats per trajectory",
            y_range=(bottom, top),
        ),
    )


def _matrix_alt(what: str, values: Floats64) -> str:
    if values.shape[0] != values.shape[1]:
        return (
            f"Heat map of {what}, {values.shape[0]} by {values.shape[1]}, mean "
            f"{percent(float(np.nanmean(values)))}."
        )
    own = np.diagonal(values)
    off = values[~np.eye(len(values), dtype=bool)]
    parts = [
        f"{name} {percent(float(np.nanmean(part)))}"
        for name, part in (("diagonal", own), ("elsewhere", off))
        if np.isfinite(part).any()
    ]
    return f"Heat map of {what}, {len(values)} by {len(values)}. Mean: {', '.join(parts)}."


def recognition_matrix(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Observer j's mean belief in the true author n, (J, N)."""
    values = record.last.recognition_matrix
    if values is None:
        return None
    return Chart(
        "Recognition matrix",
        "Mean belief of each observer (row) in the true author, for trajectories of each agent "
        "(column), in percent. "
        "The diagonal is self-recognition. Unknown where an observer was never shown an agent.",
        _matrix_alt("each observer's mean belief in each true author", values),
        lambda theme: heat_map(
            theme, values, record.names(len(values)), x_label="author", y_label="observer"
        ),
    )


def confusion(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Mean belief by true author, (N, N)."""
    values = record.last.confusion
    if values is None:
        return None
    return Chart(
        "Confusion matrix",
        "Mean belief over authors (columns) for trajectories of each agent (rows), in percent. Off "
        "the diagonal are "
        "the mix-ups.",
        _matrix_alt("mean belief in each agent by true author", values),
        lambda theme: heat_map(
            theme,
            values,
            record.names(len(values)),
            x_label="believed author",
            y_label="true author",
        ),
    )


def _over_time(values: Floats64 | None) -> Series | None:
    if values is None:
        return None
    unknown = np.full(len(values), np.nan)
    return Series(np.arange(1, len(values) + 1, dtype=np.float64), values, unknown, unknown)


def _evidence_tracks(evaluation: Evaluation, when: str, *, faint: bool) -> list[Track]:
    """The limit and the learned observers after every step, dotted and thin if `faint`."""
    held = evaluation.evidence_over_time
    tracks = []
    for name, values, style in (("limit", held.limit, DASHED), ("learned", held.learned, "-")):
        series = _over_time(values)
        if series is None:
            continue
        label = f"{name}, {when}"
        if faint:
            tracks.append(Track(label, series, name, (0, (1, 1.6)), "", 1.4))
        else:
            tracks.append(Track(label, series, name, style, "", 2.2))
    return tracks


def evidence(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Information after t steps of an episode, before and after training."""
    tracks: list[Track] = []
    if record.before is not None and record.before is not record.last:
        tracks += _evidence_tracks(record.before, "before training", faint=True)
    tracks += _evidence_tracks(record.last, "at the end", faint=False)
    if not tracks:
        return None
    agents = record.lineup_size
    levels = [Level(f"log {agents}", math.log(agents), "-")] if agents else []
    return Chart(
        "Evidence within an episode",
        "Information after the first t steps of an episode. A steep start and a flat rest is a "
        "handshake: agents that "
        "sign their trajectories at once and then behave alike.",
        describe(
            "Line chart over the steps of an episode",
            tracks,
            levels,
            lambda value: f"{plain(value)} nats",
        ),
        lambda theme: line_chart(
            theme,
            tracks,
            levels,
            x_label="step of the episode",
            y_label="nats per trajectory",
            whole_x=True,
        ),
    )


def _readers(record: RunRecord) -> dict[str, Callable[[Evaluation], RecordedScore]]:
    """Every kind of reader that has a top-1 before training or at the end, by its label."""
    found: dict[str, Callable[[Evaluation], RecordedScore]] = {
        record.limit_name: lambda one: one.limit,
        "learned, joint": lambda one: one.learned_joint,
        "learned": lambda one: one.learned,
    }
    times = [one for one in (record.last, record.before) if one is not None]
    for evaluation in times:
        for name in list(evaluation.baselines)[:MOST_BASELINES]:
            found.setdefault(short(name).replace("_", " "), partial(_baseline, name=name))

    def has_top1(read: Callable[[Evaluation], RecordedScore]) -> bool:
        return any(read(one).top1 is not None for one in times)

    return {label: read for label, read in found.items() if has_top1(read)}


def _baseline(evaluation: Evaluation, name: str) -> RecordedScore:
    return evaluation.baselines.get(name, NOT_GIVEN)


def _reader_line(label: str, index: int, groups: Sequence[Dots]) -> str:
    """What the marks of one line of the picture say, in words."""
    said = [
        f"{percent(group.value[index])} {group.label}"
        for group in groups
        if np.isfinite(group.value[index])
    ]
    return f"{label}: {', '.join(said)}"


def readers(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Top-1 of every kind of reader before and after training."""
    held = _readers(record)
    groups = two_times(record, lambda one: [read(one).top1 for read in held.values()])
    if not held or not groups:
        return None
    agents = record.lineup_size
    lines = [_reader_line(label, index, groups) for index, label in enumerate(held)]
    return Chart(
        "Before training, and against simple readers",
        "How recognisable the agents were to begin with, and what simpler readers of the same "
        "trajectories make of "
        "them. If a simple reader already sees everything, the learned observers have little to "
        "add.",
        f"Dot plot of top-1. {'; '.join(lines)}.",
        lambda theme: dot_plot(
            theme,
            list(held),
            groups,
            x_label="recognised (top-1)",
            percent=True,
            level=Level("chance", 1 / agents) if agents else None,
        ),
    )
