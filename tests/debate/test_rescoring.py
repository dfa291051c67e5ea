"""A log scored again by somebody's parser or scorer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.debate.scoring.rescoring import PARSERS, named_function, rescored
from mirrorenv.debate.scoring.results import open_results
from mirrorenv.debate.verdicts import read_verdict
from mirrorenv.errors import ConfigError, MirrorError
from tests.debate.stub import player_like, say, serving
from tests.debate.test_arms import written

OWN = """
import numpy as np

def backwards(reply, count, form):
    return np.eye(count)[::-1] if "P1" in reply else None

def letters(sheet, debate):
    told = {name: float(len(debate.rounds[0].texts[n])) for n, name in enumerate(sheet.readers[:4])}
    return {"letters": told}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rescored")
    with serving() as stub:
        stub.answer = player_like
        file = written(folder, stub.url)
        words = ["debate", "run", str(file), "--run", str(folder / "run"), "--quiet"]
        assert CliRunner().invoke(app, words).exit_code == 0
    return folder / "run"


def ours(reply, count, form):
    verdict = read_verdict(reply, count, form)
    return np.exp(verdict.array(count)) if verdict.valid else None


def test_the_parser_of_the_game_changes_nothing(run):
    results = open_results(run)
    found = rescored(results, ours)
    assert found.changed == 0
    assert found.scores == results.scores()
    assert found.games == results.finished


def test_another_parser_reads_otherwise(run):
    found = rescored(open_results(run), lambda reply, count, form: np.eye(count)[::-1])
    assert found.changed == found.verdicts == 2 * 2 * 5  # games, rounds, readers
    nothing = rescored(open_results(run), lambda reply, count, form: None)
    assert all(one.invalid == 1.0 for one in nothing.scores)


def test_a_second_reply_is_read_where_the_first_cannot_be(tmp_path):
    def twice(body, k):
        asked = [one["content"] for one in body["messages"]]
        if "Who wrote which" in asked[-1]:
            return 200, {}, say("I pass")
        if len(asked) > 2:  # asked again
            return 200, {}, say('{"A": "P2", "B": "P1", "C": "P3", "D": "P4"}')
        return player_like(body, k)

    with serving() as stub:
        stub.answer = twice
        file = written(tmp_path, stub.url)
        words = ["debate", "run", str(file), "--run", str(tmp_path / "run"), "--quiet"]
        assert CliRunner().invoke(app, [*words, "--games", "1"]).exit_code == 0
    found = rescored(open_results(tmp_path / "run"), ours)
    assert found.changed == 0
    assert all(one.repaired == 1.0 for one in found.scores)


@pytest.mark.parametrize(
    "wrong", [[[1, 2]], "words", [[0.0] * 4] * 4, [[-1.0] * 4] * 4, [[np.nan] * 4] * 4]
)
def test_what_is_no_table_of_probabilities_is_said(run, wrong):
    with pytest.raises(MirrorError, match="parser"):
        rescored(open_results(run), lambda reply, count, form: wrong)


@pytest.mark.parametrize("wrong", ["many", None, float("nan")])
def test_a_figure_that_is_no_number_is_said(run, wrong):
    with pytest.raises(MirrorError, match="the scorer's wit"):
        rescored(open_results(run), None, lambda sheet, debate: {"wit": {"a": wrong}})


def test_the_command_loads_what_is_named_and_leaves_the_folder_as_it_is(run, tmp_path, monkeypatch):
    (tmp_path / "own_scores.py").write_text(OWN)
    monkeypatch.syspath_prepend(tmp_path)
    before = {one.name: one.read_bytes() for one in run.rglob("*") if one.is_file()}
    words = ["debate", "rescore", str(run), "--parser", "own_scores:backwards"]
    words += ["--scorer", "own_scores:letters", "--out", str(tmp_path / "found.json")]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["changed"] == found["verdicts"]
    assert set(found["figures"]["letters"]) == {"a", "b", "c", "d"}
    assert found["figures"]["letters"]["a"]["value"] > 10
    assert {one.name: one.read_bytes() for one in run.rglob("*") if one.is_file()} == before


@pytest.mark.parametrize("name", ["nowhere", "no.such:Thing", "json:nothing", "json:__name__"])
def test_a_name_that_is_none_is_said(name):
    with pytest.raises(ConfigError):
        named_function(name, PARSERS)


def test_without_a_parser_or_scorer_there_is_nothing_to_do(run):
    done = CliRunner().invoke(app, ["debate", "rescore", str(run)], standalone_mode=False)
    assert "name a --parser" in str(done.exception)
