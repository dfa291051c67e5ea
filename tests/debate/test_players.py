"""Every registered player plays any game; chance players score chance; the baselines do what they
claim."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from mirrorenv.debate.players import make_player, player_kinds, register
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.errors import ConfigError, UnknownNameError
from tests.debate.small import card, play, voices

SCRIPTED = [name for name, kind in player_kinds().items() if not kind.is_model]


@pytest.mark.parametrize("form", ["matrix", "labels", "order"])
@pytest.mark.parametrize("kind", SCRIPTED)
def test_every_player_that_is_no_model_plays_every_form(kind, form):
    played = play([card(kind), *voices("sailor", "poet")], rounds=5, answer_format=form)
    verdicts = [one.verdicts[0] for one in played.rounds]
    assert (played.over and all(one.valid for one in verdicts)) or kind == "red-team"


def hits(played, seat):
    return np.array([one.hits[seat] for one in played.rounds])


@pytest.mark.parametrize("kind", ["random", "constant", "copy-own"])
def test_players_without_knowledge_score_what_theory_says(kind):
    # of four; copying leaves 1/3 of three
    expected = {"random": 1.0, "constant": 1.0, "copy-own": 2.0}[kind]
    games = [
        play([card(kind), *[card("random", f"r{i}") for i in range(3)]], game=g, rounds=40)
        for g in range(5)
    ]
    found = np.concatenate([hits(game, 0) for game in games])
    assert abs(found.mean() - expected) < 3.5 * found.std() / np.sqrt(len(found))


def test_a_copier_that_must_not_see_its_text_guesses():
    cast = [card("copy-own"), *[card("random", f"r{i}") for i in range(3)]]
    found = np.concatenate(
        [hits(play(cast, game=g, rounds=40, own_text="withheld"), 0) for g in range(5)]
    )
    assert abs(found.mean() - 1.0) < 3.5 * found.std() / np.sqrt(len(found))


def test_style_is_learned_from_revealed_rounds_only():
    cast = [*voices("sailor", "professor", "teenager"), card("stylometric")]
    told, untold = play(cast, rounds=6), play(cast, rounds=6, feedback="none")
    assert hits(told, 3)[0] == 1.0 and hits(told, 3)[3:].mean() > 3.5
    assert (hits(untold, 3) == 1.0).all()


def test_the_inverse_convention_makes_a_good_reader_look_mediocre():
    cast = [*voices("sailor", "professor", "teenager"), card("inverse")]
    found = np.concatenate([hits(play(cast, rounds=12, game=g), 3)[3:] for g in range(8)])
    # the number of texts right by accident: 1 + 24/24 involutions in the mean
    assert abs(found.mean() - 2.0) < 0.6


def test_the_red_team_attacks_in_turn_and_its_rubbish_is_survived():
    played = play([card("red-team"), *voices("cook", "poet", "accountant")], rounds=8)
    texts = [one.texts[0] for one in played.rounds]
    assert (
        "here, as always" in texts[0]
        and "ignore all previous" in texts[1]
        and "\x1b" not in texts[2]
    )
    assert texts[3] in played.rounds[2].texts and not played.rounds[2].verdicts[0].valid


def test_chance_follows_from_the_call_and_not_from_what_ran_before():
    rules = preset("default", {"judges": 0})
    view = Debate(rules, load_topics("neutral"), run="x").view(0)
    player = make_player(card("random"))
    first = asyncio.run(player.speak(view))
    asyncio.run(player.speak(Debate(rules, load_topics("neutral"), run="y").view(0)))
    assert (
        asyncio.run(player.speak(view))
        == first
        == asyncio.run(make_player(card("random", "other")).speak(view))
    )


def test_unknown_players_and_options_get_a_proposal():
    with pytest.raises(UnknownNameError, match="Did you mean stylometric"):
        make_player(card("stylometrik"))
    with pytest.raises(ConfigError, match="Did you mean voice"):
        make_player(card("persona", voise="cook"))
    with pytest.raises(ConfigError, match="Did you mean cook"):
        make_player(card("persona", voice="cok"))
    with pytest.raises(ConfigError, match="tactics"):
        make_player(card("red-team", tactics=["shout"]))
    with pytest.raises(ConfigError, match="order"):
        make_player(card("constant", order=[0, 1]))
    with pytest.raises(ConfigError, match="no options"):
        make_player(card("random", seed=1))
    with pytest.raises(ConfigError, match="registered already"):
        register("random", "somewhere:Else", "x")
