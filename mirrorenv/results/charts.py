"""The report's charts: which figures of a run go into which picture, with caption and text alternative.

Every function takes the run and, where it is of use, the same training without the mirror reward; it returns None
if the run does not hold what the picture needs.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

from mirrorenv.mirror.leak import log_e_threshold
from mirrorenv.results.plots import Dots, Level, Theme, Track, dot_plot, heat_map, line_chart, short
from mirrorenv.results.record import Array, Quantity, Record, Row, Series, curve, dig, figure, matrix
from mirrorenv.results.words import percent, plain, steps

__all__ = ["ALPHA", "CHARTS", "Chart"]

ALPHA = 0.05
STEPS = "environment steps"
DASHED, DASH_DOT = (0, (5, 2)), (0, (5, 1.5, 1.2, 1.5))


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
    first, last = write(float(series.value[0])), write(float(series.value[-1]))
    if len(series.value) == 1:
        return f"{name} is {last} at {steps(series.steps[-1])} steps"
    return f"{name} goes from {first} at {steps(series.steps[0])} steps to {last} at {steps(series.steps[-1])}"


def _describe(kind: str, tracks: list[Track], levels: list[Level], write: Callable[[float], str]) -> str:
    parts = [_ends(track.label, track.series, write) for track in tracks if not track.faint]
    parts += [f"{level.label} is at {write(level.value)}" for level in levels]
    return f"{kind}: {'; '.join(parts)}."


def _tracks(record: Record, weight0: Record | None, key: str) -> list[Track]:
    """Learned, limit and the run without the mirror reward, as far as they are there."""
    tracks = []
    limit, learned = record.series("limit", key), record.series("learned", key)
    if limit is not None:
        tracks.append(Track("exact limit", limit, "limit", DASHED, "s"))
    if learned is not None:
        tracks.append(Track("learned", learned, "learned"))
    other = weight0.series("learned", key) if weight0 is not None else None
    if other is not None:
        tracks.append(Track("learned, mirror weight 0", other, "other", DASH_DOT, "^"))
    return tracks if learned is not None or limit is not None else []


def recognition(record: Record, weight0: Record | None) -> Chart | None:
    """Top-1 against environment steps."""
    tracks, agents = _tracks(record, weight0, "top1"), record.num_agents
    if not tracks:
        return None
    levels = [Level("chance", 1 / agents)] if agents else []
    return Chart(
        "Recognised over training",
        "Share of trajectories attributed to their true author. Bands are 95 % intervals over evaluation episodes. "
        "The exact limit reads the agents' policies themselves; an observer that only watches should not pass it.",
        _describe("Line chart", tracks, levels, percent),
        lambda theme: line_chart(
            theme, tracks, levels, x_label=STEPS, y_label="recognised (top-1)", y_range=(0, 1.03), percent=True
        ),
    )


def information(record: Record, weight0: Record | None) -> Chart | None:
    """Nats a trajectory against log N."""
    tracks, agents = _tracks(record, weight0, "information"), record.num_agents
    if not tracks:
        return None
    levels = [Level(f"log {agents}, the most possible", math.log(agents), "-")] if agents else []
    top = 1.05 * math.log(agents) if agents and agents > 1 else None
    bottom = 0.0 if min(float(track.series.value.min()) for track in tracks) >= 0 else None
    return Chart(
        "Information",
        "What a belief is worth: log N plus the mean log belief in the true author, in nats. 0 is what guessing gives; "
        "below 0 the beliefs are worse than saying nothing.",
        _describe("Line chart", tracks, levels, lambda value: f"{plain(value)} nats"),
        lambda theme: line_chart(
            theme, tracks, levels, x_label=STEPS, y_label="nats per trajectory", y_range=(bottom, top)
        ),
    )


def _matrix_alt(what: str, values: Array) -> str:
    if values.shape[0] != values.shape[1]:
        return f"Heat map of {what}, {values.shape[0]} by {values.shape[1]}, mean {percent(float(np.nanmean(values)))}."
    own = np.diagonal(values)
    off = values[~np.eye(len(values), dtype=bool)]
    parts = [f"{name} {percent(float(np.nanmean(part)))}" for name, part in (("diagonal", own), ("elsewhere", off))
             if np.isfinite(part).any()]  # fmt: skip
    return f"Heat map of {what}, {len(values)} by {len(values)}. Mean: {', '.join(parts)}."


def who_recognises_whom(record: Record, weight0: Record | None) -> Chart | None:
    """Observer j's mean belief in the true author n, (J, N)."""
    values = matrix(record.last, "recognition_matrix")
    if values is None:
        return None
    return Chart(
        "Who recognises whom",
        "Mean belief of each observer (row) in the true author, for trajectories of each agent (column), in percent. "
        "The diagonal is self-recognition.",
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
        "Mean belief over authors (columns) for trajectories of each agent (rows), in percent. Off the diagonal are "
        "the mix-ups.",
        _matrix_alt("mean belief in each agent by true author", values),
        lambda theme: heat_map(theme, values, x_label="believed author (agent)", y_label="true author (agent)"),
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
    for row, when, faint in ((record.before, "before training", True), (record.last, "at the end", False)):
        if faint and row is record.last:
            continue
        for key, name, colour, style in (("limit", "limit", "limit", DASHED), ("learned", "learned", "learned", "-")):
            series = _over_time(row, key)
            if series is not None:
                drawn, width = ((0, (1, 1.6)), 1.4) if faint else (style, 2.2)
                tracks.append(Track(f"{name}, {when}", series, colour, drawn, "", width))
    if not tracks:
        return None
    agents = record.num_agents
    levels = [Level(f"log {agents}", math.log(agents), "-")] if agents else []
    return Chart(
        "Evidence within an episode",
        "Information after the first t steps of an episode. A steep start and a flat rest is a handshake: agents that "
        "sign their trajectories at once and then behave alike.",
        _describe("Line chart over the steps of an episode", tracks, levels, lambda value: f"{plain(value)} nats"),
        lambda theme: line_chart(
            theme, tracks, levels, x_label="step of the episode", y_label="nats per trajectory", whole_x=True
        ),
    )


def _dots(label: str, found: list[Quantity | None], filled: bool) -> Dots:
    nan = math.nan
    cells = [(nan, nan, nan) if q is None else (q.value, q.low, q.high) for q in found]
    value, low, high = np.array(cells, dtype=np.float64).reshape(-1, 3).T
    return Dots(label, value, low, high, filled)


def _two_times(record: Record, read: Callable[[Row], list[Quantity | None]]) -> list[Dots]:
    """Marks before training and at the end; one kind only if the run has one evaluation."""
    groups = []
    if record.before and record.before is not record.last:
        groups.append(_dots("before training", read(record.before), False))
    at_start = record.last is record.before
    groups.append(_dots("before training" if at_start else "at the end", read(record.last), not at_start))
    return [group for group in groups if np.isfinite(group.value).any()]


def readers(record: Record, weight0: Record | None) -> Chart | None:
    """Top-1 of every kind of reader before and after training."""
    places: dict[str, tuple[str, ...]] = {
        "exact limit": ("limit",),
        "learned, joint": ("learned_joint",),
        "learned": ("learned",),
    }
    for row in (record.last, record.before):
        found = dig(row, "baselines")
        for name in list(found)[:20] if isinstance(found, dict) else []:
            places.setdefault(short(name).replace("_", " "), ("baselines", name))
    places = {name: place for name, place in places.items()
              if figure(record.last, *place, "top1") or figure(record.before, *place, "top1")}  # fmt: skip
    groups = _two_times(record, lambda row: [figure(row, *place, "top1") for place in places.values()])
    if not places or not groups:
        return None
    agents = record.num_agents
    lines = [
        f"{name}: " + ", ".join(f"{percent(g.value[i])} {g.label}" for g in groups if np.isfinite(g.value[i]))
        for i, name in enumerate(places)
    ]
    return Chart(
        "Before training, and against simple readers",
        "How recognisable the agents were to begin with, and what simpler readers of the same trajectories make of "
        "them. If a simple reader already sees everything, the learned observers have little to add.",
        f"Dot plot of top-1. {'; '.join(lines)}.",
        lambda theme: dot_plot(
            theme, list(places), groups, x_label="recognised (top-1)", percent=True,
            level=Level("chance", 1 / agents) if agents else None,
        ),
    )  # fmt: skip


def _return_tracks(record: Record, key: str) -> list[Track]:
    tracks = []
    training, series = record.metric(key), record.series(key)
    if training is not None and len(training.steps) > 1:
        tracks.append(Track("training episodes", training, "level", faint=True))
    if series is not None:
        tracks.append(Track("evaluation", series, "learned"))
    return tracks


def environment_return(record: Record, weight0: Record | None) -> Chart | None:
    """Environment return, without the mirror's part."""
    tracks = _return_tracks(record, "return")
    if not tracks:
        return None
    other = weight0.series("return") if weight0 is not None else None
    if other is not None:
        tracks.append(Track("evaluation, mirror weight 0", other, "other", DASH_DOT, "^"))
    return Chart(
        "Environment return",
        "What the world itself pays an agent in an episode. The mirror reward is not in it.",
        _describe("Line chart", tracks, [], plain),
        lambda theme: line_chart(theme, tracks, x_label=STEPS, y_label="return of an episode"),
    )


def mirror_return(record: Record, weight0: Record | None) -> Chart | None:
    """Mirror return, without the environment's part."""
    tracks = _return_tracks(record, "mirror_return")
    if not tracks:
        return None
    levels = [Level("unrecognised", 0.0)]
    return Chart(
        "Mirror return",
        "What being recognised pays an agent in an episode, before its weight: zero at chance.",
        _describe("Line chart", tracks, levels, lambda value: f"{plain(value)} nats"),
        lambda theme: line_chart(theme, tracks, levels, x_label=STEPS, y_label="nats per episode"),
    )


def _agent_returns(row: Row, agents: int) -> list[Quantity | None]:
    values = curve(row, "per_agent_return")
    if values is None or len(values) != agents:
        return [None] * agents
    return [Quantity(float(value)) if np.isfinite(value) else None for value in values]


def agent_returns(record: Record, weight0: Record | None) -> Chart | None:
    """Environment return of each agent, before and after training."""
    values = curve(record.last, "per_agent_return")
    if values is None or len(values) > 64:
        return None
    agents = len(values)
    groups = _two_times(record, lambda row: _agent_returns(row, agents))
    last = ", ".join(f"agent {i} {plain(float(value))}" for i, value in enumerate(values) if np.isfinite(value))
    return Chart(
        "Return of each agent",
        "Environment return by agent. Agents that earn very differently may be recognisable by their luck or role.",
        f"Dot plot of mean episode return at the latest evaluation: {last}.",
        lambda theme: dot_plot(theme, [f"agent {i}" for i in range(agents)], groups, x_label="return of an episode"),
    )


def entropy(record: Record, weight0: Record | None) -> Chart | None:
    """Entropy of the policies while training."""
    series = record.metric("entropy")
    if series is None:
        return None
    tracks = [Track("training episodes", series, "learned", marker="")]
    return Chart(
        "Entropy of the policies",
        "How undecided the agents act while training, in nats. Habits make agents recognisable, so recognition usually "
        "rises as entropy falls; at zero they have stopped exploring.",
        _describe("Line chart", tracks, [], lambda value: f"{plain(value)} nats"),
        lambda theme: line_chart(theme, tracks, x_label=STEPS, y_label="nats per action"),
    )


def stability(record: Record, weight0: Record | None) -> Chart | None:
    """Lagged classifier and identity persistence."""
    lagged, persistence = record.series("lagged_top1"), record.series("persistence")
    learned = record.series("learned", "top1")
    if lagged is None and persistence is None:
        return None
    tracks = [Track("learned", learned, "learned")] if learned is not None else []
    if lagged is not None:
        tracks.append(Track("last evaluation's observers", lagged, "limit", DASHED, "s"))
    if persistence is not None:
        tracks.append(Track("identities kept", persistence, "other", DASH_DOT, "^"))
    levels = [Level("chance", 1 / record.num_agents)] if record.num_agents else []
    return Chart(
        "Do identities stay?",
        "Agents and observers chase each other. Earlier observers on today's agents, and the share of agents that keep "
        "the behaviour they were known for, say whether identities settle or keep moving.",
        _describe("Line chart", tracks, levels, percent),
        lambda theme: line_chart(
            theme, tracks, levels, x_label=STEPS, y_label="share of trajectories or agents", y_range=(0, 1.03),
            percent=True,
        ),
    )  # fmt: skip


def above_the_limit(record: Record, weight0: Record | None) -> Chart | None:
    """log e-value of "learned above limit" with its thresholds."""
    series = record.series("log_e_value")
    if series is None:
        return None
    count = len(series.value)
    threshold = log_e_threshold(ALPHA, count)
    floor, top = -2.0 * threshold, 4.0 * threshold
    clipped = int(((series.value < floor) | (series.value > top)).sum())
    shown = series._replace(value=series.value.clip(floor, top))
    tracks = [Track("log e-value", shown, "learned")]
    levels = [
        Level(f"threshold for {count} checkpoints", threshold, DASHED, "limit"),
        Level("for a single one", log_e_threshold(ALPHA)),
    ]
    beyond = f" {clipped} of {count} points lie outside the picture and are drawn at its edge." if clipped else ""
    passed = int((series.value >= threshold).sum())
    return Chart(
        "Is anything above the limit?",
        "Evidence that the learned observers know more than the exact limit allows, which would mean a leak or a bug. "
        f"Above the upper line it counts at level {ALPHA:g}, corrected for the number of checkpoints.{beyond}",
        f"Line chart: log e-value over {count} checkpoints, largest {plain(float(series.value.max()))}, threshold "
        f"{plain(threshold)}; {passed} above it.",
        lambda theme: line_chart(
            theme, tracks, levels, x_label=STEPS, y_label="log e-value of “learned above limit”",
            y_range=(1.08 * floor if clipped else None, None),
        ),
    )  # fmt: skip


Maker = Callable[[Record, Record | None], Chart | None]

# Section heading -> file name of the picture, what it needs (said when that is missing), and who makes it.
CHARTS: dict[str, list[tuple[str, str, Maker]]] = {
    "Recognition": [
        ("recognition", "top-1 of the learned observers or the limit", recognition),
        ("information", "information of the learned observers or the limit", information),
    ],
    "Agent by agent": [
        ("recognition_matrix", "the recognition matrix", who_recognises_whom),
        ("confusion", "the confusion matrix", confusion),
    ],
    "Where it comes from": [
        ("evidence_over_time", "evidence over time", evidence),
        ("readers", "top-1 of any reader", readers),
    ],
    "What it costs": [
        ("return", "the environment return", environment_return),
        ("mirror_return", "the mirror return", mirror_return),
        ("agent_returns", "the return of each agent", agent_returns),
        ("entropy", "the entropy of the policies", entropy),
    ],
    "Can it be trusted?": [
        ("above_limit", "the e-value of “learned above limit”", above_the_limit),
        ("stability", "the lagged classifier and identity persistence", stability),
    ],
}
