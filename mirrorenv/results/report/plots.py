"""Drawing without global state: themes, line charts and dot plots as matplotlib Figures.

Nothing here touches pyplot or rcParams: two threads may draw at once, and a user's own plots stay
as they were. Colours keep apart for the common kinds of colour blindness, and every series also
differs in line style or marker.

Shape legend: N agents, J observers, P points of a line.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mirrorenv.mirror.arrays import Floats64
from mirrorenv.plain_text import plain
from mirrorenv.results.report.themes import Theme
from mirrorenv.results.runs.record import Series

__all__ = [
    "Dots",
    "Level",
    "Track",
    "as_percent",
    "as_text",
    "canvas",
    "dot_plot",
    "grid",
    "legend_of",
    "line_chart",
    "png",
    "short",
]

# inches; little wider than a phone, so that text hardly shrinks there
WIDTH = 4.3
HEIGHT = 3.1
DPI = 240
SMALL = 9.0  # points
_HANDLE = 5.2 * SMALL  # points of a legend besides its letters: the line, and room around it


@dataclass(frozen=True)
class Track:
    """One line of a chart.

    Attributes:
        label: its name in the legend.
        series: points (P,), with an interval where known.
        colour: an attribute of `Theme`.
        style: matplotlib line style.
        marker: matplotlib marker, or empty.
        width: line width in points.
        faint: draw thin and pale, for background.
    """

    label: str
    series: Series
    colour: str = "learned"
    style: Any = "-"
    marker: str = "o"
    width: float = 2.0
    faint: bool = False


@dataclass(frozen=True)
class Level:
    """A horizontal reference line."""

    label: str
    value: float
    style: Any = (0, (1.5, 2.0))
    colour: str = "level"


@dataclass(frozen=True)
class Dots:
    """One kind of mark in a dot plot: a value a row, NaN where there is none; each array
    (rows,)."""

    label: str
    value: Floats64
    low: Floats64
    high: Floats64
    filled: bool = True
    colour: str = "learned"


def short(text: object, most: int = 26) -> str:
    """A string fit for a picture: one line, invisible marks shown by their codes, at most `most`
    characters."""
    kept = plain(str(text)[: 4 * most]).replace("\n", " ").replace("\t", " ")
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def as_text(texts: Sequence[Any]) -> None:
    """Names may hold dollar signs; matplotlib would read a formula in them and stop at a bad
    one."""
    for text in texts:
        text.set_parse_math(False)


def canvas(theme: Theme, height: float = HEIGHT) -> tuple[Figure, Any]:
    """An empty picture as wide as all of them, and its axes.

    Args:
        theme: the appearance.
        height: in inches.
    """
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=theme.surface, layout="constrained")
    axes = figure.add_subplot()
    _bare(axes, theme)
    return figure, axes


def grid(theme: Theme, rows: int, columns: int) -> tuple[Figure, Any]:
    """Small pictures in rows and columns.

    Args:
        theme: the appearance.
        rows: how many below each other.
        columns: how many side by side.

    Returns:
        the picture, and its axes as an array (rows, columns).
    """
    size = (WIDTH, max(HEIGHT * 0.75, 0.8 + 0.72 * rows))
    figure = Figure(figsize=size, dpi=DPI, facecolor=theme.surface, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    for one in axes.flat:
        _bare(one, theme)
    return figure, axes


def _bare(axes: Any, theme: Theme) -> None:
    """Axes without a frame."""
    axes.set_facecolor(theme.surface)
    axes.tick_params(colors=theme.muted, labelsize=SMALL, length=0, pad=5)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(theme.grid)


def legend_of(
    figure: Figure,
    axes: Any,
    theme: Theme,
    columns: int = 2,
    handles: Sequence[Any] | None = None,
) -> None:
    """A legend above the picture, in as many columns as fit beside each other.

    Args:
        figure: the picture.
        axes: whose lines are named.
        theme: the appearance.
        columns: at most so many.
        handles: what to name in place of the axes' lines.
    """
    found, labels = axes.get_legend_handles_labels()
    if handles is not None:
        found = list(handles)
        labels = [one.get_label() for one in handles]
    if found:
        labels = [_cut(short(label, 80), WIDTH * 72 - _HANDLE) for label in labels]
        columns = _columns_that_fit(labels, columns)
        legend = figure.legend(
            found,
            labels,
            loc="outside upper left",
            ncols=columns,
            frameon=False,
            fontsize=SMALL,
            labelcolor=theme.ink,
            handlelength=2.4,
            columnspacing=1.6,
            borderaxespad=0.2,
        )
        as_text(legend.get_texts())


def _columns_that_fit(labels: Sequence[str], most: int) -> int:
    """How many columns of a legend fit the width: each is as wide as its longest label."""
    widths = np.array([_width(label) for label in labels])
    for columns in range(min(most, len(labels)), 1, -1):
        # a legend fills one column after the other
        widest = [float(part.max()) for part in np.array_split(widths, columns)]
        if sum(widest) + _HANDLE * columns <= WIDTH * 72:
            return columns
    return 1


def _cut(label: str, room: float) -> str:
    """A label that is no wider than so many points."""
    while len(label) > 2 and _width(label) > room:
        label = label.removesuffix("…")[:-1] + "…"
    return label


def _width(label: str) -> float:
    """Of a label of a legend in points."""
    font = FontProperties(size=SMALL)
    width, _, _ = text_to_path.get_text_width_height_descent(label, font, ismath=False)
    return float(width)


def _thousands(value: float, _position: int = 0) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def as_percent(value: float, _position: int = 0) -> str:
    """A tick of an axis of shares."""
    return f"{100 * value:g} %"


def _draw_track(axes: Any, track: Track, theme: Theme) -> None:
    colour = getattr(theme, track.colour)
    points = track.series
    known = np.isfinite(points.value)
    steps, value, low, high = (array[known] for array in points)
    if track.faint:
        axes.plot(
            steps, value, color=colour, linewidth=1.0, alpha=0.45, label=track.label, zorder=2
        )
        return
    marker = track.marker if len(steps) <= 40 else ""
    if len(steps) == 1:  # a band of one point has no width
        axes.vlines(steps, low, high, color=colour, linewidth=track.width, alpha=0.6, zorder=3)
        marker = track.marker or "o"
    else:
        axes.fill_between(steps, low, high, color=colour, alpha=0.18, linewidth=0, zorder=2)
    axes.plot(
        steps,
        value,
        color=colour,
        linestyle=track.style,
        linewidth=track.width,
        marker=marker,
        markersize=4.5,
        markeredgewidth=0,
        label=track.label,
        zorder=4,
        solid_capstyle="round",
    )


def line_chart(
    theme: Theme,
    tracks: Sequence[Track],
    levels: Sequence[Level] = (),
    *,
    x_label: str,
    y_label: str,
    y_range: tuple[float | None, float | None] = (None, None),
    percent: bool = False,
    whole_x: bool = False,
) -> Figure:
    """Lines with interval bands and horizontal reference lines.

    Args:
        theme: the appearance.
        tracks: the lines.
        levels: reference lines across the chart.
        x_label: name and unit of the horizontal axis.
        y_label: name and unit of the vertical axis, written above it.
        y_range: lower and upper end of the vertical axis; None leaves one to the data.
        percent: write the vertical axis as percentages.
        whole_x: the horizontal axis counts single steps, not thousands.
    """
    figure, axes = canvas(theme)
    for level in levels:
        axes.axhline(
            level.value,
            color=getattr(theme, level.colour),
            linestyle=level.style,
            linewidth=1.4,
            label=level.label,
            zorder=1,
        )
    for track in tracks:
        _draw_track(axes, track, theme)
    axes.grid(axis="y", color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.set_ylim(*y_range)
    axes.margins(x=0.02)
    places = {float(step) for track in tracks for step in track.series.steps}
    if len(places) == 1:
        axes.set_xticks(list(places))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6))
    if not whole_x:
        axes.xaxis.set_major_formatter(FuncFormatter(_thousands))
    if percent:
        axes.yaxis.set_major_formatter(FuncFormatter(as_percent))
    axes.set_xlabel(x_label, color=theme.muted, fontsize=SMALL)
    axes.set_title(y_label, color=theme.muted, fontsize=SMALL, loc="left", pad=8)
    legend_of(figure, axes, theme)
    return figure


def dot_plot(
    theme: Theme,
    names: Sequence[str],
    groups: Sequence[Dots],
    *,
    x_label: str,
    level: Level | None = None,
    percent: bool = False,
    longest: int = 26,
) -> Figure:
    """Rows of dots with interval whiskers, first row on top.

    Args:
        theme: the appearance.
        names: one a row.
        groups: the marks, e.g. before and after training.
        x_label: name and unit of the horizontal axis.
        level: a vertical reference line.
        percent: the horizontal axis is a share; write it as percentages from 0 to 100.
        longest: letters of a name before it is cut.
    """
    rows = np.arange(len(names))[::-1]
    figure, axes = canvas(theme, height=max(HEIGHT * 0.75, 1.2 + 0.32 * len(names)))
    if level is not None:
        axes.axvline(
            level.value,
            color=theme.level,
            linestyle=level.style,
            linewidth=1.4,
            label=level.label,
            zorder=1,
        )
    for group in groups:
        colour = getattr(theme, group.colour)
        axes.hlines(rows, group.low, group.high, color=colour, linewidth=2.0, alpha=0.55, zorder=3)
        axes.plot(
            group.value,
            rows,
            linestyle="none",
            marker="o" if group.filled else "D",
            markersize=7 if group.filled else 5.5,
            markeredgecolor=colour,
            markeredgewidth=1.6,
            markerfacecolor=colour if group.filled else theme.surface,
            label=group.label,
            zorder=4 if group.filled else 5,
        )
    axes.set_yticks(rows, [short(name, longest) for name in names])
    as_text(axes.get_yticklabels())
    axes.tick_params(axis="y", labelcolor=theme.ink)
    axes.set_ylim(-0.6, len(names) - 0.4)
    if percent:
        axes.set_xlim(-0.02, 1.03)
    else:
        axes.margins(x=0.06)
    axes.grid(axis="x", color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=6))
    if percent:
        axes.xaxis.set_major_formatter(FuncFormatter(as_percent))
    axes.set_xlabel(x_label, color=theme.muted, fontsize=SMALL)
    legend_of(figure, axes, theme, columns=3)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG bytes, the same for the same figure (no dates, no program names)."""
    buffer = io.BytesIO()
    # Not savefig: it lays out and draws everything twice.
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()
