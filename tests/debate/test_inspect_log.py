"""A tournament's log, read by Inspect: every game a sample, every call an event."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("inspect_ai", reason="comes with the extra inspect")

from inspect_ai.log import read_eval_log
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.debate.scoring.results import open_results
from tests.debate.stub import player_like, serving
from tests.debate.test_arms import written


@pytest.mark.parametrize("ending", ["eval", "json"])
def test_inspect_reads_games_calls_and_figures(tmp_path, ending):
    with serving() as stub:
        stub.answer = player_like
        file = written(tmp_path, stub.url)
        words = ["debate", "run", str(file), "--run", str(tmp_path / "run"), "--quiet"]
        assert CliRunner().invoke(app, words).exit_code == 0
    to = tmp_path / f"log.{ending}"
    typed = ["debate", "inspect-log", str(tmp_path / "run"), "--out", str(to), "--json"]
    done = CliRunner().invoke(app, typed)
    assert done.exit_code == 0, done.output + repr(done.exception)
    log = read_eval_log(str(to), resolve_attachments=True)
    assert (log.status, len(log.samples)) == ("success", 2)
    events = [event for sample in log.samples for event in sample.events]
    assert len(events) == len(stub.requests)
    bodies = [{**event.call.request["body"], "path": "/v1/chat/completions"} for event in events]
    sent = sorted(json.dumps(body, sort_keys=True) for body in bodies)
    assert sent == sorted(json.dumps(body, sort_keys=True) for body in stub.requests)
    assert {event.role for event in events} == {"a", "b", "c", "d", "judge"}
    assert {event.output.stop_reason for event in events} == {"stop"}
    assert sum(event.output.usage.input_tokens for event in events) == 10 * len(events)
    scores = open_results(tmp_path / "run").scores()
    players = [one.peer_hits.value for one in scores if not one.judge]
    found = {one.name: one.metrics["mean"].value for one in log.results.scores}
    assert found["peer_hits"] == pytest.approx(sum(players) / len(players))
