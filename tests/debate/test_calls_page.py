"""Behind every text its call; a page that reads itself again while a tournament is played."""

from __future__ import annotations

import html
import json
import re

from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.debate.output.calls_page import PAGE, anchor, calls_page
from mirrorenv.debate.output.live_page import write_live_page
from mirrorenv.debate.output.view import write_pages
from mirrorenv.debate.scoring.results import open_results
from tests.debate.stub import player_like, say, serving
from tests.debate.test_arms import written

EVIL = "</pre><script>alert(1)</script>\u202e"


def evil(body, k):
    status, headers, answer = player_like(body, k)
    answer["choices"][0]["message"]["reasoning_content"] = f"thought {EVIL}"
    answer["odd"] = EVIL
    return status, headers, answer


def played(folder, answer=evil, more="", *words):
    with serving() as stub:
        stub.answer = answer
        file = written(folder, stub.url, more)
        typed = ["debate", "run", str(file), "--run", str(folder / "run"), "--games", "1", "-q"]
        done = CliRunner().invoke(app, [*typed, *words])
        return done, stub


def test_every_text_leads_to_its_raw_request_and_reply(tmp_path):
    done, stub = played(tmp_path)
    assert done.exit_code == 0, done.output
    folder = tmp_path / "run/games"
    game = (folder / "game-00000.html").read_text()
    links = re.findall(r'href="(game-00000-calls.html)#([^"]*)"', game)
    page = (folder / "game-00000-calls.html").read_text()
    ids = re.findall(r'<h3 id="([^"]*)"', page)
    assert len(links) == 4 * 2 * 2  # players, rounds, texts and notes
    assert {place for _, place in links} <= set(ids)
    assert len(ids) == len(set(ids)) == len(stub.requests)
    shown = html.unescape(page)
    for body in stub.requests:
        assert json.dumps(body["messages"][0]["content"], ensure_ascii=False) in shown
    assert "thought" in shown


def test_what_came_back_cannot_act_on_the_page(tmp_path):
    played(tmp_path)
    page = (tmp_path / "run/games/game-00000-calls.html").read_text()
    assert "<script" not in page
    assert "\u202e" not in page
    assert "src=" not in page
    assert "http-equiv" in page


def test_a_page_of_long_answers_is_bounded_and_says_so(tmp_path):
    long = "word " * 40_000

    def answer(body, k):
        status, headers, found = player_like(body, k)
        return status, headers, {**found, "padding": long}

    played(tmp_path, answer)
    results = open_results(tmp_path / "run")
    rows = list(results.log.game(0).values()) * 8
    page = calls_page(results.tournament, 0, rows)
    assert len(page) < 1.5 * PAGE
    assert "whole in calls.jsonl" in page


def test_a_second_try_has_a_place_of_its_own():
    assert anchor("g00001/r002/plan:notes/p3") == "r002-plan-notes-p3"
    assert anchor("g00001/r002/recognise/judge0", 1) == "r002-recognise-judge0-1"


def test_the_page_reads_itself_again_while_a_tournament_is_played(tmp_path):
    played(tmp_path)
    results = open_results(tmp_path / "run")
    page = write_live_page(tmp_path / "run", results.tournament, results.log.totals, 1)
    assert '<meta http-equiv="refresh"' in page.read_text()
    assert "stub-1" in page.read_text()  # the model that answered
    assert '<meta http-equiv="refresh"' not in write_pages(results).read_text()


def test_a_run_that_was_broken_off_leaves_a_page_that_says_so(tmp_path, monkeypatch):
    from mirrorenv.debate import playing

    def broken(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(playing, "play_tournament", broken)
    played(tmp_path, lambda body, k: (200, {}, say("x")))
    page = (tmp_path / "run/index.html").read_text()
    assert "was broken off" in page
    assert '<meta http-equiv="refresh"' not in page
