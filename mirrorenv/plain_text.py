"""Text that may come from anybody, without the characters that a terminal or a page obeys.

A title, a file name or a server's answer could clear the screen, turn the reading direction or
write over a line of ours.
"""

from __future__ import annotations

import unicodedata

__all__ = ["in_one_line", "one_line", "plain", "visible_mark"]


# What Unicode calls default ignorable and no category tells: fillers, a joiner, variation selectors
# (in which whole messages can be hidden), and a blank that is drawn as nothing.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
_PICTURE = "\ufe0f"
"""Asks for the mark before it to be drawn as a picture; common after hearts and digits in boxes."""


def visible_mark(mark: str) -> str:
    """A character, or its code if it is invisible, turns the reading direction or breaks lines in a
    hidden way."""
    # C: controls, direction marks, surrogates, private and unassigned characters; Zl, Zp: hidden
    # line breaks
    kind = unicodedata.category(mark)
    if mark in _BLANK or (mark not in "\n\t" and (kind[0] == "C" or kind in ("Zl", "Zp"))):
        return f"\\u{{{ord(mark):04x}}}"
    return mark


def plain(text: str) -> str:
    """Text whose controls and invisible marks, joiners among them, are shown by their codes; lines
    and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    shown = []
    before = ""
    for mark in text:
        asked = mark == _PICTURE and _has_picture(before)
        shown.append(mark if asked else visible_mark(mark))
        before = mark
    return "".join(shown)


def _has_picture(mark: str) -> bool:
    return bool(mark) and (unicodedata.category(mark) in ("So", "Sm", "Po") or mark.isdigit())


def in_one_line(text: object) -> str:
    """A path, or a line to paste, as it is: a line break in it is shown by its code."""
    return plain(str(text).replace("\n", "\\u{000a}").replace("\t", "\\u{0009}"))


def one_line(text: object, longest: int = 400) -> str:
    """A name or title from outside in one line, so that it forges no line of ours.

    Args:
        text: anything; its `str` is used.
        longest: what is longer is cut, with a mark.
    """
    line = " ".join(str(text).split())
    return plain(line if len(line) <= longest else line[: longest - 1] + "…")
