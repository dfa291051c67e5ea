"""A reader's words become evidence, whatever shape they come in; nothing in them crashes the
game."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.debate.texts import clean, exchangeable, plain, shown_texts
from mirrorenv.debate.verdicts import read_verdict, verdict_from_evidence, verdict_schema


def best(reply, count=3, form="matrix"):
    return [row.argmax() for row in read_verdict(reply, count, form).array(count)]


@pytest.mark.parametrize(
    "reply",
    [
        '{"A": {"P1": 0.1, "P2": 0.8, "P3": 0.1}, "B": {"P1": 1}, "C": {"P3": 1}}',
        'Let me think. {"A": "P3"} no ...\n```json\n{"A": "P2", "B": "P1", "C": "P3"}\n```\nDone.',
        '{"text a": "player 2", "B": "p1", "C.": " P3 "}',
        '{"A": [0, 1, 0], "B": [9, 1, 0], "C": ["5%", "5%", "90%"]}',
    ],
)
def test_the_same_verdict_is_read_from_many_forms(reply):
    assert best(reply) == [1, 0, 2]


@pytest.mark.parametrize(
    "reply", ["2, 1, 3", "P2,P1,P3.", "[2, 1, 3]", "Of 7 ideas, mine: Player 2, Player 1, Player 3"]
)
def test_a_bare_order_counts_players_from_one(reply):
    assert best(reply, form="order") == [1, 0, 2]


@pytest.mark.parametrize(
    ("reply", "form", "said"),
    [
        ("", "matrix", "no JSON object"),
        ("2, 1, 3", "matrix", "no JSON object"),
        ('{"A": "P1", "B": "P2"}', "labels", "no entry for text C"),
        ('{"A": "P9", "B": "P2", "C": "P1"}', "labels", "no player is called 'P9'"),
        ('{"A": {"P1": -1}, "B": "P2", "C": "P1"}', "matrix", "must be a number"),
        ('{"A": {"P1": NaN}, "B": "P2", "C": "P1"}', "matrix", "must be a number"),
        ('{"A": {"P1": 0}, "B": "P2", "C": "P1"}', "matrix", "all zero"),
        ('{"A": true, "B": "P2", "C": "P1"}', "matrix", "give each player"),
        ("1, 2", "order", "no 3 numbers"),
        ("0, 1, 2", "order", "no 3 numbers"),
        ("[" * 100_000, "matrix", "no JSON"),
        ("{" * 100_000, "matrix", "no JSON"),
    ],
)
def test_an_unreadable_reply_says_what_is_wrong(reply, form, said):
    found = read_verdict(reply, 3, form)
    assert not found.valid and said in found.problem and not found.array(3).any()


@given(st.text(max_size=300), st.sampled_from(["matrix", "labels", "order"]), st.integers(2, 10))
def test_no_reply_crashes_the_parser(reply, form, count):
    found = read_verdict(reply, count, form)
    assert found.valid == (found.problem is None) and np.isfinite(found.array(count)).all()


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["A", "B", "P1", "P2", "x"]), inner)
    ),
)


@given(st.dictionaries(st.sampled_from(["A", "B", "a"]), json_values))
def test_no_json_crashes_the_parser(value):
    found = read_verdict(json.dumps(value), 2, "matrix")
    assert np.isfinite(found.array(2)).all() and (np.abs(found.array(2)) <= 10).all()


def test_stated_probabilities_are_kept_as_evidence():
    found = read_verdict(
        '{"A": {"P1": 0.75, "P2": 0.25}, "B": {"P1": 25, "P2": 75}}', 2, "matrix"
    ).array(2)
    shares = np.exp(found) / np.exp(found).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, [[0.75, 0.25], [0.25, 0.75]], atol=1e-5)


@pytest.mark.parametrize(
    "wrong", [[[0.0, 1.0]], [[np.nan, 0], [0, 0]], [[-np.inf, -np.inf], [0, 0]], "x", [[1], [2, 3]]]
)
def test_evidence_that_is_none_is_unreadable(wrong):
    assert not verdict_from_evidence(wrong).valid


def test_the_schema_accepts_exactly_the_asked_form():
    schema = verdict_schema(3, "labels")
    assert schema["required"] == ["A", "B", "C"] and schema["properties"]["A"]["enum"] == [
        "P1",
        "P2",
        "P3",
    ]
    assert verdict_schema(2, "matrix")["properties"]["B"]["required"] == ["P1", "P2"]


@given(st.text(max_size=200))
def test_a_cleaned_text_holds_nothing_invisible_and_cleaning_again_changes_nothing(text):
    once = clean(text, 100)
    assert len(once) <= 100 and clean(once, 100) == once
    assert not any(mark in once for mark in "\x00\x1b\x9b\ufffe\r")


def test_the_arms_take_away_length_and_decoration():
    texts = ["**Well**, I'd say: YES! \N{GRINNING FACE}", "no"]
    assert shown_texts(texts, "as_written") == texts
    assert [len(text) for text in shown_texts(["abc def ghi", "xyz u"], "equal_length")] == [3, 5]
    assert shown_texts(texts, "plain")[1] == "no" and len(shown_texts(texts, "plain")[0]) <= 2
    assert plain(texts[0]) == "well , i'd say: yes!"
    assert shown_texts(["", "x"], "as_written")[0] == "(no answer)"


def test_texts_too_alike_to_tell_apart_form_a_group():
    long = (
        "The quick brown fox jumps over the lazy dog and goes home to sleep until the morning "
        "comes."
    )
    assert exchangeable([long, "other words entirely", long.upper() + "!", "third"]) == [
        [0, 2],
        [1],
        [3],
    ]
    assert exchangeable(["", ""]) == [[0, 1]]
