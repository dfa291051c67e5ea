"""The leaderboard as one page: works offline, in light and dark, without a server.

Without its script the page still shows the first lines of every table. The script sorts, filters
and downloads; the content policy names its hash, so that no other script can run, and it puts text
from results into the page as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from mirrorenv.results.board.board import Cell, Line, Section
from mirrorenv.results.board.opening import opening
from mirrorenv.results.board.text import cell_text, count_text, href
from mirrorenv.results.report.next_steps import next_section
from mirrorenv.results.report.page import document
from mirrorenv.results.report.templates import Html, render
from mirrorenv.results.report.visible import visible
from mirrorenv.results.stats.estimates import OverSeeds

__all__ = ["board_page"]

NOTHING = "\N{EN DASH}"
FIRST = (("Condition", "left"), ("World", "left"))
LAST = (("Group", ""), ("Seeds", ""), ("Agents", "left"), ("Proved", "left"))
"""Columns before and after the figures: heading, and the class of the heading."""
COMMANDS = (
    ("Compute every number of a suite again:", ["board", "check", "FOLDER"]),
    ("Make a result of a run of yours:", ["results", "export", "RUN"]),
)
DOCS = (("board.md", "how to read a board, and how to be on one"), ("results.md", "result folders"))
FOOTER = (
    "The numbers are those of the result folders, whose files match their manifests; mirrorenv "
    "board check FOLDER computes every one again."
)
SHOWN = 200  # lines of a table before the script shows more


def board_page(sections: Sequence[Section], out: Path, title: str = "Leaderboard") -> str:
    """The page.

    Args:
        sections: from `collect`.
        out: where the page will lie, for links.
        title: of the page.
    """
    held = [_section_data(section, out) for section in sections]
    data = {"total": sum(len(section.lines) for section in sections), "sections": held}
    return document(
        title,
        opening(sections, title),
        _controls(sections),
        *(_table(index, *pair) for index, pair in enumerate(zip(sections, held, strict=True))),
        next_section(COMMANDS, (), DOCS),
        render("mirrorenv.results.report", "footer.html", words=FOOTER),
        _filled("data.html", data=data),
        style=_asset("board.css"),
        script=_asset("board.js"),
    )


def _filled(name: str, **data: object) -> Html:
    return render("mirrorenv.results.board", name, **data)


def _asset(name: str) -> str:
    return package_files("mirrorenv.results.board").joinpath(name).read_text(encoding="utf-8")


def _controls(sections: Sequence[Section]) -> Html:
    lines = [line for section in sections for line in section.lines]
    worlds = sorted({line.world for line in lines})
    agents = sorted({line.agents for line in lines})
    selects = [("world", "World", worlds), ("agents", "Kind of agent", agents)]
    return _filled("controls.html", selects=selects, lines=len(lines))


def _section_data(section: Section, out: Path) -> dict[str, Any]:
    return {
        "title": visible(section.title),
        "figures": [visible(figure.title) for figure in section.figures],
        "lines": [_line_data(line, section, out) for line in section.lines],
    }


def _line_data(line: Line, section: Section, out: Path) -> dict[str, Any]:
    links = (
        (visible(words, 40), href(line.folder, link, out)) for words, link in line.links.items()
    )
    return {
        "world": visible(line.world),
        "condition": visible(line.condition),
        "agents": visible(line.agents),
        "seeds": len(line.seeds),
        "count": count_text(line),
        "group": line.group,
        "proved": line.proved.words,
        "level": int(line.proved),
        "links": [[words, address] for words, address in links if address is not None],
        "cells": [
            _cell_data(line.cells.get(figure.name), line.exact) for figure in section.figures
        ],
    }


def _cell_data(cell: Cell | None, exact: bool) -> dict[str, Any] | None:
    if cell is None:
        return None
    one = cell.estimate
    over = (
        "nothing, it is exact"
        if exact
        else "seeds"
        if isinstance(cell.found, OverSeeds)
        else "episodes of one run"
    )
    text, note = cell_text(cell, exact)
    value, _, span = text.partition(" ")
    return {
        "text": [value, span],
        "note": visible(note),
        **one.to_dict(),
        "over": over,
        "n": one.n,
        "reference": None if cell.reference is None else cell.reference.value,
        "source": None if cell.reference is None else visible(cell.reference.source),
    }


def _table(index: int, section: Section, data: dict[str, Any]) -> Html:
    figures = [(name, "") for name in data["figures"]]
    return _filled(
        "table.html",
        index=index,
        title=section.title,
        about=section.about,
        heads=[*FIRST, *figures, *LAST],
        lines=data["lines"][:SHOWN],
        nothing=NOTHING,
    )
