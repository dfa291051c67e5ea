"""How a leaderboard opens, as a page and as Markdown: one chart and one table before all others."""

from __future__ import annotations

from collections.abc import Sequence

from mirrorenv.results.board.board import Cell as BoardCell
from mirrorenv.results.board.board import Line, Section
from mirrorenv.results.board.summary import OURS, Recognised, chart, recognised
from mirrorenv.results.board.text import READ, cell_text, count_text, markdown_row, markdown_text
from mirrorenv.results.report.glossary import SHARED
from mirrorenv.results.report.page import Cell, figure, table
from mirrorenv.results.report.templates import Html, render
from mirrorenv.results.report.visible import visible
from mirrorenv.results.report.words import DASH, counted

__all__ = ["opening", "opening_markdown"]

HEADS = ("World, kind of agent", "Recognised most", "in", "Least", "in", "Place", "Seeds", "Table")
WORDS = (
    *SHARED,
    ("Condition", "what was done: the reward, its weight, a control, a kind of observer"),
    ("Exact limit", "the best any observer could do, computed from the agents' own policies"),
    ("Mirror", "the reward for being recognised; weight 0 trains without it"),
    (
        "Seed",
        "one whole training from its own random start; a line of several shows how far the next "
        "one may lie off",
    ),
)


def opening(sections: Sequence[Section], title: str) -> Html:
    """The head of the page.

    Args:
        sections: of the board.
        title: of the page.
    """
    rows = recognised(sections)
    drawn = chart(rows)
    lines = sum(len(section.lines) for section in sections)
    caption = "Share given to the true author, with 95 % intervals."
    return render(
        "mirrorenv.results.board",
        "opening.html",
        facts=f"{counted(lines, 'line')} in {counted(len(sections), 'table')}",
        title=title,
        chart=figure(drawn) if drawn is not None else "",
        table=table(HEADS, [_cells(row) for row in rows], caption, "opened"),
        read=READ,
        words=WORDS,
    )


def _name(row: Recognised) -> str:
    return f"{row.world.removeprefix(OURS)}, {row.agents}"


def _cells(row: Recognised) -> list[Cell]:
    most = [_number(row.most_cell, row.most), _condition(row.most)]
    least = [_number(row.least_cell, row.least), _condition(row.least)]
    link = render("mirrorenv.results.board", "link.html", section=row.section)
    return [
        _name(row),
        *most,
        *(least if row.lines > 1 else [DASH, DASH]),
        DASH if row.place is None else str(row.place),
        count_text(row.most),
        link,
    ]


def _number(cell: BoardCell, line: Line) -> Cell:
    text, _ = cell_text(cell, line.exact)
    value, _, around = text.partition(" ")
    return value, around


def _condition(line: Line) -> Html:
    return render("mirrorenv.results.board", "condition.html", line=line, options=_options(line))


def _options(line: Line) -> str:
    return " ".join(word for word in line.world.split(" ") if "=" in word)


def opening_markdown(sections: Sequence[Section]) -> list[str]:
    """The same table, lines of Markdown.

    Args:
        sections: of the board.
    """
    rows = recognised(sections)
    if not rows:
        return []
    found = [
        "## Who is recognised how far",
        "",
        "Share of trajectories or texts given to their true author, in the condition where a kind "
        "of agent is recognised most and in the one where it is recognised least; guessing gets "
        "one in N. Kinds of one place may be equal; a dash means that no order is known.",
        "",
        markdown_row(HEADS),
        markdown_row(["---", "---:", "---", "---:", "---", "---:", "---", "---"]),
    ]
    for row in rows:
        most, _ = cell_text(row.most_cell, row.most.exact)
        least, _ = cell_text(row.least_cell, row.least.exact)
        several = row.lines > 1
        cells = [
            _name(row),
            most,
            f"{row.most.condition} {_options(row.most)}".strip(),
            least if several else DASH,
            f"{row.least.condition} {_options(row.least)}".strip() if several else DASH,
            DASH if row.place is None else str(row.place),
            count_text(row.most),
            sections[row.section].title,
        ]
        found.append(markdown_row([markdown_text(visible(cell)) for cell in cells]))
    return [*found, ""]
