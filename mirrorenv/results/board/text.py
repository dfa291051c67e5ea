"""The leaderboard as Markdown, and the words that its page uses as well."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from mirrorenv.mirror.intervals import TextStyle
from mirrorenv.results.board.board import Cell, Line, Section
from mirrorenv.results.report.visible import visible
from mirrorenv.results.stats.estimates import OverSeeds

__all__ = [
    "ONE_RUN",
    "READ",
    "cell_text",
    "count_text",
    "digits",
    "href",
    "markdown",
    "markdown_row",
    "markdown_text",
]

ONE_RUN = "\N{DAGGER}"
INERT = frozenset((".json", ".jsonl", ".txt", ".csv", ".md", ".toml", ".png", ".gif", ".jpg"))
"""Endings of files that are linked. A page of somebody else's is not: opened from the reader's disk
its script would run beside the reader's files."""
READ = (
    "Every number stands with its 95 % interval, over the seeds of the line; [no interval] where "
    f"so few seeds bound nothing. {ONE_RUN} marks a line of a single run, whose interval is over "
    "the episodes of that run: it is well measured, and says nothing about another seed.",
    "Where every seed has a share of 0 or of 1 the interval is the exact binomial one on as many "
    "seeds (Clopper and Pearson), which is wider than that of a line with some spread.",
    "A group holds the lines of one world whose intervals over seeds overlap: their order is not "
    "known. Lines of one seed, and lines that lack seeds of their row, are in no group.",
    "The last column says how far whoever built this page has proved a line, by 'mirrorenv board "
    "check --proofs' and 'mirrorenv verify --retrain --proofs'; below 'evidence recomputed from "
    "weights', that the evidence is that of trained networks is unproved.",
    "In simulation, intervals of means over seeds hold the truth in 95 % of experiments where "
    "seeds are normal; where they are skewed or some fail, in 82 % at five seeds and in 84 to "
    "95 % at ten (benchmarks/proofs/interval_coverage.py).",
)
"""How to read a board, a paragraph each."""


def digits(value: float) -> str:
    """A number for a table: three decimals, fewer from a hundred on."""
    if not math.isfinite(value):
        return "unknown"
    size = abs(value)
    text = f"{value:.3f}" if size < 100 else f"{value:,.1f}" if size < 1e6 else f"{value:.3g}"
    signed = text if float(text.replace(",", "")) else text.removeprefix("-")  # no minus nothing
    return signed.replace("-", "\N{MINUS SIGN}")


STYLE = TextStyle(digits, unknown=" [no interval]")


def cell_text(cell: Cell | None, exact: bool = False) -> tuple[str, str]:
    """A cell in words.

    Args:
        cell: of a line; None where the line has no such figure.
        exact: there is no chance in the line.

    Returns:
        the value with its interval, and a note (or nothing): what it is compared with, seeds
        without the figure.
    """
    if cell is None:
        return "\N{EN DASH}", ""
    one = cell.estimate
    notes = []
    if cell.reference is not None:
        notes.append(f"against {digits(cell.reference.value)}, {cell.reference.source}")
    gaps = len(cell.found.missing) if isinstance(cell.found, OverSeeds) else 0
    if gaps:
        notes.append(f"{gaps} of {gaps + one.n} seeds undefined")
    if exact:
        text = f"{digits(one.value)} exact"
    elif isinstance(cell.found, OverSeeds):
        text = one.text(STYLE)
    else:
        text = f"{one.text(STYLE)} {ONE_RUN}"
    return text, "; ".join(notes)


def count_text(line: Line) -> str:
    """How many seeds a line rests on."""
    if line.exact:
        return "exact"
    if line.asked is not None:
        return f"{len(line.seeds)} of {line.asked} seeds"
    return f"{len(line.seeds)} seeds" if len(line.seeds) > 1 else f"1 run {ONE_RUN}"


def href(folder: Path, link: str, out: Path) -> str | None:
    """A link of a result as a page may write it.

    Only https addresses and files beside or below the result folder are linked, and of files only
    those that a browser shows and does not run: no result can name a script, a page with one, or a
    file of the reader's.

    Args:
        folder: of the result.
        link: as the result states it.
        out: the page, which file links are relative to.

    Returns:
        the quoted address; None for what does not exist or leads out of the submission.
    """
    if not link.isprintable():
        return None
    if link.startswith("https://"):
        return quote(link, safe="/:?&=#%.,+~@-_")
    if ":" in link or len(link) > 500:
        return None
    target = (folder / link).resolve()
    if target.suffix.lower() not in INERT:
        return None
    if not target.is_relative_to(folder.resolve().parent) or not target.exists():
        return None
    return quote(os.path.relpath(target, out.resolve().parent).replace(os.sep, "/"))


def markdown(sections: Sequence[Section], out: Path, first: Sequence[str] = ()) -> str:
    """The whole board.

    Args:
        sections: from `collect`.
        out: where the text will lie, for links.
        first: lines before all tables.
    """
    parts = ["# Leaderboard", "", *first, " ".join(READ), ""]
    for section in sections:
        parts += [
            f"## {markdown_text(visible(section.title))}",
            "",
            markdown_text(visible(section.about, 2000)),
            "",
        ]
        titles = [markdown_text(visible(figure.title)) for figure in section.figures]
        heads = ["condition", "world", *titles, "group", "seeds", "agents", "proved"]
        sides = ["---", "---", *(["---:"] * len(section.figures)), "---:", "---:", "---", "---"]
        parts += [
            markdown_row(heads),
            markdown_row(sides),
        ]
        parts += [markdown_row(_cells(line, section, out)) for line in section.lines]
        parts.append("")
    return "\n".join(parts)


def markdown_text(text: str) -> str:
    """Text that Markdown shows as it is: no link, no picture, no tag, no further cell."""
    return re.sub(r"([\\`*_\[\]()!#<>|~&])", r"\\\1", " ".join(text.split()))


def markdown_row(cells: Sequence[str]) -> str:
    """A line of a Markdown table; cells as they are."""
    return "| " + " | ".join(cells) + " |"


def _cells(line: Line, section: Section, out: Path) -> list[str]:
    links = [
        f"[{markdown_text(visible(words, 40))}]({address})"
        for words, link in line.links.items()
        if (address := href(line.folder, link, out)) is not None
    ]
    condition = " ".join([markdown_text(visible(line.condition)), *links])
    shown = []
    for figure in section.figures:
        value, note = cell_text(line.cells.get(figure.name), line.exact)
        shown.append(value + (f" ({markdown_text(visible(note))})" if note else ""))
    group = "" if line.group is None else str(line.group)
    words = [markdown_text(visible(one)) for one in (line.world, line.agents)]
    return [condition, words[0], *shown, group, count_text(line), words[1], line.proved.words]
