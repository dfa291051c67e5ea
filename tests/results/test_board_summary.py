"""The leaderboard opens with who is recognised how far, and claims no order that is not known."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from mirrorenv.results.board.board import Cell, Line, Section
from mirrorenv.results.board.opening import opening, opening_markdown
from mirrorenv.results.board.summary import chart, recognised
from mirrorenv.results.folders.schema import Figure
from mirrorenv.results.report import plots, themes
from mirrorenv.results.stats.estimates import over_seeds

TOP1 = Figure(name="learned.top1", title="Recognised", share=True, better="high", about="x")


def _line(
    world: str, condition: str, agents: str, value: float, seeds: int = 5, spread: float = 0.01
) -> Line:
    values = value + spread * np.linspace(-1, 1, seeds)
    found = over_seeds(dict(enumerate(values.tolist())), how="mean", share=True)
    return Line(
        world=world,
        condition=condition,
        agents=agents,
        seeds=tuple(range(seeds)),
        cells={TOP1.name: Cell(found, None)},
        folder=Path("."),
        links={},
        settings="0",
    )


def _section(*lines: Line, title: str = "One", smoke: bool = False) -> Section:
    return Section(title, "about", (TOP1,), TOP1.name, lines, smoke)


def test_each_world_and_kind_has_one_row_of_most_and_least() -> None:
    rows = recognised(
        [
            _section(
                _line("mirrorenv/ants-v0", "weight 0", "trained", 0.25),
                _line("mirrorenv/ants-v0 food=True", "mirror", "trained", 0.9),
                _line("mirrorenv/ants-v0", "likelihood", "learned head", 0.7),
            )
        ]
    )
    assert [(row.agents, row.most.condition, row.least.condition) for row in rows] == [
        ("trained", "mirror", "weight 0"),
        ("learned head", "likelihood", "likelihood"),
    ]
    assert [row.place for row in rows] == [1, 2]


def test_no_order_is_claimed_where_intervals_overlap_or_tables_differ() -> None:
    close = [
        _line("w", "a", "one", 0.5, spread=0.2),
        _line("w", "b", "two", 0.55, spread=0.2),
    ]
    assert [row.place for row in recognised([_section(*close)])] == [1, 1]
    apart = [
        _section(_line("w", "a", "one", 0.9), title="One"),
        _section(_line("w", "b", "two", 0.3), title="Two"),
    ]
    assert [row.place for row in recognised(apart)] == [None, None]


def test_the_table_with_the_most_seeds_is_taken() -> None:
    few = _section(_line("w", "few", "one", 0.99, seeds=3))
    many = _section(_line("w", "many", "one", 0.6, seeds=9), title="Two")
    (row,) = recognised([few, many])
    assert (row.most.condition, row.section) == ("many", 1)


def test_smoke_runs_and_lines_without_recognition_are_left_out() -> None:
    assert recognised([_section(_line("w", "a", "one", 0.5), smoke=True)]) == []
    other = Section("s", "", (), "return", (Line("w", "c", "a", (0,), {}, Path("."), {}, "0"),))
    assert recognised([other]) == []
    assert chart([]) is None
    assert "Who is recognised how far" not in opening([other], "Board")
    assert opening_markdown([other]) == []


def test_page_and_markdown_open_with_chart_and_table() -> None:
    evil = "<script>alert(1)</script>\u202e\u200b"
    section = _section(_line(evil, evil, "one", 0.9), _line(evil, "b | c", "one", 0.3))
    page = opening([section], "Board")
    assert page.index("Who is recognised how far") < page.index("How to read the tables")
    assert 'href="#title0"' in page and "data:image/png" in page
    assert "<script" not in page and "\u202e" not in page and "\u200b" not in page
    assert "\\u{200b}" in page
    text = "\n".join(opening_markdown([section]))
    assert not re.search(r"(?<!\\)<", text) and r"b \| c" in text


def test_the_chart_holds_any_number_of_rows() -> None:
    for count in (1, 60):
        lines = [_line(f"w{n:02}", "c", "$a_$", 0.5) for n in range(count)]
        made = chart(recognised([_section(*lines)]))
        assert made is not None
        assert plots.png(made.draw(themes.LIGHT)).startswith(b"\x89PNG")
