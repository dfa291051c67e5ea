"""The game keeps its rules: who sees what and when, what order, what a withheld text is, when it
ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.debate.rules import Debate
from mirrorenv.debate.settings import DebateSettings, preset, presets
from mirrorenv.debate.topic_files import load_topics, topic_packs
from mirrorenv.debate.verdicts import Verdict, verdict_from_evidence
from mirrorenv.errors import ConfigError, MirrorError, UnknownNameError
from tests.debate.small import card, play, voices


def game(**overrides):
    rules = preset("default", {"judges": 0, "rounds": 2, **overrides})
    return Debate(rules, load_topics(rules.topics), run="r", game=1)


def blank(count):
    return verdict_from_evidence(np.zeros((count, count)))


def advance(debate, texts=("a one", "b two", "c three", "d four")):
    debate.speak(texts[: debate.settings.num_players])
    debate.recognise([blank(debate.settings.num_players)] * debate.settings.num_readers)
    while debate.phase == "plan":
        debate.plan(["note"] * debate.settings.num_players)


@pytest.mark.parametrize("name", presets())
def test_every_preset_is_valid_and_plays_to_its_end(name):
    rules = preset(name)
    played = play(
        [card("random", f"r{i}") for i in range(rules.num_players)], name=name, judges=rules.judges
    )
    assert played.over and len(played.rounds) == rules.rounds


def test_the_original_preset_makes_176_calls():
    rules = preset("original")
    debate, calls = Debate(rules, load_topics(rules.topics)), 0
    while not debate.over:
        calls += len(debate.participants)
        if debate.phase == "recognise":
            debate.recognise([blank(4)] * 4)
        else:
            getattr(debate, debate.phase)(["x"] * 4)
    assert calls == 176


@settings(max_examples=25, deadline=None)
@given(count=st.integers(2, 10), run=st.text(max_size=5), number=st.integers(0, 99))
def test_a_lineup_shows_every_text_once_in_the_order_of_the_reveal(count, run, number):
    rules = preset("default", {"num_players": count, "judges": 1})
    debate = Debate(rules, load_topics("neutral"), run=run, game=number)
    debate.speak([f"text of {i}" for i in range(count)])
    for reader in debate.participants:
        order = debate.rounds[0].reveals[reader].permutation
        assert debate.view(reader).lineup == tuple(f"text of {author}" for author in order)


def test_readers_see_orders_of_their_own_unless_they_share_one():
    seen = {"observer": set(), "shared": set()}
    for shuffle in seen:
        for number in range(8):
            debate = Debate(
                preset("default", {"shuffle": shuffle}), load_topics("neutral"), game=number
            )
            debate.speak(list("abcd"))
            seen[shuffle].add(len({tuple(one.permutation) for one in debate.rounds[0].reveals}))
    assert seen["shared"] == {1} and max(seen["observer"]) > 2


def test_fixed_orders_are_used_as_given():
    debate = game(orders=((1, 0, 2, 3), (3, 2, 1, 0)))
    debate.speak(list("abcd"))
    assert debate.view(2).lineup == ("b", "a", "c", "d")


def test_a_player_is_told_its_index_at_the_start_or_after_a_round():
    early, late = game(), game(index_told="after_round")
    assert [early.view(2).me, late.view(2).me] == [2, None]
    advance(late)
    assert late.view(2).me == 2


def test_the_own_text_is_withheld_from_a_reader_that_must_not_copy():
    for settings_, known in (
        ({}, "b two"),
        ({"own_text": "withheld"}, None),
        ({"reader": "fresh"}, None),
    ):
        debate = game(**settings_)
        debate.speak(["a one", "b two", "c three", "d four"])
        assert debate.view(1).own_text == known


def test_a_fresh_reader_has_no_history_but_the_speaker_has():
    debate = game(reader="fresh", memory="full", rounds=3)
    advance(debate)
    assert len(debate.view(0).history) == 1
    debate.speak(list("abcd"))
    view = debate.view(0)
    assert view.history == view.record == () and view.notes == ""


@pytest.mark.parametrize(
    ("memory", "held"), [("full", [0, 1, 2]), ("window", [1, 2]), ("notes", []), ("none", [])]
)
def test_memory_decides_which_rounds_stay_in_the_context(memory, held):
    debate = game(memory=memory, rounds=4)
    for _ in range(3):
        advance(debate)
    view = debate.view(0)
    assert (
        [past.number for past in view.history] == held
        and len(view.record) == 3
        and view.notes == "note"
    )


def test_feedback_decides_what_is_revealed():
    for feedback, authors, hits in (
        ("full", True, True),
        ("own", False, True),
        ("none", False, False),
    ):
        debate = game(feedback=feedback)
        advance(debate)
        past = debate.view(1).record[0]
        assert ((past.authors is not None), (past.own_hits is not None)) == (authors, hits)
        if not authors:
            order = debate.rounds[0].reveals[1].permutation
            assert past.texts == tuple(debate.rounds[0].texts[author] for author in order)


def test_a_judge_has_no_seat_no_notes_and_reads_the_public_record():
    debate = game(judges=1)
    advance(debate)
    debate.speak(list("abcd"))
    view = debate.view(4)
    assert view.me is None and view.own_text is None and view.notes == "" and len(view.history) == 1


def test_an_unreadable_verdict_counts_no_hits_and_a_tie_is_shared():
    debate = game(judges=0)
    debate.speak(list("abcd"))
    truth = debate.rounds[0].reveals[0].permutation
    debate.recognise(
        [
            verdict_from_evidence(np.log(np.eye(4)[truth] + 1e-3)),
            Verdict(None, "?"),
            blank(4),
            blank(4),
        ]
    )
    assert debate.rounds[0].hits == [4.0, 0.0, 1.0, 1.0]


def test_texts_are_cleaned_before_anybody_sees_them():
    debate = game(longest_text=20)
    debate.speak(["\x1b[31mred\x1b[0m\x9b", "", "x" * 99, "ok\x00"])
    assert debate.rounds[0].shown == ["red", "(no answer)", "x" * 20, "ok"]


def test_paraphrases_replace_what_is_shown_and_not_what_was_written():
    debate = play(voices("sailor", "poet"), rounds=1, show="paraphrased")
    assert all(text.startswith("in other words:") for text in debate.rounds[0].shown)
    assert not any(text.startswith("in other") for text in debate.rounds[0].texts)


def test_answers_out_of_turn_or_in_the_wrong_number_are_refused():
    debate = game()
    with pytest.raises(MirrorError, match="it is the phase 'speak', not 'plan'"):
        debate.plan(["x"] * 4)
    with pytest.raises(MirrorError, match="takes 4 answers, got 3"):
        debate.speak(["x"] * 3)
    debate.speak(["x"] * 4)
    with pytest.raises(MirrorError, match=r"reader 1.* 4 x 4"):
        debate.recognise([blank(4), blank(3), blank(4), blank(4)])


def test_the_same_seed_plays_the_same_game_and_another_does_not():
    cast = [*voices("sailor", "poet"), card("random")]
    assert (
        play(cast).transcript() == play(cast).transcript() != play(cast, run="other").transcript()
    )


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"num_playrs": 3}, "Did you mean num_players"),
        ({"num_players": 11}, "num_players"),
        ({"num_players": "4"}, "num_players"),
        ({"memory": "notes", "plan": ()}, "which writes them"),
        ({"orders": ((0, 1, 2, 3),)}, "for 8 rounds"),
        ({"orders": ((0, 1, 2, 2),), "rounds": 1}, "does not name each"),
    ],
)
def test_wrong_settings_are_refused_by_name(wrong, said):
    with pytest.raises(ConfigError, match=said):
        preset("default", wrong)


def test_settings_cannot_be_changed_and_unknown_presets_get_a_proposal():
    with pytest.raises(ValueError):
        DebateSettings().rounds = 3
    with pytest.raises(UnknownNameError, match="Did you mean local"):
        preset("locl")


def test_every_topic_pack_of_the_package_loads_and_bad_ones_are_named(tmp_path):
    assert {"neutral", "original"} <= set(topic_packs()) and len(
        load_topics("original").topics
    ) == 11
    for name in topic_packs():
        assert load_topics(name).about
    pack = tmp_path / "own.toml"
    for text, said in (
        ("topics = 3", "list"),
        ("topics = ['']", "topic 0"),
        ("topix = []", "unknown keys"),
        ("topics = ['a']\nrequest = 3", "must be a text"),
        ("=", "TOML"),
    ):
        pack.write_text(text)
        with pytest.raises(ConfigError, match=said):
            load_topics(str(pack))
    pack.write_text("topics = ['Is it so?']")
    assert load_topics(str(pack))[7] == "Is it so?"
    pack.write_text("topics = ['Is it so? ']\nrequest = 'Be brief.'")
    assert load_topics(str(pack))[7] == "Is it so? Be brief."
    with pytest.raises(ConfigError, match="cannot read"):
        load_topics(str(tmp_path / "none.toml"))
