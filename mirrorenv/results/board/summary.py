"""What a stranger comes to a leaderboard for: who is recognised how far, world by world.

The tables of a board are compared line by line. Here stands one row for each world and kind of
agent: the condition in which it is recognised most, and the one in which it is recognised least.
Both come from one table of the board, that with the most seeds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mirrorenv.results.board.board import Cell, Line, Section
from mirrorenv.results.report.chart import Chart
from mirrorenv.results.report.plots import Dots, dot_plot
from mirrorenv.results.report.words import percent
from mirrorenv.results.stats.estimates import OverSeeds, tied_groups

__all__ = ["OURS", "RECOGNITION", "Recognised", "chart", "recognised"]

RECOGNITION = ("learned.top1", "top1", "peer_hits", "hits")
"""Figures that are a share of things given to their true author, the first that a line has."""
OURS = "mirrorenv/"
"""Left out before the name of a world of ours."""
MOST_ROWS = 40
"""Rows of the chart; the table has them all."""


@dataclass(frozen=True)
class Recognised:
    """How far one kind of agent is recognised in one world.

    Attributes:
        world: without its options.
        agents: the kind.
        most: the line with the highest share.
        least: the line with the lowest; the same line if there is one only.
        most_cell: the share of `most`.
        least_cell: the share of `least`.
        lines: how many lines of the table there were to choose from.
        section: number of the table on the board.
        place: among the kinds of agent in this world that come from the same table, shared by all
            that may be equal; None if no order is known.
    """

    world: str
    agents: str
    most: Line
    least: Line
    most_cell: Cell
    least_cell: Cell
    lines: int
    section: int
    place: int | None = None


Candidate = tuple[int, Line, Cell]
"""A table's number, a line of it, and its share."""


def recognised(sections: Sequence[Section]) -> list[Recognised]:
    """One row for each world and kind of agent: worlds from A, in each the highest share first.

    Args:
        sections: of the board; smoke runs are left out, as they are no results.
    """
    held: dict[tuple[str, str], list[Candidate]] = {}
    for number, section in enumerate(sections):
        if section.smoke:
            continue
        for line in section.lines:
            cell = _share(line)
            if cell is not None:
                held.setdefault((_base(line.world), line.agents), []).append((number, line, cell))
    rows = [_row(world, agents, found) for (world, agents), found in held.items()]
    return sorted(_placed(rows), key=_order)


def _order(row: Recognised) -> tuple[str, float, str]:
    return row.world.removeprefix(OURS), -row.most_cell.estimate.value, row.agents


def _share(line: Line) -> Cell | None:
    return next((line.cells[name] for name in RECOGNITION if name in line.cells), None)


def _base(world: str) -> str:
    """A world's name without its options."""
    words = world.split(" ")
    options = next((n for n, word in enumerate(words) if "=" in word), len(words))
    return " ".join(words[:options])


def _row(world: str, agents: str, found: list[Candidate]) -> Recognised:
    def weight(candidate: Candidate) -> tuple[int, int]:
        number, line, _ = candidate
        return len(line.seeds), -number

    chosen, _, _ = max(found, key=weight)
    kept = [(line, cell) for number, line, cell in found if number == chosen]
    most, most_cell = max(kept, key=lambda one: one[1].estimate.value)
    least, least_cell = min(kept, key=lambda one: one[1].estimate.value)
    return Recognised(world, agents, most, least, most_cell, least_cell, len(kept), chosen)


def _placed(rows: Iterable[Recognised]) -> list[Recognised]:
    """The rows with their places, where the intervals over seeds of one table tell them."""
    rows = list(rows)
    tables: dict[tuple[str, int], dict[str, OverSeeds]] = {}
    for row in rows:
        found = row.most_cell.found
        if isinstance(found, OverSeeds) and found.estimate.n > 1 and row.most.asked is None:
            tables.setdefault((row.world, row.section), {})[row.agents] = found
    places: dict[tuple[str, str], int] = {}
    for (world, _), cells in tables.items():
        if len(cells) < 2:
            continue
        for place, group in enumerate(tied_groups(cells), start=1):
            places |= {(world, agents): place for agents in group}
    return [replace(row, place=places.get((row.world, row.agents))) for row in rows]


def chart(rows: Sequence[Recognised]) -> Chart | None:
    """Every row as two marks with their intervals; None without a row.

    Args:
        rows: from :func:`recognised`.
    """
    shown = list(rows)[:MOST_ROWS]
    if not shown:
        return None
    names = [f"{row.world.removeprefix(OURS)}, {row.agents}" for row in shown]
    groups = [
        _dots("recognised least", [row.least_cell for row in shown], filled=False),
        _dots("recognised most", [row.most_cell for row in shown], filled=True),
    ]
    said = "; ".join(
        f"{name} {percent(row.least_cell.estimate.value)} to "
        f"{percent(row.most_cell.estimate.value)}"
        for name, row in zip(names, shown, strict=True)
    )
    left_out = len(rows) - len(shown)
    more = f" {left_out} more rows are in the table." if left_out else ""
    return Chart(
        "Who is recognised how far",
        "Share of trajectories or texts given to their true author, in the condition where a kind "
        "of agent is recognised most and in the one where it is recognised least, with 95 % "
        f"intervals.{more}",
        f"Dot plot of the least and the most recognised condition: {said}.",
        lambda theme: dot_plot(
            theme, names, groups, x_label="recognised (top-1)", percent=True, longest=34
        ),
    )


def _dots(label: str, cells: list[Cell], *, filled: bool) -> Dots:
    found = [cell.estimate for cell in cells]
    value = np.array([one.value for one in found])
    low = np.array([one.low if one.bounded else np.nan for one in found])
    high = np.array([one.high if one.bounded else np.nan for one in found])
    return Dots(label, value, low, high, filled, "learned" if filled else "limit")
