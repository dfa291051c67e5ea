"""Drawing without global state: themes, line charts, dot plots and heat maps as matplotlib Figures.

Nothing here touches pyplot or rcParams: two threads may draw at once, and a user's own plots stay
as they were. Colours keep apart for the common kinds of colour blindness, and every series also
differs in line style or marker.

Shape legend: N agents, J observers, P points of a line.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mirrorenv.mirror.arrays import Floats64
from mirrorenv.results.runs.record import Series

__all__ = [
    "DARK",
    "LIGHT",
    "Dots",
    "Level",
    "Theme",
    "Track",
    "dot_plot",
    "heat_map",
    "line_chart",
    "png",
    "short",
]

# inches; little wider than a phone, so that text hardly shrinks there
WIDTH = 4.3
HEIGHT = 3.1
DPI = 240
SMALL = 9.0  # points


@dataclass(frozen=True)
class Theme:
    """Colours of one appearance."""

    name: str
    surface: str
    ink: str
    muted: str
    grid: str
    learned: str
    limit: str
    other: str
    level: str
    heat: tuple[str, str, str]


LIGHT = Theme(
    name="light",
    surface="#ffffff",
    ink="#1c1d1f",
    muted="#5d6066",
    grid="#e6e7ea",
    learned="#0b66b2",
    limit="#c8500a",
    other="#8a5a9e",
    level="#75787e",
    heat=("#f4f7fb", "#7fb2dd", "#0a4a86"),
)
DARK = Theme(
    name="dark",
    surface="#1a1c20",
    ink="#ecedef",
    muted="#a3a7ae",
    grid="#30333a",
    learned="#5cb0f2",
    limit="#ff9a57",
    other="#cf9fe0",
    level="#8d9198",
    heat=("#20242b", "#2f6ea6", "#9fd3ff"),
)


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
    """A string fit for a picture: no control or direction characters, at most `most` characters."""
    kept = "".join(
        " " if unicodedata.category(mark)[0] == "C" else mark for mark in str(text)[: 4 * most]
    )
    return kept if len(kept) <= most else kept[: most - 1] + "…"


def _plain(texts: Sequence[Any]) -> None:
    """Names may hold dollar signs; matplotlib would read a formula in them and stop at a bad
    one."""
    for text in texts:
        text.set_parse_math(False)


def _canvas(theme: Theme, height: float = HEIGHT) -> tuple[Figure, Any]:
    figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=theme.surface, layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor(theme.surface)
    axes.tick_params(colors=theme.muted, labelsize=SMALL, length=0, pad=5)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(theme.grid)
    return figure, axes


def _legend(figure: Figure, axes: Any, theme: Theme, columns: int = 2) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        legend = figure.legend(
            handles,
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
        _plain(legend.get_texts())


def _thousands(value: float, _position: int = 0) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"


def _percent(value: float, _position: int = 0) -> str:
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
    figure, axes = _canvas(theme)
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
        axes.yaxis.set_major_formatter(FuncFormatter(_percent))
    axes.set_xlabel(x_label, color=theme.muted, fontsize=SMALL)
    axes.set_title(y_label, color=theme.muted, fontsize=SMALL, loc="left", pad=8)
    _legend(figure, axes, theme)
    return figure


def dot_plot(
    theme: Theme,
    names: Sequence[str],
    groups: Sequence[Dots],
    *,
    x_label: str,
    level: Level | None = None,
    percent: bool = False,
) -> Figure:
    """Rows of dots with interval whiskers, first row on top.

    Args:
        theme: the appearance.
        names: one a row.
        groups: the marks, e.g. before and after training.
        x_label: name and unit of the horizontal axis.
        level: a vertical reference line.
        percent: the horizontal axis is a share; write it as percentages from 0 to 100.
    """
    rows = np.arange(len(names))[::-1]
    figure, axes = _canvas(theme, height=max(HEIGHT * 0.75, 1.2 + 0.32 * len(names)))
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
    axes.set_yticks(rows, [short(name) for name in names])
    _plain(axes.get_yticklabels())
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
        axes.xaxis.set_major_formatter(FuncFormatter(_percent))
    axes.set_xlabel(x_label, color=theme.muted, fontsize=SMALL)
    _legend(figure, axes, theme, columns=3)
    return figure


def _ink_on(colour: tuple[float, ...]) -> str:
    """Black or white, whichever reads better on a colour (relative luminance, sRGB)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#111111" if luminance > 0.18 else "#ffffff"


def heat_map(theme: Theme, values: Floats64, *, x_label: str, y_label: str) -> Figure:
    """A matrix of probabilities as colours, with the numbers in whole percent up to 16 columns.

    Args:
        theme: the appearance.
        values: (rows, columns), each in 0..1, NaN where unknown.
        x_label: what a column is.
        y_label: what a row is.
    """
    rows, columns = values.shape
    figure, axes = _canvas(theme, height=3.4)
    colours = LinearSegmentedColormap.from_list("belief", list(theme.heat), bad=theme.grid)
    image = axes.imshow(np.ma.masked_invalid(values), cmap=colours, vmin=0.0, vmax=1.0)
    if max(rows, columns) <= 16:
        size = float(np.clip(56 / max(rows, columns), 5.0, 12))
        for (row, column), value in np.ndenumerate(values):
            known = np.isfinite(value)
            ink = _ink_on(colours(float(np.clip(value, 0, 1)))) if known else theme.muted
            text = f"{100 * value:.0f}" if known else "?"
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=size)
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=theme.surface, linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=min(columns, 16), integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(nbins=min(rows, 16), integer=True))
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel(x_label, color=theme.muted, fontsize=SMALL)
    axes.set_ylabel(y_label, color=theme.muted, fontsize=SMALL)
    bar = figure.colorbar(image, ax=axes, shrink=0.85, pad=0.03, format=FuncFormatter(_percent))
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=theme.muted, labelsize=SMALL, length=0)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG bytes, the same for the same figure (no dates, no program names)."""
    buffer = io.BytesIO()
    # Not savefig: it lays out and draws everything twice.
    FigureCanvasAgg(figure).print_png(buffer, metadata={"Software": None})  # type: ignore[no-untyped-call]
    return buffer.getvalue()
