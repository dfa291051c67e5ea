"""A few steps on the built-in weights, offline: two voices, end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the extra trl")

from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import MissingExtraError
from mirrorenv.llm.options import BUILT_IN
from mirrorenv.llm.weights import source_of

pytestmark = [pytest.mark.local, pytest.mark.timeout(1800)]


def test_the_built_in_model_is_tuned_for_a_few_steps(tmp_path: Path) -> None:
    try:
        source_of(BUILT_IN)
    except MissingExtraError as error:
        pytest.skip(str(error))
    small = [
        "data.players=[{name: ann, persona: You are a bored teenager.}, {name: bob, persona: You "
        "are a professor.}]",
        "data.most_topics=5",
        "data.samples=1",
        "data.tokens=64",
        "learning.rounds=1",
        "learning.steps=2",
        "learning.batch_size=2",
        "measure.relevance_topics=2",
        "bound.perplexity=1e9",
        "bound.repetition=1",
        "bound.relevance=0",
    ]
    command = ["prefer", "train", "--run", str(tmp_path / "run"), "--json", "--quiet"]
    done = CliRunner().invoke(app, [*command, *(word for one in small for word in ("--set", one))])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout.strip().splitlines()[-1])
    first = json.loads((tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()[0])
    # a model that follows nothing was loaded wrongly
    assert first["instructions"]["untouched"] >= 0.4
    assert first["first"]["before"]["sum"]["joint"]["value"] == 0.5
    assert 1 < found["first_texts"]["ann"]["perplexity"] < 200
    assert list((tmp_path / "run" / "voices" / "bob").glob("*.safetensors"))
