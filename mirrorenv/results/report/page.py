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

from mirrorenv.plain_text import plain

__all__ = [
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

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action "
    "'none'"
)
WIDE = 8
"""Columns beyond which a table is set closer."""
NOTHING = ("", "\N{EN DASH}")
"""Cells that a narrow screen leaves out."""
LONGEST = 400  # characters of one string from a run folder


def visible(value: object, longest: int = LONGEST) -> str:
    """Text in which nothing is hidden; not yet safe for HTML.

    Args:
        value: anything; its `str` is used.
        longest: what is longer is cut, with a mark.
    """
    text = str(value)
    if len(text) > longest:
        text = text[: longest - 1] + "…"
    return plain(text)


def script_data(value: Any) -> str:
    """JSON that is safe inside a ``<script type="application/json">``: it holds no ``<`` and no
    ``&``."""
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
    """A section with its heading.

    Args:
        heading: plain text.
        body: HTML.
        lead: a paragraph of plain text before it, if any.
    """
    under = paragraph(lead, "lead") if lead else ""
    return f"<section><h2>{escape(heading)}</h2>{under}{body}</section>"


def details(summary: str, body: str, is_open: bool = False) -> str:
    """Something to unfold.

    Args:
        summary: plain text that is always shown.
        body: HTML.
        is_open: whether it is unfolded at first.
    """
    return (
        f"<details{' open' if is_open else ''}><summary>{escape(summary)}</summary>{body}</details>"
    )


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def picture(title: str, caption: str, alt: str, light: bytes, dark: bytes) -> str:
    """A PNG in two appearances with heading, text alternative and caption.

    Args:
        title: heading, plain text.
        caption: below it, plain text.
        alt: text alternative.
        light: the PNG for light pages.
        dark: the PNG for dark pages, of the same size.
    """
    # of the PNG header, so that the page does not jump while it loads
    width, height = unpack(">II", light[16:24])
    return (
        f"<figure><h3>{escape(title)}</h3><picture>"
        f'<source srcset="{_data_uri(dark)}" media="(prefers-color-scheme: dark)">'
        f'<img src="{_data_uri(light)}" alt="{escape(alt, 4000)}" width="{width // 2}" '
        f'height="{height // 2}">'
        f"</picture><figcaption>{escape(caption, 4000)}</figcaption></figure>"
    )


def _table_row(heads: Sequence[str], row: Sequence[str]) -> str:
    heading, *cells = row
    shown = "".join(_cell(head, cell) for head, cell in zip(heads[1:], cells, strict=True))
    return f'<tr><th scope="row">{heading}</th>{shown}</tr>'


def _cell(head: str, cell: str) -> str:
    kind = ' class="none"' if cell in NOTHING else ""
    return f'<td{kind} data-head="{escape(head)}"><span>{cell}</span></td>'


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], caption: str, css: str = "") -> str:
    """A table whose rows become cards on a narrow screen.

    Args:
        heads: column headings, plain text.
        rows: cells as HTML; the first of each row is its heading.
        caption: what the table holds, plain text.
        css: class of the table.
    """
    kinds = " ".join(["stacked", css, "wide" if len(heads) > WIDE else ""]).split()
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(_table_row(heads, row) for row in rows)
    return (
        f'<p class="note">{escape(caption)}</p>'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(caption)}"><table '
        f'class="{" ".join(kinds)}">'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
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
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f"<title>{escape(title)}</title><style>\n{own}{style}</style></head>\n<body><main>\n{body}\n</main>"
        f"{f'<script>{script}</script>' if script else ''}</body></html>\n"
    )
