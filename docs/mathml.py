"""Formulas as MathML, made while building: pages show them offline and load no script from
anywhere."""

from __future__ import annotations

import re
from html import escape

from docutils.nodes import Node, SkipNode, math, math_block
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

# What the converter does not know, in terms of what it does.
_SPELLED = {
    r"\tfrac": r"\frac",
    r"\,\|\,": r"\,\Vert\,",
    r"\|": r"\Vert",
    r"\Big": "",
    r"\big": "",
    r"\!": "",
}


logger = logging.getLogger(__name__)


def _mathml(node: Node, *, block: bool) -> str:
    tex = node.astext()
    for ours, known in _SPELLED.items():
        tex = tex.replace(ours, known)
    # a function's name stands apart from its argument
    tex = re.sub(r"\\log(?=\s*(\w|\\[a-zA-Z]))", r"\\log\\,", tex)
    try:
        return str(latex2mathml.tex2mathml(tex, as_block=block))
    except MathError as error:
        logger.warning(
            "cannot write the formula %r as MathML: %s", node.astext(), error, location=node
        )
        return f"<code>{escape(tex)}</code>"


def _inline(writer: HTML5Translator, node: math) -> None:
    writer.body.append(_mathml(node, block=False))
    raise SkipNode


def _block(writer: HTML5Translator, node: math_block) -> None:
    writer.body.append(f'<div class="math">{_mathml(node, block=True)}</div>')
    raise SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the renderer under the name ``mathml``."""
    app.add_html_math_renderer(
        "mathml", inline_renderers=(_inline, None), block_renderers=(_block, None)
    )
    return {"parallel_read_safe": True, "parallel_write_safe": True}
