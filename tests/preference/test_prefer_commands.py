"""The commands `mirrorenv prefer ...`, from settings to pages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the extra trl")

from typer.testing import CliRunner

from mirrorenv.cli.app import app


def _options(model: Path) -> list[str]:
    players = "data.players=[{name: ann}, {name: bob}]"
    given = [
        players,
        "data.neutral=n",
        "data.tokens=8",
        "data.samples=1",
        "data.truncated=keep",
        "data.most_topics=9",
        "learning.rounds=1",
        "learning.steps=2",
        "learning.rank=2",
        "measure.instructions=false",
        "measure.relevance_topics=2",
        "bound.perplexity=1e9",
        "bound.repetition=1",
        "bound.relevance=0",
    ]
    return ["--model", str(model), *(word for one in given for word in ("--set", one))]


def test_the_commands_generate_train_and_report(tiny_model: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    made = runner.invoke(
        app, ["prefer", "generate", "--out", str(tmp_path / "d"), *_options(tiny_model), "--json"]
    )
    assert made.exit_code == 0, made.output
    told = json.loads(made.stdout.strip().splitlines()[-1])
    card = json.loads((tmp_path / "d" / "data_card.json").read_text())
    assert (
        told["card"] == card
        and set(card["texts"]) == {"ann", "bob"}
        and card["style"]["chance"] == 0.5
    )
    command = [
        "prefer",
        "train",
        "--run",
        str(tmp_path / "run"),
        "--pairs",
        str(tmp_path / "d" / "pairs.jsonl"),
    ]
    done = runner.invoke(app, [*command, *_options(tiny_model), "--json", "--quiet"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.strip().splitlines()[-1])
    assert set(found["useful"]) == {"ann", "bob"} and Path(found["page"]).is_file()
    for command in (["prefer", "report"], ["report"]):
        written = runner.invoke(app, [*command, str(tmp_path / "run")]).stdout
        assert written.splitlines()[0] == found["page"]


def test_the_demo_tunes_three_voices_and_says_which_page_to_open(
    tiny_model: Path, tmp_path: Path
) -> None:
    small = [
        f"model={tiny_model}",
        "data.tokens=8",
        "data.truncated=keep",
        "learning.steps=1",
        "learning.rounds=1",
    ]
    command = [
        "prefer",
        "demo",
        "--out",
        str(tmp_path / "run"),
        *(word for one in small for word in ("--set", one)),
    ]
    done = CliRunner().invoke(app, [*command, "--json"])
    assert done.exit_code == 0, done.output
    page = Path(json.loads(done.stdout.strip().splitlines()[-1])["page"])
    assert page.is_file() and page.resolve().as_uri() in done.output
    assert {"pirate", "professor", "teenager"} == {
        one.name for one in (tmp_path / "run" / "voices").iterdir()
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "no/such/folder"], "local model 'no/such/folder'"),
        (["--pairs", "no.jsonl"], "there is no such file"),
        (["--set", "loss.kind=nice"], "loss.kind"),
        (["--set", "learning.round=3"], "Did you mean learning.rounds?"),
    ],
)
def test_mistakes_are_answered_in_one_line(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(app, ["prefer", "train", "--run", str(tmp_path / "run"), *arguments])
    assert done.exit_code != 0 and said in str(done.exception)
