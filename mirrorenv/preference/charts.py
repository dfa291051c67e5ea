"""Pictures of a run: recognition against usefulness, and both over the rounds. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mirrorenv.preference.callbacks import EvaluationRow
from mirrorenv.results.report.chart import Chart
from mirrorenv.results.report.plots import (
    DPI,
    HEIGHT,
    SMALL,
    WIDTH,
    Level,
    Track,
    line_chart,
)
from mirrorenv.results.report.themes import Theme
from mirrorenv.results.runs.record import Series

__all__ = ["Point", "over_rounds", "pareto", "points_of", "run_charts"]

Line = tuple[str, Callable[[EvaluationRow], Any]]
"""A name, and what reads a number or an interval from an evaluation."""


@dataclass(frozen=True)
class Point:
    """A round on the plane of recognition and usefulness.

    Attributes:
        round: its number.
        recognition: two texts by both authors together, by which rounds are compared.
        low: end of its interval.
        high: the other end.
        cost: perplexity over that of the first texts, the largest over players.
        useful: whether all bounds held.
    """

    round: int
    recognition: float
    low: float
    high: float
    cost: float
    useful: bool


def points_of(rows: Sequence[EvaluationRow]) -> list[Point]:
    """One point for each evaluation on the tuning topics."""
    return [_point(row) for row in rows if row.get("split") == "tuning"]


def _point(row: EvaluationRow) -> Point:
    assigned = row["fresh"]["recognition"]["assigned"]
    value = assigned["value"]
    first = row["first"]["useful"]
    now = row["fresh"]["useful"]
    return Point(
        round=row["iteration"],
        recognition=value,
        low=value if assigned["low"] is None else assigned["low"],
        high=value if assigned["high"] is None else assigned["high"],
        cost=max(now[name]["perplexity"] / first[name]["perplexity"] for name in now),
        useful=not row.get("rolled_back", False),
    )


def pareto(points: Sequence[Point], bound: float, best: int) -> Chart:
    """Recognition against perplexity, round by round.

    Args:
        points: in order.
        bound: largest perplexity that counts as useful, as a multiple.
        best: the round that was chosen.
    """

    def draw(theme: Theme) -> Figure:
        figure = Figure(
            figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor=theme.surface, layout="constrained"
        )
        axes = figure.add_subplot()
        axes.set_facecolor(theme.surface)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("bottom", "left"):
            axes.spines[side].set_color(theme.grid)
        axes.tick_params(colors=theme.muted, labelsize=SMALL, length=0, pad=5)
        axes.grid(color=theme.grid, linewidth=0.8)
        if bound < 10 * max(p.cost for p in points):  # one that is far away would squeeze the rest
            axes.axvline(
                bound,
                color=theme.level,
                linestyle=(0, (1.5, 2.0)),
                linewidth=1.4,
                label=f"bound {bound:g}",
            )
        axes.axhline(0.5, color=theme.level, linestyle=(0, (5, 2)), linewidth=1.2, label="chance")
        axes.plot(
            [p.cost for p in points],
            [p.recognition for p in points],
            color=theme.learned,
            alpha=0.4,
            linewidth=1.2,
        )
        for point in points:
            axes.vlines(
                point.cost, point.low, point.high, color=theme.learned, alpha=0.45, linewidth=1.5
            )
        for useful, label in ((True, "useful"), (False, "rolled back")):
            some = [p for p in points if p.useful == useful]
            axes.plot(
                [p.cost for p in some],
                [p.recognition for p in some],
                linestyle="none",
                marker="o" if useful else "X",
                markersize=7,
                markerfacecolor=theme.learned if useful else theme.limit,
                markeredgewidth=0,
                label=label,
            )
        for (cost, height), text in _labels(points, best).items():
            axes.annotate(
                text,
                (cost, height),
                xytext=(6, 5),
                textcoords="offset points",
                color=theme.ink,
                fontsize=SMALL,
            )
        axes.set_ylim(-0.03, 1.06)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}")
        axes.tick_params(which="minor", colors=theme.muted, labelsize=SMALL - 2, length=0)
        axes.set_xlabel(
            "perplexity over that of the first texts (worst player)",
            color=theme.muted,
            fontsize=SMALL,
        )
        axes.set_title(
            "two texts, by both authors together",
            color=theme.muted,
            fontsize=SMALL,
            loc="left",
            pad=8,
        )
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="outside upper left",
            ncols=4,
            frameon=False,
            fontsize=SMALL - 1,
            labelcolor=theme.ink,
        )
        return figure

    told = ", ".join(
        f"round {p.round}: {100 * p.recognition:.0f} % at {p.cost:.2f}" for p in points
    )
    return Chart(
        "Recognition against usefulness",
        "Up is better recognised, left is closer to what the untouched model finds natural. "
        "Numbers are rounds, 0 is "
        "before training, the star is the round that was chosen; crosses broke a bound and were "
        "rolled back.",
        f"Scatter plot of rounds, {told}.",
        draw,
    )


def _labels(points: Sequence[Point], best: int) -> dict[tuple[float, float], str]:
    """Numbers of the rounds by place, those on one spot together."""
    found: dict[tuple[float, float], str] = {}
    for point in points:
        text = f"{point.round}*" if point.round == best else str(point.round)
        near = next((spot for spot in found if _overlaps(spot, point)), None)
        if near is None:
            found[point.cost, point.recognition] = text
        else:
            found[near] += f", {text}"
    return found


def _overlaps(spot: tuple[float, float], point: Point) -> bool:
    cost, recognition = spot
    return abs(cost / point.cost - 1) < 0.05 and abs(recognition - point.recognition) < 0.04


def run_charts(
    config: Mapping[str, Any], tuning: Sequence[EvaluationRow], last: EvaluationRow | None
) -> dict[str, Chart]:
    """The charts of a run's page, by the name of their file.

    Args:
        config: of the run folder.
        tuning: evaluations on tuning topics, at least one.
        last: the evaluation on held-out topics; None while the run goes on.
    """
    names = [player["name"] for player in config["data"]["players"]]
    best = last["best"] if last else -1
    return {
        "pareto": pareto(points_of(tuning), config["bound"]["perplexity"], best),
        "recognition": _recognition_chart(tuning),
        "lineups": _lineups_chart(tuning, len(names)),
        "repetition": over_rounds(
            "Repetition",
            "Share of three-token pieces that a text says again.",
            tuning,
            [(name, _fresh("useful", name, "repetition")) for name in names],
            percent=True,
            y_label="repeated pieces",
        ),
        "relevance": over_rounds(
            "Topic relevance",
            "What a text tells of its topic, by the untouched model.",
            tuning,
            [(name, _fresh("useful", name, "relevance")) for name in names],
            y_label="nats",
        ),
        "kl": over_rounds(
            "Distance from the untouched model",
            "By the players' own texts.",
            tuning,
            [(name, _fresh("useful", name, "kl")) for name in names],
            y_label="nats per token",
        ),
    }


def _fresh(*keys: str) -> Callable[[EvaluationRow], Any]:
    """Reads a figure of the fresh texts, by its path of keys."""

    def read(row: EvaluationRow) -> Any:
        found: Any = row["fresh"]
        for key in keys:
            found = found[key]
        return found

    return read


def _recognition_chart(tuning: Sequence[EvaluationRow]) -> Chart:
    lines = [
        ("sum", _fresh("recognition", "sum", "joint")),
        ("per token", _fresh("recognition", "per_token", "joint")),
        ("against untouched", _fresh("recognition", "pmi", "joint")),
        ("both authors together", _fresh("recognition", "assigned")),
    ]
    return over_rounds(
        "Own against other",
        "Fresh texts on tuning topics; mean over players.",
        tuning,
        lines,
        levels=[Level("chance", 0.5)],
        percent=True,
        y_label="accuracy",
    )


def _lineups_chart(tuning: Sequence[EvaluationRow], players: int) -> Chart:
    lines: list[Line] = []
    if "head" in tuning[0]:
        lines.append(("each by its head", lambda row: row["head"]["top1"]))
    lines.append(("each by its own likelihood", _fresh("recognition", "lineup", "top1")))
    lines.append(("exact limit", _fresh("recognition", "limit", "top1")))
    levels = [Level("chance", 1 / players)]
    if players > 2:  # its own text, and one of the others by luck
        levels.append(Level("who knows only itself", 2 / players, (0, (5, 2))))
    return over_rounds(
        "Lineups",
        "Who wrote which of N texts: every player by its own likelihood only, and the exact limit, "
        "which knows all players.",
        tuning,
        lines,
        levels=levels,
        percent=True,
        y_label="share named rightly",
    )


def over_rounds(
    title: str,
    caption: str,
    rows: Sequence[EvaluationRow],
    lines: Sequence[Line],
    *,
    levels: Sequence[Level] = (),
    percent: bool = False,
    y_label: str,
) -> Chart:
    """Lines over the rounds.

    Args:
        title: heading.
        caption: how to read it.
        rows: evaluations on the tuning topics.
        lines: name, and what reads a number or an interval from a row.
        levels: reference lines.
        percent: of the vertical axis.
        y_label: its name.
    """
    colours = ("learned", "limit", "other", "level")
    styles = ("-", (0, (5, 2)), (0, (5, 1.5, 1.2, 1.5)), (0, (1.5, 2.0)))
    marks = "os^Dv"
    tracks = [
        Track(name, _series(rows, read), colours[n % 4], styles[n % 4], marks[n % 5])
        for n, (name, read) in enumerate(lines)
    ]

    def draw(theme: Theme) -> Figure:
        return line_chart(
            theme, tracks, levels, x_label="round", y_label=y_label, percent=percent, whole_x=True
        )

    ends = "; ".join(
        f"{t.label} from {t.series.value[0]:.3g} to {t.series.value[-1]:.3g}" for t in tracks
    )
    return Chart(title, caption, f"Lines over rounds: {ends}.", draw)


def _series(rows: Sequence[EvaluationRow], read: Callable[[EvaluationRow], Any]) -> Series:
    ends = np.array([_interval(read(row)) for row in rows], dtype=np.float64)  # (R, 3)
    value = ends[:, 0]
    low = np.where(np.isnan(ends[:, 1]), value, ends[:, 1])
    high = np.where(np.isnan(ends[:, 2]), value, ends[:, 2])
    return Series(np.array([float(row["iteration"]) for row in rows]), value, low, high)


def _interval(figure: Any) -> tuple[float | None, float | None, float | None]:
    """(value, low, high) of a number or of an interval; None becomes NaN in an array."""
    if isinstance(figure, dict):
        return figure["value"], figure["low"], figure["high"]
    return figure, None, None
