"""A matrix of probabilities as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mirrorenv.mirror.arrays import Floats64
from mirrorenv.results.report.plots import SMALL, as_percent, as_text, canvas, short
from mirrorenv.results.report.themes import Theme

__all__ = ["heat_map"]

LINE = 28
"""Letters of names that fit below a picture."""


def _ink_on(colour: tuple[float, ...]) -> str:
    """Black or white, whichever reads better on a colour (relative luminance, sRGB)."""
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3]]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#111111" if luminance > 0.18 else "#ffffff"


def heat_map(
    theme: Theme, values: Floats64, names: Sequence[str], *, x_label: str, y_label: str
) -> Figure:
    """A matrix of probabilities as colours, with the numbers in whole percent up to 16 columns.

    Args:
        theme: the appearance.
        values: (N, N), each in 0..1, NaN where unknown.
        names: of the N agents, written out up to 16 of them.
        x_label: what a column is.
        y_label: what a row is.
    """
    rows, columns = values.shape
    figure, axes = canvas(theme, height=3.4)
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
    if len(names) == rows == columns <= 16:
        shown = [short(name, 12) for name in names]
        slanted = {"rotation": 40, "ha": "right"} if sum(map(len, shown)) > LINE else {}
        axes.set_xticks(range(columns), shown, **slanted)
        axes.set_yticks(range(rows), shown)
        as_text([*axes.get_xticklabels(), *axes.get_yticklabels()])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlabel(x_label, color=theme.muted, fontsize=SMALL)
    axes.set_ylabel(y_label, color=theme.muted, fontsize=SMALL)
    bar = figure.colorbar(image, ax=axes, shrink=0.85, pad=0.03, format=FuncFormatter(as_percent))
    bar.outline.set_visible(False)
    bar.ax.tick_params(colors=theme.muted, labelsize=SMALL, length=0)
    return figure
