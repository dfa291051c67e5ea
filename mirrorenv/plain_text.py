"""Text that may come from anybody, without the characters that a terminal or a page obeys.

A title, a file name or a server's answer could clear the screen, turn the reading direction or
write over a line of ours.
"""

from __future__ import annotations

import unicodedata

__all__ = ["one_line", "plain", "visible_mark"]


def visible_mark(mark: str) -> str:
    """A character, or its code if it is invisible, turns the reading direction or breaks lines in a
    hidden way."""
    # C: controls, direction marks, surrogates, private and unassigned characters; Zl, Zp: hidden
    # line breaks
    if mark not in "\n\t" and (
        unicodedata.category(mark)[0] == "C" or unicodedata.category(mark) in ("Zl", "Zp")
    ):
        return f"\\u{{{ord(mark):04x}}}"
    return mark


def plain(text: str) -> str:
    """Text whose controls are shown by their codes; lines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(visible_mark, text))


def one_line(text: object, longest: int = 400) -> str:
    """A name or title from outside in one line, so that it forges no line of ours.

    Args:
        text: anything; its `str` is used.
        longest: what is longer is cut, with a mark.
    """
    line = " ".join(str(text).split())
    return plain(line if len(line) <= longest else line[: longest - 1] + "…")
