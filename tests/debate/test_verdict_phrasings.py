"""What people and models write as a verdict is read rightly or asked for again, never guessed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.debate.verdicts import read_verdict
from tests.debate.later_phrasings import LATER
from tests.debate.phrasings import HELD_OUT, PHRASINGS, SEEN

NAMED = [one for one in PHRASINGS if one[2] and "P1" in one[1] and not re.search("order", one[0])]


def reading(form, text, count=3):
    found = read_verdict(text, count, form)
    return found.evidence and [row.argmax() + 1 for row in found.array(count)]


def test_there_are_enough_phrasings_and_half_was_kept_back():
    assert len(PHRASINGS) >= 200 and min(len(SEEN), len(HELD_OUT)) >= 80


@pytest.mark.parametrize("phrasing", SEEN, ids=lambda one: repr(one[:2])[:80])
def test_a_phrasing_is_read_rightly_or_asked_again(phrasing):
    form, text, right = phrasing
    assert reading(form, text) == right


def test_phrasings_that_were_kept_back_are_never_read_wrongly_and_hardly_ever_asked_again():
    read = [(reading(form, text), right) for form, text, right in HELD_OUT]
    assert all(found in (right, None) for found, right in read)
    assert sum(found == right for found, right in read) >= 0.95 * len(read)


@pytest.mark.parametrize("phrasing", LATER, ids=lambda one: repr(one[:2])[:80])
def test_a_phrasing_of_another_kind_is_read_rightly_or_asked_again(phrasing):
    form, text, right = phrasing
    assert reading(form, text) in (right, None)


def test_a_log_of_the_second_edition_is_read_as_it_was():
    text = '{"A": "P2", "B": "P1", "C": "P3"} Sorry, A should be P3 and C P2.'
    assert read_verdict(text, 3, "labels", edition=2).valid
    assert not read_verdict(text, 3, "labels").valid


@given(st.permutations([1, 2, 3]), st.sampled_from(NAMED))
def test_another_verdict_in_the_same_words_is_read_as_that_one_or_asked_again(names, phrasing):
    form, text, right = phrasing
    renamed = re.sub(r"(?<=[Pp])([123])\b", lambda match: str(names[int(match[1]) - 1]), text)
    if re.search(r"(?i)player ?\d|player (one|two)|\| P1", text):
        return  # named otherwise too, or by the head of a table
    assert reading(form, renamed) in ([names[player - 1] for player in right], None)
