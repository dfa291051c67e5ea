"""The plane of recognition and usefulness over seeds and conditions, as one SVG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from mirrorenv.results.report.plots import SMALL
from mirrorenv.results.report.themes import LIGHT
from mirrorenv.results.runs.files import atomic_write_text

__all__ = ["frontier_svg"]

_MARKS = "osD^v"
_COLOURS = (LIGHT.learned, LIGHT.limit, LIGHT.other, LIGHT.level, LIGHT.muted)


_PANELS = (
    ("two texts, by both authors together", "both", "fresh_assigned"),
    ("own against other, each author alone", "fresh", "fresh_sum"),
)


def _frame(axes: Axes, bound: float, enough: float) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(LIGHT.grid)
    axes.tick_params(colors=LIGHT.muted, labelsize=SMALL, length=0, pad=5)
    axes.grid(color=LIGHT.grid, linewidth=0.8)
    axes.axvline(bound, color=LIGHT.level, linestyle=(0, (1.5, 2.0)), linewidth=1.3)
    axes.axhline(
        enough, color=LIGHT.level, linestyle=(0, (1.5, 2.0)), linewidth=1.3, label="targets"
    )
    axes.axhline(0.5, color=LIGHT.level, linestyle=(0, (5, 2)), linewidth=1.1, label="chance")
    axes.set_ylim(-0.02, 1.04)


def _way(axes: Axes, path: Sequence[dict[str, Any]], figure: str, colour: str) -> None:
    """The rounds of a run; crosses were rolled back."""
    kept = [place for place in path if not place["rolled_back"]]
    axes.plot(
        [one["perplexity"] for one in kept],
        [one[figure] for one in kept],
        color=colour,
        alpha=0.3,
        linewidth=1,
    )
    for place in path:
        axes.plot(
            place["perplexity"],
            place[figure],
            color=colour,
            alpha=0.4,
            linestyle="none",
            marker="x" if place["rolled_back"] else ".",
            markersize=5,
        )


def frontier_svg(runs: Sequence[dict[str, Any]], path: Path, bound: float, enough: float) -> None:
    """Draw every run's way over the rounds, and where it ended on the held-out topics.

    Args:
        runs: figures of finished runs.
        path: of the SVG.
        bound: largest perplexity that counts as useful, as a multiple.
        enough: recognition that is aimed at.
    """
    figure = Figure(figsize=(9.0, 4.2), facecolor=LIGHT.surface, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (title, on_the_way, at_the_end) in zip(panels, _PANELS, strict=True):
        _frame(axes, bound, enough)
        axes.set_title(title, color=LIGHT.muted, fontsize=SMALL, loc="left", pad=8)
        for number, condition in enumerate(dict.fromkeys(run["condition"] for run in runs)):
            colour = _COLOURS[number]
            mark = _MARKS[number]
            some = [run for run in runs if run["condition"] == condition]
            for run in some:
                _way(axes, run["path"], on_the_way, colour)
            ends = [run["held_out"] for run in some]
            axes.plot(
                [one["perplexity"] for one in ends],
                [one[at_the_end] for one in ends],
                color=colour,
                marker=mark,
                linestyle="none",
                markersize=8,
                markeredgecolor=LIGHT.surface,
                label=condition.replace("_", " "),
            )
    figure.supxlabel(
        "perplexity over that of the first texts (worst player)", color=LIGHT.muted, fontsize=SMALL
    )
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=7,
        frameon=False,
        fontsize=SMALL - 1,
        labelcolor=LIGHT.ink,
    )
    out = io.StringIO()
    # the same figures give the same bytes
    with rc_context({"svg.hashsalt": "mirrorenv", "svg.fonttype": "none"}):
        FigureCanvasSVG(figure).print_svg(out, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    atomic_write_text(path, out.getvalue())
