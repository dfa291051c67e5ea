"""Sets of arms: texts are paid once, only readings are asked again, and what differs is paired."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.debate.arms import CHANGEABLE, arms_of, kept_phases
from mirrorenv.debate.scoring.paired import EVERYBODY, differences
from mirrorenv.debate.scoring.results import open_results
from mirrorenv.debate.settings import DebateSettings
from mirrorenv.debate.tournament import load_tournament
from mirrorenv.errors import ConfigError, MirrorError
from tests.debate.stub import player_like, serving

CARD = """
name = "{name}"
player = "endpoint"
[endpoint]
model = "stub"
base_url = "{url}/v1"
profile = "compatible"
retries = 0
[price]
input = 1.0
output = 1.0
"""
FILE = """
name = "words"
games = 2
players = ["a.toml", "b.toml", "c.toml", "d.toml"]
judge = "judge.toml"
[settings]
rounds = 2
answer_format = "labels"
{more}
"""


def written(folder: Path, url: str = "http://127.0.0.1:9", more: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("a", "b", "c", "d", "judge"):
        (folder / f"{name}.toml").write_text(CARD.format(name=name, url=url.removesuffix("/v1")))
    (folder / "t.toml").write_text(FILE.format(more=more))
    return folder / "t.toml"


def played(*words: object) -> dict:
    done = CliRunner().invoke(app, ["debate", "set", *map(str, words), "--json", "--quiet"])
    assert done.exit_code == 0, done.output + str(done.exception)
    return json.loads(done.stdout.splitlines()[-1])


def phases(stub) -> list[str]:
    asked = [body["messages"][-1]["content"] for body in stub.requests]
    return [
        "read" if "Who wrote which" in one else "plan" if "round is over" in one else "speak"
        for one in asked
    ]


def test_texts_are_paid_once_and_arms_ask_for_readings_only(tmp_path):
    more = '[arms.withheld]\nown_text = "withheld"\n[arms.fresh]\nreader = "fresh"\n'
    with serving() as stub:
        stub.answer = player_like
        file = written(tmp_path, stub.url, more)
        found = played(file, "--run", tmp_path / "set")
        first = phases(stub)
        again = played(file, "--run", tmp_path / "set")
        assert len(stub.requests) == len(first)  # a finished set asks nothing
    assert again["arms"] == found["arms"]
    rounds = 2 * 2  # games and rounds
    assert first.count("speak") == first.count("plan") == 4 * rounds
    # of the second and third reading, a judge was asked some questions word for word before
    assert 2 * 5 * rounds < first.count("read") <= 3 * 5 * rounds
    assert found["calls"]["paid"] == len(first)
    assert found["calls"]["apart"] == 3 * 13 * rounds
    assert found["calls"]["share"] < 0.6


def test_what_a_reader_was_asked_before_word_for_word_is_not_asked_again(tmp_path):
    more = 'feedback = "none"\n[arms.fresh]\nreader = "fresh"\n'
    with serving() as stub:
        stub.answer = player_like
        file = written(tmp_path, stub.url, more)
        played(file, "--run", tmp_path / "set", "--games", 1)
    rows = [json.loads(line) for line in (tmp_path / "set/fresh/calls.jsonl").open()]
    kinds = {row["key"].split("/", 1)[1]: row.get("taken") for row in rows}
    assert kinds["r000/speak/p0"] == "text"
    assert kinds["r000/recognise/judge0"] == "answer"  # it has no history yet, fresh or not
    assert kinds["r000/recognise/p0"] is None
    totals = open_results(tmp_path / "set/fresh").log.totals
    assert totals.taken == sum(kind is not None for kind in kinds.values())
    assert totals.calls == totals.paid == len(rows) - totals.taken
    assert totals.input == 10 * totals.calls


def test_an_arm_that_was_cut_short_goes_on_and_pays_for_the_rest_only(tmp_path):
    more = '[arms.fresh]\nreader = "fresh"\n'
    with serving() as stub:
        stub.answer = player_like
        file = written(tmp_path, stub.url, more)
        words = ["debate", "set", str(file), "--run", str(tmp_path / "set"), "--quiet"]
        cut = CliRunner().invoke(app, [*words, "--max-calls", "60"])
        assert cut.exit_code == 1
        assert len(stub.requests) == 60
        assert CliRunner().invoke(app, words).exit_code == 0
        keys = [json.dumps(body) for body in stub.requests]
        assert len(keys) == len(set(keys))  # nothing was asked twice


def test_a_run_that_was_played_before_can_be_the_base(tmp_path):
    file = written(tmp_path, more='[arms.plain]\nshow = "plain"\n')
    words = ["debate", "run", str(file), "--run", str(tmp_path / "old"), "--fake", "--quiet"]
    assert CliRunner().invoke(app, words).exit_code == 0
    before = (tmp_path / "old/calls.jsonl").read_bytes()
    found = played(file, "--run", tmp_path / "set", "--base", tmp_path / "old", "--fake")
    assert (tmp_path / "old/calls.jsonl").read_bytes() == before
    assert found["games"] == {"base": 2, "plain": 2}


@pytest.mark.parametrize("held", ["base", "fresh"])
def test_every_folder_of_a_set_has_one_writer(tmp_path, held):
    from mirrorenv.results.runs.lock import only_writer

    file = written(tmp_path, more='[arms.fresh]\nreader = "fresh"\n')
    with only_writer(tmp_path / "set" / held):
        done = CliRunner().invoke(
            app,
            ["debate", "set", str(file), "--run", str(tmp_path / "set"), "--fake"],
            standalone_mode=False,
        )
    assert isinstance(done.exception, MirrorError)
    assert "is being written by" in str(done.exception)


@pytest.mark.parametrize("setting", sorted(DebateSettings.model_fields))
def test_an_arm_changes_reading_and_nothing_that_is_written(tmp_path, setting):
    other = {
        "num_players": 3,
        "rounds": 3,
        "topics": "original",
        "orders": [[0, 1, 2, 3]] * 2,
        "plan": ["theory", "notes"],
        "answer_tokens": 60,
        "notes_tokens": 60,
        "longest_text": 500,
        "index_told": "after_round",
        "shuffle": "shared",
        "answer_format": "matrix",
        "memory": "full",
        "window": 3,
        "feedback": "none",
        "own_text": "withheld",
        "reader": "fresh",
        "judges": 2,
        "reread_rounds": 1,
        "show": "plain",
        "verdict_tokens": 100,
    }[setting]
    file = written(tmp_path, more=f"[arms.other]\n{setting} = {json.dumps(other)}\n")
    base = load_tournament(file)
    if setting not in CHANGEABLE:
        with pytest.raises(ConfigError, match=f"{setting} changes what is written"):
            arms_of(base)
        return
    arm = arms_of(base)["other"]
    assert arm.seating == base.seating
    kept = kept_phases(base.settings, arm.settings)
    assert kept == (
        {"speak"}
        if setting in ("feedback", "memory", "window", "index_told")
        else {"speak", "plan"}
    )


@pytest.mark.parametrize(
    ("arms", "said"),
    [
        ("[arms.same]\nrounds = 2\n", "rounds changes what is written"),
        ('[arms.same]\nown_text = "kept"\n', "changes nothing"),
        ('[arms."../x"]\nreader = "fresh"\n', "a name is up to 40"),
        ('[arms.base]\nreader = "fresh"\n', "which is the tournament itself"),
        ('[arms.x]\nreeder = "fresh"\n', "Did you mean reader"),
        ('[arms.x]\nreader = "frash"\n', "arm 'x'"),
        ('[arms.x]\nshow = "paraphrased"\n', "needs a card as 'paraphraser'"),
    ],
)
def test_an_arm_that_cannot_be_is_refused_before_the_first_call(tmp_path, arms, said):
    with pytest.raises(ConfigError, match=said):
        arms_of(load_tournament(written(tmp_path, more=arms)))


def test_differences_are_the_mean_of_the_changes_text_by_text(tmp_path):
    file = written(tmp_path, more='[arms.fresh]\nreader = "fresh"\n')
    played(file, "--run", tmp_path / "set", "--fake", "--games", 3)
    base, arm = (open_results(tmp_path / "set" / name) for name in ("base", "fresh"))
    found = differences(base, arm)
    before = {one.name: one.peer_hits.value for one in base.scores()}
    after = {one.name: one.peer_hits.value for one in arm.scores()}
    for name in before:
        one = found[name]["peer_hits"]
        assert (one.base, one.arm) == (pytest.approx(before[name]), pytest.approx(after[name]))
        assert one.over_games.value == pytest.approx(after[name] - before[name])
        assert one.over_topics.value == pytest.approx(one.over_games.value)
        assert one.over_games.n == 3
        assert one.over_topics.n == 2
    players = [name for name in before if name != "judge"]
    everybody = found[EVERYBODY]["peer_hits"].over_games.value
    assert everybody == pytest.approx(np.mean([after[n] - before[n] for n in players]))


def test_an_arm_that_is_read_alike_differs_in_nothing(tmp_path):
    file = written(tmp_path, more="[arms.tokens]\nverdict_tokens = 399\n")
    found = played(file, "--run", tmp_path / "set", "--fake")
    for figures in found["arms"]["tokens"]["readers"].values():
        for one in figures.values():
            assert one["over_games"] == {"value": 0.0, "low": 0.0, "high": 0.0, "clusters": 2}
