"""Texts that a limit ended: dropped, kept, or cut after their last whole sentence; always
counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.preference.pairs import Dropped, Text, kept_texts
from tests.preference.small import small_settings

CUT = [
    Text("a", "t", "train", "One sentence. Another o", (1, 2, 3), finished=False),
    Text("a", "u", "train", 'He said "no!" And th', (4,), finished=False),
    Text("b", "t", "train", "no end at al", (5,), finished=False),
    Text("b", "u", "train", "1. First this\n2. Then th", (6,), finished=False),
    Text("b", "v", "train", "It ends here.", (7,), finished=False),
    Text("b", "w", "train", "I stopped by myself, without a mark", (8,)),
]


def test_trimming_ends_texts_with_a_whole_sentence_and_says_how_many() -> None:
    kept, dropped = kept_texts(CUT, "trim")
    assert [one.text for one in kept] == [
        "One sentence.",
        'He said "no!"',
        "It ends here.",
        CUT[-1].text,
    ]
    assert dropped == Dropped(truncated=2, trimmed=2)  # the number of a list ends no sentence
    # where nothing was cut, they are as they were drawn
    assert [one.tokens for one in kept] == [(), (), (7,), (8,)]
    # no end mark where the author set none
    assert [one.finished for one in kept] == [False, False, False, True]


@pytest.mark.parametrize(
    ("way", "left", "counts"), [("keep", 6, Dropped()), ("drop", 1, Dropped(truncated=5))]
)
def test_the_other_ways_leave_words_alone(way: str, left: int, counts: Dropped) -> None:
    kept, dropped = kept_texts(CUT, way)
    assert len(kept) == left and dropped == counts and set(kept) <= set(CUT)


@given(
    st.lists(st.tuples(st.text(alphabet="ab1 .!?\n\"'", max_size=12), st.booleans()), max_size=8)
)
def test_every_text_is_kept_cut_or_counted(said: list[tuple[str, bool]]) -> None:
    texts = [
        Text("a", f"t{n}", "train", text, finished=ended) for n, (text, ended) in enumerate(said)
    ]
    kept, dropped = kept_texts(texts, "trim")
    assert len(kept) + dropped.empty + dropped.truncated + dropped.duplicates == len(texts)
    whole = {one.topic: one for one in texts}
    changed = [one for one in kept if one != whole[one.topic]]
    assert len(changed) == dropped.trimmed
    for one in changed:
        assert not one.finished and whole[one.topic].text.startswith(one.text)
        assert one.text.rstrip("\"'")[-1] in ".!?"


def test_the_setting_is_known() -> None:
    assert small_settings(Path("m"), "data.truncated=trim").data.truncated == "trim"
