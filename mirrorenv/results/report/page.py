"""A self-contained HTML page: pictures inside, one style sheet, nothing fetched.

Text from a run folder is never trusted: it is escaped, and characters that are invisible or turn
the reading direction are shown by their code instead of being obeyed. A content policy in the page
forbids requests, and every script but the one whose hash it names, even if something slipped
through.

A part of a page is :class:`~mirrorenv.results.report.templates.Html`, which these functions and
templates make; a plain string is text, wherever it is put.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from struct import unpack

from mirrorenv.results.report.chart import Chart
from mirrorenv.results.report.plots import png
from mirrorenv.results.report.templates import Html, render
from mirrorenv.results.report.themes import DARK, LIGHT
from mirrorenv.results.runs.files import atomic_write_bytes
from mirrorenv.results.runs.run_folder import STATUSES

__all__ = [
    "Cell",
    "data_uri",
    "details",
    "document",
    "figure",
    "header",
    "listed",
    "paragraph",
    "picture",
    "pictures",
    "section",
    "table",
]

Cell = str | tuple[str, str]
"""Of a table: text, or text and what stands below it in small print."""
WIDE = 8
"""Columns beyond which a table is set closer."""
NOTHING = ("", "\N{EN DASH}")
"""Cells that a narrow screen leaves out."""
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action "
    "'none'"
)


def _filled(name: str, **data: object) -> Html:
    return render("mirrorenv.results.report", name, **data)


def header(
    title: str, said: Sequence[str], kicker: str = "", status: str = "", lead: str = ""
) -> Html:
    """How a page opens.

    Args:
        title: what it is about.
        said: what was found, in sentences; the first is the news.
        kicker: what kind of page this is, in small print above the title.
        status: of the run.
        lead: what stands below, in small print.
    """
    kind = status if status in STATUSES else "unknown"
    return _filled(
        "header.html", title=title, said=said, kicker=kicker, status=status, kind=kind, lead=lead
    )


def paragraph(words: str, css: str = "") -> Html:
    """A paragraph."""
    return _filled("paragraph.html", words=words, css=css)


def listed(items: Iterable[str]) -> Html:
    """A list with bullets."""
    return _filled("list.html", items=items)


def section(heading: str, *parts: str, lead: str = "") -> Html:
    """A section.

    Args:
        heading: what stands above.
        *parts: what is in it.
        lead: what stands below the heading.
    """
    return _filled("section.html", heading=heading, lead=lead, parts=parts)


def details(summary: str, *parts: str) -> Html:
    """Something to unfold.

    Args:
        summary: what is seen at first.
        *parts: what is unfolded.
    """
    return _filled("details.html", summary=summary, parts=parts)


def data_uri(kind: str, content: bytes) -> Html:
    """A picture inside the page, e.g. of kind `png`."""
    return Html(f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}")


def picture(title: str, caption: str, alt: str, light: bytes, dark: bytes) -> Html:
    """A picture in two appearances.

    Args:
        title: its heading.
        caption: how to read it.
        alt: what it shows, for who cannot see it.
        light: PNG for a light page.
        dark: PNG of the same size for a dark page.
    """
    # of the PNG header, so that the page does not jump while it loads
    width, height = unpack(">II", light[16:24])
    return _filled(
        "picture.html",
        title=title,
        caption=caption,
        alt=alt,
        light=data_uri("png", light),
        dark=data_uri("png", dark),
        width=width // 2,
        height=height // 2,
    )


def figure(chart: Chart, beside: Path | None = None) -> Html:
    """A chart, drawn for light and dark pages.

    Args:
        chart: what to draw.
        beside: file for its light form.
    """
    light = png(chart.draw(LIGHT))
    if beside is not None:
        atomic_write_bytes(beside, light)
    return picture(chart.title, chart.caption, chart.alt, light, png(chart.draw(DARK)))


def pictures(figures: Iterable[Html]) -> Html:
    """Figures side by side where there is room."""
    return _filled("pictures.html", figures=figures)


def table(
    heads: Sequence[str], rows: Iterable[Sequence[Cell]], caption: str, css: str = ""
) -> Html:
    """A table whose rows become cards on a narrow screen.

    Args:
        heads: column headings.
        rows: the first cell of each is its heading.
        caption: what the table holds.
        css: class of the table.
    """
    kinds = " ".join(["stacked", css, "wide" if len(heads) > WIDE else ""]).split()
    return _filled(
        "table.html",
        heads=heads,
        rows=rows,
        caption=caption,
        kinds=" ".join(kinds),
        nothing=NOTHING,
    )


def document(title: str, *parts: str, style: str = "", script: str = "", refresh: int = 0) -> str:
    """The whole page.

    Args:
        title: of the window.
        *parts: what is in it.
        style: further rules of the package's own.
        script: a script of the package's own, the only one that the page may run.
        refresh: seconds after which a browser reads the file again; 0 for never.
    """
    own = (
        package_files("mirrorenv.results.report").joinpath("report.css").read_text(encoding="utf-8")
    )
    policy = POLICY
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
        policy += f"; script-src 'sha256-{digest}'"
    return str(
        _filled(
            "document.html",
            policy=Html(policy),
            title=title,
            style=Html(own + style),
            parts=parts,
            script=Html(script),
            refresh=refresh,
        )
    )
