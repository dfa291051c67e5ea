"""Nothing that is invisible hides in a text that is shown; what can be seen stays as it was."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.plain_text import one_line, plain

INVISIBLE = {
    "joiner": "\u200d",
    "non-joiner": "\u200c",
    "zero-width space": "\u200b",
    "word joiner": "\u2060",
    "byte order mark": "\ufeff",
    "soft hyphen": "\xad",
    "right to left": "\u202e",
    "grapheme joiner": "\u034f",
    "hangul filler": "\u3164",
    "half-width filler": "\uffa0",
    "variation selector": "\ufe01",
    "variation selector for a letter": "\ufe0f",
    "supplementary selector": "\U000e0101",
    "tag": "\U000e0041",
    "braille blank": "\u2800",
}


@pytest.mark.parametrize("kind", INVISIBLE)
def test_an_invisible_mark_is_shown_by_its_code(kind: str) -> None:
    mark = INVISIBLE[kind]
    assert plain(f"a{mark}b") == f"a\\u{{{ord(mark):04x}}}b"
    assert one_line(f"a{mark}b") == f"a\\u{{{ord(mark):04x}}}b"


@pytest.mark.parametrize("text", ["❤\ufe0f", "1\ufe0f\u20e3", "naïve — 日本語", "a\n\tb", "é"])
def test_what_can_be_seen_stays(text: str) -> None:
    assert plain(text) == text


def test_a_family_shows_what_holds_it_together() -> None:
    assert plain("👩\u200d👧") == "👩\\u{200d}👧"


@given(st.text(st.characters()))
def test_two_texts_that_differ_look_different(text: str) -> None:
    shown = plain(text)
    assert not [
        mark for mark in shown if mark not in "\n\t" and unicodedata.category(mark)[0] == "C"
    ]
    assert plain(shown) == shown, "what was made visible is not made so again"
