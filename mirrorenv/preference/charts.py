"""Pictures of a run: recognition against usefulness, and both over the rounds. No torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from mirrorenv.results.report.chart import Chart
from mirrorenv.results.report.plots import (
    DPI,
    HEIGHT,
    SMALL,
    WIDTH,
    Level,
    Theme,
    Track,
    line_chart,
)
from mirrorenv.results.runs.record import Series

__all__ = ["Point", "over_rounds", "pareto", "points_of"]


Line = tuple[str, Callable[[dict[str, Any]], Any]]
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


def points_of(rows: Sequence[dict[str, Any]]) -> list[Point]:
    """One point for each evaluation on the tuning topics."""
    tuning = [row for row in rows if row.get("split") == "tuning"]
    found = []
    for row in tuning:
        joint = row["fresh"]["recognition"]["assigned"]
        first, now = row["first"]["useful"], row["fresh"]["useful"]
        cost = max(now[name]["perplexity"] / first[name]["perplexity"] for name in now)
        low, high = (
            joint["value"] if joint[end] is None else joint[end] for end in ("low", "high")
        )
        found.append(
            Point(
                row["iteration"], joint["value"], low, high, cost, not row.get("rolled_back", False)
            )
        )
    return found


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
    """Numbers of the rounds, those on one spot together."""
    found: dict[tuple[float, float], str] = {}
    for point in points:
        spot, text = (
            (point.cost, point.recognition),
            f"{point.round}*" if point.round == best else str(point.round),
        )
        near = next(
            (at for at in found if abs(at[0] / spot[0] - 1) < 0.05 and abs(at[1] - spot[1]) < 0.04),
            spot,
        )
        found[near] = f"{found[near]}, {text}" if near in found else text
    return found


def over_rounds(
    title: str,
    caption: str,
    rows: Sequence[dict[str, Any]],
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


def _series(rows: Sequence[dict[str, Any]], read: Callable[[dict[str, Any]], Any]) -> Series:
    found = [read(row) for row in rows]
    triples = [
        (one["value"], one["low"], one["high"]) if isinstance(one, dict) else (one, None, None)
        for one in found
    ]
    array = np.array(
        [[np.nan if x is None else x for x in triple] for triple in triples], dtype=np.float64
    )
    low, high = (np.where(np.isnan(array[:, k]), array[:, 0], array[:, k]) for k in (1, 2))
    return Series(np.array([float(row["iteration"]) for row in rows]), array[:, 0], low, high)
