"""The page of an identity: which agent is taken for which, what tells, how soon it is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from mirrorenv.instrument.measured import Part
from mirrorenv.instrument.telling_apart import Identity
from mirrorenv.instrument.words import headline, sentences
from mirrorenv.mirror.intervals import Estimate
from mirrorenv.results.report.chart import Chart
from mirrorenv.results.report.heat import heat_map
from mirrorenv.results.report.page import (
    details,
    document,
    figure,
    header,
    listed,
    paragraph,
    pictures,
    section,
    table,
)
from mirrorenv.results.report.plots import SMALL, canvas, short
from mirrorenv.results.report.templates import Html
from mirrorenv.results.report.themes import Theme
from mirrorenv.results.runs.files import atomic_write_text

__all__ = ["write_page"]

_SHOWN = 12
"""Columns of the log in the picture of what tells."""


def write_page(found: Identity, path: Path, name: str) -> Path:
    """Write a self-contained page.

    Args:
        found: what was measured.
        path: of the page.
        name: of the log, for the title.

    Raises:
        RunFolderError: if the disk refuses.
    """
    said = sentences(found)
    parts = [header(f"Who did which: {name}", said[:1], kicker="identity", lead=said[1])]
    parts.append(section("What else was found", listed(said[2:])))
    if found.warnings:
        parts.append(section("Names that are given away", listed(found.warnings)))
    charts = [_matrix(found), _what_tells(found.parts, "What tells", "each kind of reader alone")]
    if found.columns:
        charts.append(
            _what_tells(
                found.columns[:_SHOWN], "Which column tells", "each column of the log alone"
            )
        )
    if len(found.curve) > 1:
        charts.append(_curve(found))
    charts.append(_evidence(found))
    parts.append(section("In pictures", pictures(figure(one) for one in charts)))
    parts.append(section("In numbers", *_tables(found)))
    parts.append(details("How the log was understood, and what the words mean", _help(found)))
    return atomic_write_text(path, document(f"Identity of {name}", *parts))


def _matrix(found: Identity) -> Chart:
    names = found.lineups.names
    matrix = found.reading.matrix

    def draw(theme: Theme) -> Figure:
        return heat_map(theme, matrix, names, x_label="is believed to be", y_label="author")

    diagonal = float(np.diag(matrix).mean())
    return Chart(
        "Which agent is taken for which",
        "Mean belief in percent; a row is the author. Recognised agents stand on the diagonal.",
        f"A matrix of {len(names)} agents; the mean belief in the true author is {diagonal:.2f}.",
        draw,
    )


def _what_tells(parts: Sequence[Part], title: str, caption: str) -> Chart:
    names = [short(one.part) for one in parts]

    def draw(theme: Theme) -> Figure:
        drawn, axes = canvas(theme, height=0.6 + 0.32 * len(parts))
        place = np.arange(len(parts))[::-1]
        values = np.array([one.identity.value for one in parts])
        axes.barh(place, np.maximum(values, 0.0), height=0.55, color=theme.learned, alpha=0.35)
        _whiskers(axes, theme, [one.identity for one in parts], place)
        axes.set_yticks(place, names)
        axes.set_xlabel("nats a trajectory", fontsize=SMALL, color=theme.muted)
        axes.set_xlim(left=min(0.0, float(values.min())))
        return drawn

    best = parts[0]
    return Chart(
        title,
        f"Identity that is read from {caption}, with its interval. They overlap and do not add up.",
        f"{len(parts)} bars; the longest is {best.part} with {best.identity} nats.",
        draw,
    )


def _whiskers(axes: object, theme: Theme, found: Sequence[Estimate], place: object) -> None:
    low = [max(0.0, one.value - one.low) if one.bounded else 0.0 for one in found]
    high = [max(0.0, one.high - one.value) if one.bounded else 0.0 for one in found]
    values = [one.value for one in found]
    axes.errorbar(  # type: ignore[attr-defined]
        values, place, xerr=[low, high], fmt="o", color=theme.learned, markersize=4, linewidth=1.4
    )


def _curve(found: Identity) -> Chart:
    known = [k for k, _ in found.curve]
    nats = [one for _, one in found.curve]

    def draw(theme: Theme) -> Figure:
        drawn, axes = canvas(theme)
        values = [one.value for one in nats]
        axes.fill_between(
            known,
            [one.low for one in nats],
            [one.high for one in nats],
            color=theme.learned,
            alpha=0.2,
            linewidth=0,
        )
        axes.plot(known, values, "-o", color=theme.learned, markersize=4)
        if found.ceiling is not None:
            axes.axhline(found.ceiling.identity.value, color=theme.limit, linestyle=(0, (5, 2)))
        axes.set_xscale("log", base=2)
        axes.set_xticks(known, [str(k) for k in known])
        axes.set_xlabel("episodes of each agent that are known", fontsize=SMALL, color=theme.muted)
        axes.set_ylabel("nats a trajectory", fontsize=SMALL, color=theme.muted)
        return drawn

    return Chart(
        "Known from few episodes",
        "Half of the episodes are read; from the other half so many of each agent are learned.",
        f"A curve from {nats[0]} nats at {known[0]} episode(s) to {nats[-1]} at {known[-1]}.",
        draw,
    )


def _evidence(found: Identity) -> Chart:
    log_e = found.watched.log_e / np.log(10)

    def draw(theme: Theme) -> Figure:
        drawn, axes = canvas(theme)
        axes.plot(np.arange(1, len(log_e) + 1), log_e, color=theme.learned)
        axes.axhline(np.log10(20.0), color=theme.level, linestyle=(0, (5, 2)))
        unit = "episodes" if found.lineups.together else "trajectories"
        axes.set_xlabel(f"{unit}, {found.watched.order}", fontsize=SMALL, color=theme.muted)
        axes.set_ylabel("e-value, power of ten", fontsize=SMALL, color=theme.muted)
        return drawn

    return Chart(
        "More than chance?",
        "E-value against agents that do not differ. Past the dashed line, 20, that is rejected, "
        "however often one looks.",
        f"A line that ends at 10 to the power of {log_e[-1]:.1f}.",
        draw,
    )


def _tables(found: Identity) -> list[Html]:
    rows = [[one.part, str(one.identity)] for one in found.parts]
    tables = [table(["what is read", "nats"], rows, "What each reader knows by itself")]
    if found.columns:
        columns = [[one.part, str(one.identity)] for one in found.columns]
        tables.append(table(["column", "nats"], columns, "What each column tells by itself"))
    counts = np.bincount(found.lineups.agent)
    agents = []
    for index, name in enumerate(found.lineups.names):
        own = found.reading.nats[found.lineups.agent == index].mean()
        agents.append([name, f"{counts[index]:,}", f"{own:.3f}"])
    tables.append(table(["agent", "trajectories", "nats"], agents, "Each agent"))
    return tables


def _help(found: Identity) -> Html:
    return Html("").join(
        [
            listed(found.notes),
            paragraph(
                f"{headline(found)}: log K plus the mean log belief in the true author, K being "
                "how many agents may have made a trajectory. 0: they cannot be told apart by these "
                "readers. It is a lower bound on the mutual information of author and trajectory. "
                "The lower end of the interval and the value come from readers that were fitted on "
                "other episodes (Student's t over episodes); the upper end is at least what the "
                "same readers say of the episodes they were fitted on, which is too much."
            ),
            paragraph(
                "E-value: what a bet of one against 'no agent differs from another' has become. "
                "If that were true it would ever reach 20 with a chance of one in twenty at most."
            ),
        ]
    )
