"""A self-contained HTML page: escaping, pictures inside, one style sheet, nothing fetched.

Text from a run folder is never trusted: it is escaped, and characters that are invisible or turn
the reading direction are shown by their code instead of being obeyed. A content policy in the page
forbids requests, and every script but the one whose hash it names, even if something slipped
through.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from importlib.resources import files as package_files
from struct import unpack
from typing import Any

from mirrorenv.results.report.templates import Html, render
from mirrorenv.results.report.visible import LONGEST, visible

__all__ = [
    "data_uri",
    "details",
    "document",
    "escape",
    "paragraph",
    "picture",
    "script_data",
    "section",
    "table",
    "visible",
]

WIDE = 8
"""Columns beyond which a table is set closer."""
NOTHING = ("", "\N{EN DASH}")
"""Cells that a narrow screen leaves out."""
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action "
    "'none'"
)
WIDE = 8
"""Columns beyond which a table is set closer."""
NOTHING = ("", "\N{EN DASH}")
"""Cells that a narrow screen leaves out."""


def script_data(value: Any) -> str:
    """JSON that is safe inside a `<script type="application/json">`: it holds no `<` and no
    `&`."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def escape(value: object, longest: int = LONGEST) -> str:
    """Text made safe for HTML content and quoted attributes.

    Args:
        value: anything; its `str` is used.
        longest: what is longer is cut, with a mark.
    """
    return html.escape(visible(value, longest), quote=True)


def paragraph(text: str, css: str = "") -> str:
    """A paragraph of plain text."""
    return f'<p class="{css}">{escape(text, 4000)}</p>' if css else f"<p>{escape(text, 4000)}</p>"


def section(heading: str, body: str, lead: str = "") -> str:
    """A section.

    Args:
        heading: plain text.
        body: HTML.
        lead: what stands below the heading, plain text.
    """
    return _filled("section.html", heading=visible(heading), lead=lead, body=Html(body))


def details(summary: str, body: str, is_open: bool = False) -> str:
    """Something to unfold.

    Args:
        summary: what is seen at first, plain text.
        body: HTML.
        is_open: unfolded from the start.
    """
    return _filled("details.html", summary=visible(summary), body=Html(body), is_open=is_open)


def _filled(name: str, **data: object) -> str:
    """A template of this package, as plain text that other HTML may be put beside."""
    return str(render("mirrorenv.results.report", name, **data))


def data_uri(kind: str, content: bytes) -> Html:
    """A picture inside the page, e.g. of kind `png`."""
    return Html(f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}")


def picture(title: str, caption: str, alt: str, light: bytes, dark: bytes) -> str:
    """A picture in two appearances.

    Args:
        title: its heading, plain text.
        caption: how to read it, plain text.
        alt: what it shows, for who cannot see it.
        light: PNG for a light page.
        dark: PNG of the same size for a dark page.
    """
    # of the PNG header, so that the page does not jump while it loads
    width, height = unpack(">II", light[16:24])
    return _filled(
        "picture.html",
        title=visible(title),
        caption=caption,
        alt=alt,
        light=data_uri("png", light),
        dark=data_uri("png", dark),
        width=width // 2,
        height=height // 2,
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str, css: str = "") -> str:
    """A table whose rows become cards on a narrow screen.

    Args:
        heads: column headings, plain text.
        rows: cells as HTML; the first of each row is its heading.
        caption: what the table holds, plain text.
        css: class of the table.
    """
    kinds = " ".join(["stacked", css, "wide" if len(heads) > WIDE else ""]).split()
    return _filled(
        "table.html",
        heads=[visible(head) for head in heads],
        rows=[list(map(Html, row)) for row in rows],
        caption=visible(caption),
        kinds=" ".join(kinds),
        nothing=NOTHING,
    )


def document(title: str, body: str, *, style: str = "", script: str = "") -> str:
    """The whole page.

    Args:
        title: plain text.
        body: HTML.
        style: further rules of the package's own.
        script: a script of the package's own, the only one that the page may run.
    """
    own = (
        package_files("mirrorenv.results.report").joinpath("report.css").read_text(encoding="utf-8")
    )
    policy = POLICY
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
        policy += f"; script-src 'sha256-{digest}'"
    return _filled(
        "document.html",
        policy=Html(policy),
        title=visible(title),
        style=Html(own + style),
        body=Html(body),
        script=Html(script),
    )
