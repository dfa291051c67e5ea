"""Text from anybody, with nothing hidden in it: the first step before it reaches a page."""

from __future__ import annotations

from mirrorenv.plain_text import plain

__all__ = ["visible"]

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
