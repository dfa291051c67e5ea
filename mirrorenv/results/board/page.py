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
from mirrorenv.results.report.page import document, escape, paragraph, script_data, visible
from mirrorenv.results.stats.estimates import OverSeeds

__all__ = ["board_page"]

NOTHING = "\N{EN DASH}"
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
    body = [
        opening(sections, title),
        _controls(sections),
        *(_table(index, *pair) for index, pair in enumerate(zip(sections, held, strict=True))),
        "<footer>The numbers are those of the result folders, whose files match their manifests; "
        "mirrorenv board check FOLDER computes every one again.</footer>",
        f'<script type="application/json" id="data">{script_data(data)}</script>',
    ]
    return document(title, "\n".join(body), style=_asset("board.css"), script=_asset("board.js"))


def _asset(name: str) -> str:
    return package_files("mirrorenv.results.board").joinpath(name).read_text(encoding="utf-8")


def _controls(sections: Sequence[Section]) -> str:
    lines = [line for section in sections for line in section.lines]
    worlds = sorted({line.world for line in lines})
    agents = sorted({line.agents for line in lines})
    return (
        '<div class="controls" id="controls" role="search" aria-label="Filter and download" hidden>'
        + _select("world", "World", worlds)
        + _select("agents", "Kind of agent", agents)
        + '<label>Search<input type="search" id="search" autocomplete="off"></label>'
        '<button type="button" id="csv">Download CSV</button><button type="button" '
        'id="json">Download JSON</button>'
        f'<p class="status" id="status" role="status">{len(lines)} lines</p></div>'
    )


def _select(name: str, words: str, values: Sequence[str]) -> str:
    options = "".join(
        f'<option value="{escape(visible(one))}">{escape(one)}</option>' for one in values
    )
    return (
        f'<label>{words}<select id="{name}"><option value="">all</option>{options}</select></label>'
    )


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


def _table(index: int, section: Section, data: dict[str, Any]) -> str:
    title = escape(section.title)
    heads = ["Condition", "World", *data["figures"], "Group", "Seeds", "Agents", "Proved"]
    head = "".join(
        f"{_head(name)}<button type='button'>{escape(name)}</button></th>" for name in heads
    )
    rows = "".join(_row(line) for line in data["lines"][:SHOWN])
    return (
        f'<section><h2 id="title{index}">{title}</h2>{paragraph(section.about, "lead")}'
        f'<div class="scroll" tabindex="0" role="region" aria-labelledby="title{index}">'
        f'<table class="board" id="table{index}"><thead><tr>{head}</tr></thead><tbody '
        f'id="body{index}">{rows}</tbody>'
        f'</table></div><button type="button" class="more" id="more{index}" hidden>Show '
        "more</button></section>"
    )


def _head(name: str) -> str:
    side = ' class="left"' if name in ("Condition", "World", "Agents", "Proved") else ""
    return f'<th scope="col"{side}>'


def _row(line: dict[str, Any]) -> str:
    links = "".join(
        f'<a href="{escape(address, 2000)}">{escape(words)}</a>' for words, address in line["links"]
    )
    world = escape(line["world"]).replace("/", "/<wbr>")
    group = NOTHING if line["group"] is None else str(line["group"])
    return (
        f'<tr><th scope="row">{escape(line["condition"])}{links}</th><td class="world">{world}</td>'
        f"{''.join(_figure(cell) for cell in line['cells'])}<td>{group}</td>"
        f'<td class="count">{escape(line["count"])}</td><td '
        f'class="agents">{escape(line["agents"])}</td>'
        f'<td class="agents">{escape(line["proved"])}</td></tr>'
    )


def _figure(cell: dict[str, Any] | None) -> str:
    if cell is None:
        return f"<td>{NOTHING}</td>"
    value, span = cell["text"]
    note = f"<small>{escape(cell['note'])}</small>" if cell["note"] else ""
    shown = f' <span class="span">{escape(span)}</span>' if span else ""
    return f"<td>{escape(value)}{shown}{note}</td>"
