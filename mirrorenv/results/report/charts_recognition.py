"""Charts of who is recognised, by whom, when in the episode, and by which reader."""

from __future__ import annotations

import math

import numpy as np

from mirrorenv.results.report.chart import DASHED, STEPS, Chart, describe, reader_tracks, two_times
from mirrorenv.results.report.plots import Level, Track, dot_plot, heat_map, line_chart, short
from mirrorenv.results.report.words import percent, plain
from mirrorenv.results.runs.record import Array, Record, Row, Series, curve, dig, figure, matrix

__all__ = ["confusion", "evidence", "information", "readers", "recognition", "who_recognises_whom"]


def recognition(record: Record, weight0: Record | None) -> Chart | None:
    """Top-1 against environment steps."""
    tracks, agents = reader_tracks(record, weight0, "top1"), record.lineup_size
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


def information(record: Record, weight0: Record | None) -> Chart | None:
    """Nats a trajectory against log N."""
    tracks, agents = reader_tracks(record, weight0, "information"), record.lineup_size
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


def _matrix_alt(what: str, values: Array) -> str:
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


def who_recognises_whom(record: Record, weight0: Record | None) -> Chart | None:
    """Observer j's mean belief in the true author n, (J, N)."""
    values = matrix(record.last, "recognition_matrix")
    if values is None:
        return None
    return Chart(
        "Who recognises whom",
        "Mean belief of each observer (row) in the true author, for trajectories of each agent "
        "(column), in percent. "
        "The diagonal is self-recognition. Unknown where an observer was never shown an agent.",
        _matrix_alt("each observer's mean belief in each true author", values),
        lambda theme: heat_map(theme, values, x_label="author (agent)", y_label="observer (agent)"),
    )


def confusion(record: Record, weight0: Record | None) -> Chart | None:
    """Mean belief by true author, (N, N)."""
    values = matrix(record.last, "confusion")
    if values is None:
        return None
    return Chart(
        "Who is taken for whom",
        "Mean belief over authors (columns) for trajectories of each agent (rows), in percent. Off "
        "the diagonal are "
        "the mix-ups.",
        _matrix_alt("mean belief in each agent by true author", values),
        lambda theme: heat_map(
            theme, values, x_label="believed author (agent)", y_label="true author (agent)"
        ),
    )


def _over_time(row: Row, key: str) -> Series | None:
    values = curve(row, "evidence_over_time", key)
    if values is None:
        return None
    unknown = np.full(len(values), np.nan)
    return Series(np.arange(1, len(values) + 1, dtype=np.float64), values, unknown, unknown)


def evidence(record: Record, weight0: Record | None) -> Chart | None:
    """Information after t steps of an episode, before and after training."""
    tracks = []
    for row, when, faint in (
        (record.before, "before training", True),
        (record.last, "at the end", False),
    ):
        if faint and row is record.last:
            continue
        for key, name, colour, style in (
            ("limit", "limit", "limit", DASHED),
            ("learned", "learned", "learned", "-"),
        ):
            series = _over_time(row, key)
            if series is not None:
                drawn, width = ((0, (1, 1.6)), 1.4) if faint else (style, 2.2)
                tracks.append(Track(f"{name}, {when}", series, colour, drawn, "", width))
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


def readers(record: Record, weight0: Record | None) -> Chart | None:
    """Top-1 of every kind of reader before and after training."""
    places: dict[str, tuple[str, ...]] = {
        record.limit_name: ("limit",),
        "learned, joint": ("learned_joint",),
        "learned": ("learned",),
    }
    for row in (record.last, record.before):
        found = dig(row, "baselines")
        for name in list(found)[:20] if isinstance(found, dict) else []:
            places.setdefault(short(name).replace("_", " "), ("baselines", name))
    places = {
        name: place
        for name, place in places.items()
        if figure(record.last, *place, "top1") or figure(record.before, *place, "top1")
    }
    groups = two_times(
        record, lambda row: [figure(row, *place, "top1") for place in places.values()]
    )
    if not places or not groups:
        return None
    agents = record.lineup_size
    lines = [
        f"{name}: "
        + ", ".join(f"{percent(g.value[i])} {g.label}" for g in groups if np.isfinite(g.value[i]))
        for i, name in enumerate(places)
    ]
    return Chart(
        "Before training, and against simple readers",
        "How recognisable the agents were to begin with, and what simpler readers of the same "
        "trajectories make of "
        "them. If a simple reader already sees everything, the learned observers have little to "
        "add.",
        f"Dot plot of top-1. {'; '.join(lines)}.",
        lambda theme: dot_plot(
            theme,
            list(places),
            groups,
            x_label="recognised (top-1)",
            percent=True,
            level=Level("chance", 1 / agents) if agents else None,
        ),
    )
