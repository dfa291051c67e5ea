"""Players, readers, the exact limit and the server of a local model, against brute force on random
weights."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import threading
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("transformers")

from mirrorenv.debate.calls import Budget
from mirrorenv.debate.cards import AgentCard, Endpoint
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.output.scores_file import SCORES, write_scores
from mirrorenv.debate.output.view import write_pages
from mirrorenv.debate.players import make_player, verdict_of
from mirrorenv.debate.players.local import LocalPlayer
from mirrorenv.debate.players.local_prompts import imitation, messages_for, speaking
from mirrorenv.debate.players.local_readers import (
    constrained_verdict,
    label_evidence,
    likelihood_evidence,
)
from mirrorenv.debate.playing import play_tournament
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.ideal import LIMIT_FILE
from mirrorenv.debate.scoring.ideal_evidence import add_limits
from mirrorenv.debate.scoring.results import Results, open_results
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.verdicts import read_verdict, verdict_from_evidence
from mirrorenv.llm.options import LocalOptions
from mirrorenv.llm.serve import server_of
from tests.debate.tiny import brute, tiny_engine, tiny_model

pytestmark = pytest.mark.local
SHORT = {"rounds": 2, "answer_tokens": 8, "notes_tokens": 6, "verdict_tokens": 6, "judges": 0}


def local(name, reader="likelihood", **options):
    return AgentCard(
        name=name, player="local", persona=f"You are {name}.", reader=reader, options=options
    )


def debate_at_reading(rounds_before=2, **settings):
    rules = preset("local", {"rounds": 4, "judges": 0, "answer_format": "labels", **settings})
    debate = Debate(rules, load_topics("neutral"), run="r", game=1)
    for number in range(rounds_before):
        debate.speak([f"words {player} {number}" for player in range(3)])
        debate.recognise([verdict_from_evidence(np.zeros((3, 3)))] * 3)
        debate.plan([f"note of {player}" for player in range(3)])
    debate.speak(["alpha one", "beta two", "gamma three"])
    return debate


@pytest.fixture(scope="module")
def model():
    return tiny_model()


def test_likelihood_reading_is_the_likelihood_of_each_text_in_each_context(model):
    card, options = local("ann", temperature=0.7), LocalOptions(temperature=0.7, equivalent=1e9)
    view = debate_at_reading(own_text="withheld").view(1)
    found = likelihood_evidence(model, view, card, options)
    for slot, text in enumerate(view.lineup):
        for player in range(3):
            said = (
                messages_for(speaking(view), card, "short")
                if player == 1
                else imitation(view, player, "short", 3)
            )
            expected = brute(model, model.chat(said), model.answer_tokens(text), 0.7)
            assert found[slot, player] == pytest.approx(expected, abs=1e-3)
    peer = imitation(view, 2, "short", 3)
    assert [content for role, content in peer if role == "assistant"] == ["words 2 0", "words 2 1"]
    assert "note of 1" in messages_for(speaking(view), card, "short")[0][1]


def test_the_context_of_oneself_is_the_prompt_one_spoke_with():
    for form, memory in itertools.product(("short", "full"), ("notes", "full", "window", "none")):
        debate = debate_at_reading(memory=memory, plan=("notes",))
        spoken = Debate(debate.settings, debate.topics, run="r", game=1)
        for one in debate.rounds[:-1]:
            spoken.speak(one.texts)
            spoken.recognise(one.verdicts)
            spoken.plan(one.plans["notes"])
        card = local("ann")
        for seat in range(3):
            then = messages_for(spoken.view(seat), card, form)
            assert messages_for(speaking(debate.view(seat)), card, form) == then


def test_a_tempered_text_counts_for_so_many_tokens(model):
    view, card = debate_at_reading(own_text="withheld").view(0), local("ann")
    whole, part = (
        likelihood_evidence(model, view, card, LocalOptions(equivalent=e)) for e in (1e9, 3.0)
    )
    lengths = np.array([len(model.answer_tokens(text)) for text in view.lineup])
    np.testing.assert_allclose(part, whole * (3.0 / lengths)[:, None])


def test_the_own_text_is_found_by_comparing_strings_where_it_may_be_seen(model):
    view = debate_at_reading().view(2)
    found = likelihood_evidence(model, view, local("ann"), LocalOptions())
    slot = view.lineup.index("gamma three")
    assert found[slot].argmax() == 2 and (found.argmax(axis=1) == 2).sum() == 1


@pytest.mark.parametrize("settings", [{"reader": "fresh"}, {"feedback": "none"}])
def test_a_reader_to_whom_nothing_was_revealed_cannot_tell_its_peers_apart(model, settings):
    view = debate_at_reading(own_text="withheld", **settings).view(0)
    found = likelihood_evidence(model, view, local("ann"), LocalOptions())
    np.testing.assert_array_equal(found[:, 1], found[:, 2])
    assert not np.allclose(found[:, 0], found[:, 1])


def test_label_reading_is_the_likelihood_of_each_sentence(model):
    view, card = debate_at_reading().view(0), local("ann")
    found, prompt = (
        label_evidence(model, view, card, LocalOptions()),
        model.chat(messages_for(view, card, "short")),
    )
    for slot, label in enumerate("ABC"):
        for player in range(3):
            said = model.answer_tokens(f"Text {label} was written by P{player + 1}.", ended=False)
            assert found[slot, player] == pytest.approx(brute(model, prompt, said), abs=1e-3)


def test_a_constrained_verdict_is_always_readable_and_the_likeliest_step_by_step(model):
    view, card = debate_at_reading().view(0), local("ann")
    text = constrained_verdict(model, view, card, LocalOptions())
    assert read_verdict(text, 3, "labels").valid
    prompt, said = model.chat(messages_for(view, card, "short")), "{"
    for label in "ABC":
        tails = [f'{said}"{label}": "P{player}"' for player in (1, 2, 3)]
        said = max(tails, key=lambda tail: brute(model, prompt, model.tokens(tail))) + ", "
    assert text == said[:-2] + "}"


def design(games=2, cards=None, **settings):
    rules = preset("local", {**SHORT, **settings})
    cards = cards or tuple(local(name) for name in ("ann", "bob", "eve", "joe"))
    judge = AgentCard(name="judge", player="stylometric")
    return Tournament(
        "t", 0, games, 4, rules, load_topics("neutral"), tuple(cards), judge, None, False
    )


def play(what, path, engine, budget=None):
    what.folder(path)
    log = CallLog(path / CALLS)
    players = {one.name: make_player(one) for one in (*what.cards, what.judge)}
    players |= {one.name: LocalPlayer(one, engine) for one in what.cards if one.player == "local"}
    outcome = asyncio.run(play_tournament(what, log, budget or Budget(), players=players))
    return outcome, Results(path, what, CallLog(path / CALLS))


def test_the_limit_is_bayes_rule_over_who_wrote_what(tmp_path, model):
    engine = tiny_engine()
    _, results = play(design(), tmp_path, engine)
    assert add_limits(results, engine) == 2 and add_limits(results, engine) == 0
    rows = [json.loads(line) for line in (tmp_path / LIMIT_FILE).read_text().splitlines()]
    calls = {
        row["key"]: row["reply"]
        for row in map(json.loads, (tmp_path / CALLS).read_text().splitlines())
    }
    for row in rows:
        for number in range(2):
            spoken = [calls[f"g{row['game']:05d}/r{number:03d}/speak/p{seat}"] for seat in range(3)]
            for k, n in itertools.product(range(3), range(3)):
                prompt = model.chat([tuple(one) for one in spoken[n]["request"]["messages"]])
                expected = brute(model, prompt, spoken[k]["response"]["tokens"], 0.8)
                assert row["evidence"][number][k][n] == pytest.approx(expected, abs=2e-3)
    table = write_scores(results)
    assert table["limit"]["games"] == 2 and table["limit"]["peer_hits"]["value"] >= 0.5
    assert "limit (omniscient)" in write_pages(results).read_text()


def test_the_limit_waits_for_games_of_one_model_only(tmp_path):
    engine = tiny_engine()
    mixed = (
        local("ann"),
        local("bob"),
        AgentCard(name="cook", player="persona", options={"voice": "cook"}),
    )
    _, results = play(design(games=1, cards=mixed), tmp_path, engine)
    assert (
        add_limits(results, engine) == 0
        and results.limit() is None
        and "limit" not in write_scores(results)
    )


def test_a_tournament_is_resumed_without_a_call_and_ends_the_same(tmp_path):
    engine = tiny_engine()
    _, whole = play(design(), tmp_path / "whole", engine)
    outcome, _ = play(design(), tmp_path / "cut", engine, Budget(max_calls=20))
    assert outcome.stopped
    written = len(engine.batches)
    outcome, cut = play(design(), tmp_path / "cut", engine)
    assert outcome.finished == 2 and outcome.totals.calls == whole.log.totals.calls
    for results in (whole, cut):
        add_limits(results, engine)
        write_scores(results)
    texts = [[one.texts for one in results.game(1).rounds] for results in (whole, cut)]
    assert texts[0] == texts[1] and len(engine.batches) > written
    assert (tmp_path / "whole" / SCORES).read_bytes() == (tmp_path / "cut" / SCORES).read_bytes()
    written = len(engine.batches)
    play(design(), tmp_path / "cut", engine)
    assert open_results(tmp_path / "cut").game(0).over and len(engine.batches) == written


@pytest.mark.parametrize("reader", ["words", "schema", "labels", "likelihood"])
@pytest.mark.parametrize("arm", [{}, {"own_text": "withheld"}, {"reader": "fresh"}])
def test_every_reader_plays_in_every_arm(tmp_path, reader, arm):
    cards = tuple(local(name, reader) for name in ("ann", "bob", "eve"))
    outcome, results = play(design(games=1, cards=cards, **arm), tmp_path, tiny_engine())
    verdicts = [verdict for one in results.game(0).rounds for verdict in one.verdicts]
    assert outcome.finished == 1 and (
        reader == "words" or all(verdict.valid for verdict in verdicts)
    )
    assert outcome.totals.input > 0 and outcome.totals.estimated == 0


def test_players_of_a_phase_and_of_games_side_by_side_share_a_batch(tmp_path):
    engine = tiny_engine()
    play(design(games=4), tmp_path, engine)
    assert max(engine.batches) >= 6  # of twelve: games drift apart while others write


# -- serving ---------------------------------------------------------------------------------------


@contextmanager
def served(engine):
    server = server_of(engine, "tiny")
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def client():
    openai = pytest.importorskip("openai")
    with served(tiny_engine()) as url:
        yield openai.OpenAI(api_key="none", base_url=url, max_retries=0)


def ask(client, **more):
    given = {
        "messages": [{"role": "user", "content": "hi"}],
        "model": "tiny",
        "max_tokens": 5,
        "seed": 3,
        **more,
    }
    return client.chat.completions.create(**given)


def test_the_server_answers_as_the_model_does(client, model):
    said = [{"role": "system", "content": "be kind"}, {"role": "user", "content": "hi"}]
    found = ask(client, messages=said, temperature=0.5)
    from mirrorenv.llm.asking import Request

    prompt = model.chat([("system", "be kind"), ("user", "hi")])
    expected = model.generate([Request(prompt, 5, 0.5, 3)])[0]
    assert found.choices[0].message.content == expected.text and found.usage.prompt_tokens == len(
        prompt
    )
    assert ask(client, messages=said, temperature=0.5).choices[0].message.content == expected.text
    assert client.models.list().data[0].id == "tiny"


def test_log_probabilities_are_told_where_they_are_asked_for(client):
    silent, told = ask(client), ask(client, logprobs=True, top_logprobs=3)
    assert silent.choices[0].logprobs is None
    content = told.choices[0].logprobs.content
    assert len(content) == told.usage.completion_tokens and all(
        len(one.top_logprobs) == 3 for one in content
    )
    assert all(one.logprob <= one.top_logprobs[0].logprob + 1e-9 <= 1e-6 for one in content)


def test_a_schema_of_enumerations_is_held_to(client):
    schema = {
        "type": "object",
        "properties": {"A": {"enum": ["P1", "P2"]}, "B": {"enum": ["P1", "P2"]}},
    }
    form = {"type": "json_schema", "json_schema": {"name": "v", "schema": schema}}
    found = json.loads(ask(client, response_format=form).choices[0].message.content)
    assert found.keys() == {"A", "B"} and set(found.values()) <= {"P1", "P2"}


def test_parts_of_text_are_joined_and_what_clients_send_by_default_is_taken(client):
    parts = [{"type": "text", "text": "h"}, {"type": "text", "text": "i"}]
    default = {"n": 1, "stream": False, "top_p": 1, "stop": [], "tools": [], "user": "u"}
    said = ask(client, messages=[{"role": "user", "content": parts}], **default)
    assert said.choices[0].message.content == ask(client).choices[0].message.content
    assert ask(client, extra_query={"api-version": "1"}).choices


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"n": 2}, "'n' = 2"),
        ({"top_p": 0.5}, "top_p"),
        ({"stop": ["x"]}, "stop"),
        ({"temperature": 3.0}, "from 0 to 2"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "at least one message"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, "user message must come last"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
            "content of text",
        ),
        ({"max_tokens": 4.7}, "whole number"),
        ({"response_format": {"type": "json_object"}}, "enumerations"),
        ({"messages": [{"role": "user", "content": "x" * 5000}]}, "memory"),
    ],
)
def test_what_would_be_ignored_is_refused_and_the_server_goes_on(client, more, said):
    import openai

    with pytest.raises(openai.BadRequestError, match=re.escape(said)):
        ask(client, **more)
    assert ask(client).choices


def test_a_port_that_is_taken_is_named():
    from mirrorenv.errors import ConfigError

    server = server_of(tiny_engine(), "tiny")
    try:
        with pytest.raises(ConfigError, match=f"127.0.0.1:{server.server_port}.*--port"):
            server_of(tiny_engine(), "tiny", server.server_port)
    finally:
        server.server_close()


def test_endpoint_players_play_on_the_served_model(tmp_path):
    pytest.importorskip("httpx2", reason="the client comes with the extra llm")
    with served(tiny_engine()) as url:
        cards = [
            AgentCard(
                name=name,
                player="endpoint",
                reader="schema",
                persona=f"You are {name}.",
                endpoint=Endpoint(model="tiny", base_url=url, profile="mirrorenv"),
            )
            for name in ("ann", "bob", "eve")
        ]
        what = design(games=1, cards=cards, answer_format="labels")
        what.folder(tmp_path)
        outcome = asyncio.run(play_tournament(what, CallLog(tmp_path / CALLS), Budget()))
    assert outcome.finished == 1 and not outcome.failures and outcome.totals.estimated == 0
    game = Results(tmp_path, what, CallLog(tmp_path / CALLS)).game(0)
    assert all(verdict.valid for one in game.rounds for verdict in one.verdicts)


def test_a_local_judge_reads_from_the_public_record(model):
    debate = debate_at_reading(judges=0)
    view = replace(debate.view(0), me=None, own_text=None, notes="", key="g/r/recognise/judge0")
    player = LocalPlayer(local("judge"), tiny_engine())
    verdict = verdict_of(asyncio.run(player.recognise(view)), view)
    assert verdict.valid and np.ptp(verdict.array(3)) > 0
