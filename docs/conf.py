"""Sphinx configuration. Pages about worlds, settings, commands and the API are generated from the
code."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402  (beside this file, importable only after the line above)

from mirrorenv import __version__  # noqa: E402

project = "mirrorenv"
author = "mirrorenv developers"
copyright = author
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "mathml"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "_generated"]
default_role = "code"

myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_type_aliases = {
    name: name.rpartition(".")[2]
    for name in (
        "npt.ArrayLike",
        "AnyArray",
        "Floats32",
        "Floats64",
        "Ints64",
        "Bools",
        "Observations",
        "Actions",
        "Seeds",
    )
}
python_display_short_literal_types = True
python_maximum_signature_line_length = 100
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True

html_math_renderer = "mathml"
html_theme = "furo"
html_title = f"mirrorenv {version}"
html_show_sourcelink = False
html_copy_source = False

# `*obs` in a shape is no emphasis, outside of ``literals``.
_LITERAL = re.compile(r"(``.+?``|:\w+:`[^`]+`|`[^`]+`)")
_STAR = re.compile(r"(?<![\w*\\])\*(?=\w)")


def _readable(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    for i, line in enumerate(lines):
        parts = _LITERAL.split(line)
        parts[::2] = [_STAR.sub(r"\\*", part) for part in parts[::2]]
        lines[i] = "".join(parts)
    lines[:] = _with_tables(lines)


def _with_tables(lines: list[str]) -> list[str]:
    """Markdown tables, which our docstrings use because they read well in an editor, as
    reStructuredText."""
    out: list[str] = []
    in_table = False
    for line in lines:
        if not re.fullmatch(r"\s*\|.*\|\s*", line):
            if in_table:
                out.append("")
            in_table = False
            out.append(line)
            continue
        indent = line[: len(line) - len(line.lstrip())]
        if not in_table:
            out += ["", f"{indent}.. list-table::", f"{indent}   :header-rows: 1", ""]
            in_table = True
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
        if not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
            out += [
                f"{indent}   {'* -' if k == 0 else '  -'} {cell}" for k, cell in enumerate(cells)
            ]
    return [*out, ""] if in_table else out


def setup(app: Sphinx) -> None:
    """Write the generated pages, then let autodoc read shapes as they are meant."""
    generate.write_all(HERE)
    # Before napoleon, which turns sections into directives.
    app.connect("autodoc-process-docstring", _readable, priority=400)
