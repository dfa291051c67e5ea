"""How a leaderboard opens, as a page and as Markdown: one chart and one table before all others."""

from __future__ import annotations

from collections.abc import Sequence

from mirrorenv.results.board.board import Cell, Line, Section
from mirrorenv.results.board.summary import OURS, Recognised, chart, recognised
from mirrorenv.results.board.text import READ, cell_text, count_text, markdown_row, markdown_text
from mirrorenv.results.report.glossary import SHARED
from mirrorenv.results.report.page import escape, picture, table, visible
from mirrorenv.results.report.plots import png
from mirrorenv.results.report.templates import Html, render
from mirrorenv.results.report.themes import DARK, LIGHT
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


def opening(sections: Sequence[Section], title: str) -> str:
    """The head of the page, HTML.

    Args:
        sections: of the board.
        title: of the page.
    """
    rows = recognised(sections)
    drawn = chart(rows)
    lines = sum(len(section.lines) for section in sections)
    picture_of = ""
    if drawn is not None:
        light = png(drawn.draw(LIGHT))
        picture_of = picture(drawn.title, drawn.caption, drawn.alt, light, png(drawn.draw(DARK)))
    caption = "Share given to the true author, with 95 % intervals."
    return render(
        "mirrorenv.results.board",
        "opening.html",
        facts=f"{counted(lines, 'line')} in {counted(len(sections), 'table')}",
        title=title,
        rows=bool(rows),
        chart=Html(picture_of),
        table=Html(table(HEADS, [_cells(row) for row in rows], caption, "opened")),
        read=READ,
        words=WORDS,
    )


def _name(row: Recognised) -> str:
    return f"{row.world.removeprefix(OURS)}, {row.agents}"


def _cells(row: Recognised) -> list[str]:
    """A row of the table, HTML."""
    return [
        escape(_name(row)),
        _number(row.most_cell, row.most),
        _condition(row.most),
        _number(row.least_cell, row.least) if row.lines > 1 else DASH,
        _condition(row.least) if row.lines > 1 else DASH,
        DASH if row.place is None else str(row.place),
        escape(count_text(row.most)),
        f'<a href="#title{row.section}">table {row.section + 1}</a>',
    ]


def _number(cell: Cell, line: Line) -> str:
    text, _ = cell_text(cell, line.exact)
    value, _, around = text.partition(" ")
    small = f"<small>{escape(around)}</small>" if around else ""
    return escape(value) + small


def _condition(line: Line) -> str:
    options = _options(line)
    small = f"<small>{escape(options)}</small>" if options else ""
    return f'<span class="condition">{escape(line.condition)}{small}</span>'


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
