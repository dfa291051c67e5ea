"""Tournaments of endpoints: budgets, dead servers, bursts of refusals, and keys that never leak."""

from __future__ import annotations

import asyncio
import json

import pytest

pytest.importorskip("httpx2", reason="the client comes with the extra llm")

from mirrorenv.debate.calls import Budget
from mirrorenv.debate.cards import AgentCard, Price
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.output.scores_file import write_scores
from mirrorenv.debate.output.view import write_pages
from mirrorenv.debate.players import CallFailed, make_player
from mirrorenv.debate.playing import play_tournament
from mirrorenv.debate.scoring.results import Results, open_results
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.debate.tournament import Tournament
from mirrorenv.errors import ConfigError
from tests.debate.asking import ask, card, views
from tests.debate.stub import player_like, say

KEY = "sk-planted-0123456789abcdefghijklmnop"


def tournament(cards, games=2, at_once=4, **settings):
    rules = preset("default", {"rounds": 1, "judges": 0, "answer_format": "labels", **settings})
    judge = AgentCard(name="judge", player="stylometric")
    return Tournament(
        "t", 0, games, at_once, rules, load_topics("neutral"), tuple(cards), judge, None, False
    )


def run(design, path, budget=None):
    design.folder(path)
    log = CallLog(path / CALLS)
    outcome = asyncio.run(play_tournament(design, log, budget or Budget()))
    return outcome, Results(path, design, CallLog(path / CALLS))


def test_a_planted_key_is_in_no_file(stub, tmp_path, monkeypatch):
    monkeypatch.setenv("PLANTED_KEY", KEY)

    def telling(body, k):
        if k % 5 == 4:
            return 500, {}, {"error": {"message": f"your key {KEY} is fine, we are not"}}
        status, headers, answer = player_like(body, k)
        return (
            status,
            headers,
            {**answer, "echo": f"Bearer {KEY}", "choices": say(f"{KEY} says hello")["choices"]},
        )

    stub.answer = telling
    cards = [card(stub, f"m{i}", key_env="PLANTED_KEY") for i in range(4)]
    _, results = run(tournament(cards, games=1), tmp_path)
    write_scores(results)
    write_pages(results)
    assert any(
        KEY in header.get("authorization", header.get("Authorization", ""))
        for header in stub.headers
    )
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 5 and not [path for path in files if KEY.encode() in path.read_bytes()]
    stub.answer = lambda body, k: (401, {}, {"error": {"message": f"Incorrect key: {KEY}"}})
    with pytest.raises(CallFailed) as failed:
        ask(cards[0], views()[0])
    assert KEY not in str(failed.value) + json.dumps(failed.value.attempts)


def test_a_missing_key_is_named_before_anything_is_sent(stub, monkeypatch):
    monkeypatch.delenv("NOT_THERE", raising=False)
    with pytest.raises(ConfigError, match="NOT_THERE is not set"):
        make_player(card(stub, key_env="NOT_THERE"))


def test_a_tournament_of_models_is_played_scored_and_replayed_without_a_request(stub, tmp_path):
    stub.answer = player_like
    price = Price(input=1.0, output=2.0)
    outcome, results = run(tournament([card(stub, f"m{i}", price) for i in range(4)]), tmp_path)
    assert outcome.finished == 2 and outcome.totals.calls == 2 * 12 == len(stub.requests)
    assert outcome.totals.cost == pytest.approx(24 * (10 * 1.0 + 5 * 2.0) / 1e6)
    assert write_scores(results)["readers"]
    asked = len(stub.requests)
    assert open_results(tmp_path).game(1).over and len(stub.requests) == asked


def test_a_budget_of_tokens_or_money_stops_within_one_wave(stub, tmp_path):
    stub.answer = player_like
    # a call costs one
    cards = [card(stub, f"m{i}", Price(input=1e6 / 15, output=1e6 / 15)) for i in range(4)]
    for name, budget, limit in (
        ("tokens", Budget(max_tokens=150), 10),
        ("cost", Budget(max_cost=10.0), 10),
    ):
        outcome, _ = run(tournament(cards, games=3, at_once=1), tmp_path / name, budget)
        assert outcome.stopped and limit <= outcome.totals.calls < limit + 4


def test_a_dead_endpoint_ends_the_run_soon_with_nothing_lost(stub, tmp_path):
    stub.answer = lambda body, k: (
        player_like(body, k) if k < 20 else (401, {}, {"error": {"message": "revoked"}})
    )
    design = tournament([card(stub, f"m{i}") for i in range(4)], games=5)
    outcome, _ = run(design, tmp_path)
    assert outcome.totals.calls == 20 and len(stub.requests) < 40 and len(outcome.failures) > 0
    stub.answer = player_like
    outcome, _ = run(design, tmp_path)
    assert outcome.finished == 5 and outcome.totals.calls == 5 * 12


def test_concurrency_keeps_its_cap_and_uses_it(stub, tmp_path):
    stub.answer, stub.latency = player_like, 0.05
    cards = [card(stub, f"m{i}", concurrency=8) for i in range(4)]
    outcome, _ = run(tournament(cards, games=8, at_once=8), tmp_path)
    assert outcome.finished == 8 and 3 <= stub.highest <= 8


def test_bursts_of_refusals_are_survived_with_fewer_at_once(stub, tmp_path):
    refused = {"n": 0}

    def busy(body, k):
        if 5 <= k < 25:
            refused["n"] += 1
            return 429, {"retry-after": "0.05"}, {"error": {"message": "busy"}}
        return player_like(body, k)

    stub.answer = busy
    outcome, _ = run(
        tournament([card(stub, f"m{i}", retries=20) for i in range(4)], games=4), tmp_path
    )
    assert outcome.finished == 4 and outcome.totals.attempts == refused["n"] == 20
