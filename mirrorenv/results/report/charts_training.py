"""Charts of what training pays and costs, and of whether its figures can be trusted."""

from __future__ import annotations

import numpy as np

from mirrorenv.mirror.intervals import Estimate
from mirrorenv.mirror.leak import log_e_threshold
from mirrorenv.results.report.chart import DASH_DOT, DASHED, STEPS, Chart, describe, two_times
from mirrorenv.results.report.plots import Level, Track, dot_plot, line_chart
from mirrorenv.results.report.words import percent, plain
from mirrorenv.results.runs.evaluation import Evaluation
from mirrorenv.results.runs.record import RunRecord, Series

__all__ = [
    "ALPHA",
    "above_the_limit",
    "agent_returns",
    "entropy",
    "environment_return",
    "mirror_return",
    "stability",
]

ALPHA = 0.05


def _return_tracks(training: Series | None, series: Series | None) -> list[Track]:
    tracks = []
    if training is not None and len(training.steps) > 1:
        tracks.append(Track("training episodes", training, "level", faint=True))
    if series is not None:
        tracks.append(Track("evaluation", series, "learned"))
    return tracks


def environment_return(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Environment return, without the mirror's part."""
    tracks = _return_tracks(
        record.metric("return"), record.series(lambda one: one.environment_return)
    )
    if not tracks or record.pays is False:
        return None
    other = None if weight0 is None else weight0.series(lambda one: one.environment_return)
    if other is not None:
        tracks.append(Track("evaluation, mirror weight 0", other, "other", DASH_DOT, "^"))
    return Chart(
        "Environment return",
        "What the world itself pays an agent in an episode. The mirror reward is not in it.",
        describe("Line chart", tracks, [], plain),
        lambda theme: line_chart(theme, tracks, x_label=STEPS, y_label="return of an episode"),
    )


def mirror_return(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Mirror return, without the environment's part."""
    tracks = _return_tracks(
        record.metric("mirror_return"), record.series(lambda one: one.mirror_return)
    )
    if not tracks:
        return None
    levels = [Level("unrecognised", 0.0)]
    return Chart(
        "Mirror return",
        "What being recognised pays an agent in an episode, before its weight: zero at chance.",
        describe("Line chart", tracks, levels, lambda value: f"{plain(value)} nats"),
        lambda theme: line_chart(theme, tracks, levels, x_label=STEPS, y_label="nats per episode"),
    )


def _agent_returns(evaluation: Evaluation, agents: int) -> list[Estimate | None]:
    values = evaluation.per_agent_return
    if values is None or len(values) != agents:
        return [None] * agents
    return [Estimate(float(value)) if np.isfinite(value) else None for value in values]


def agent_returns(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Environment return of each agent, before and after training."""
    values = record.last.per_agent_return
    if values is None or len(values) > 64 or record.pays is False:
        return None
    names = record.names(len(values))
    groups = two_times(record, lambda one: _agent_returns(one, len(names)))
    known = [pair for pair in zip(names, values.tolist(), strict=True) if np.isfinite(pair[1])]
    last = ", ".join(f"{name} {plain(value)}" for name, value in known)
    return Chart(
        "Return of each agent",
        "Environment return by agent. Agents that earn very differently may be recognisable by "
        "their luck or role.",
        f"Dot plot of mean episode return at the latest evaluation: {last}.",
        lambda theme: dot_plot(theme, names, groups, x_label="return of an episode"),
    )


def entropy(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Entropy of the policies while training."""
    series = record.metric("entropy")
    if series is None:
        return None
    tracks = [Track("training episodes", series, "learned", marker="")]
    return Chart(
        "Entropy of the policies",
        "How undecided the agents act while training, in nats. Habits make agents recognisable, so "
        "recognition usually "
        "rises as entropy falls; at zero they have stopped exploring.",
        describe("Line chart", tracks, [], lambda value: f"{plain(value)} nats"),
        lambda theme: line_chart(theme, tracks, x_label=STEPS, y_label="nats per action"),
    )


def stability(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """Lagged classifier and identity persistence."""
    lagged = record.series(lambda one: one.lagged_top1)
    persistence = record.series(lambda one: one.persistence)
    learned = record.series(lambda one: one.learned.top1)
    if lagged is None and persistence is None:
        return None
    tracks = [Track("learned", learned, "learned")] if learned is not None else []
    if lagged is not None:
        tracks.append(Track("last iteration's observers", lagged, "limit", DASHED, "s"))
    if persistence is not None:
        tracks.append(Track("identities kept", persistence, "other", DASH_DOT, "^"))
    levels = [Level("chance", 1 / record.lineup_size)] if record.lineup_size else []
    return Chart(
        "Do identities stay?",
        "Agents and observers chase each other. The observers of one iteration ago on today's "
        "agents, and the share of "
        "agents that keep the behaviour they had at the last evaluation, say whether identities "
        "settle or keep moving.",
        describe("Line chart", tracks, levels, percent),
        lambda theme: line_chart(
            theme,
            tracks,
            levels,
            x_label=STEPS,
            y_label="share of trajectories or agents",
            y_range=(0, 1.03),
            percent=True,
        ),
    )


def above_the_limit(record: RunRecord, weight0: RunRecord | None) -> Chart | None:
    """log e-value of "learned above limit" with its thresholds."""
    series = record.series(lambda one: one.log_e_value)
    if series is None:
        return None
    count = len(series.value)
    threshold = log_e_threshold(ALPHA, count)
    floor = -2.0 * threshold
    top = 4.0 * threshold
    clipped = int(((series.value < floor) | (series.value > top)).sum())
    shown = series._replace(value=series.value.clip(floor, top))
    tracks = [Track("log e-value", shown, "learned")]
    levels = [
        Level(f"threshold for {count} checkpoints", threshold, DASHED, "limit"),
        Level("for a single one", log_e_threshold(ALPHA)),
    ]
    beyond = (
        f" {clipped} of {count} points lie outside the picture and are drawn at its edge."
        if clipped
        else ""
    )
    passed = int((series.value >= threshold).sum())
    return Chart(
        "Is anything above the limit?",
        "Evidence that the learned observers know more than the exact limit allows, which would "
        "mean a leak or a bug. "
        f"Above the upper line it counts at level {ALPHA:g}, corrected for the number of "
        f"checkpoints.{beyond}",
        f"Line chart: log e-value over {count} checkpoints, largest "
        f"{plain(float(series.value.max()))}, threshold "
        f"{plain(threshold)}; {passed} above it.",
        lambda theme: line_chart(
            theme,
            tracks,
            levels,
            x_label=STEPS,
            y_label="log e-value of “learned above limit”",
            y_range=(1.08 * floor if clipped else None, None),
        ),
    )
