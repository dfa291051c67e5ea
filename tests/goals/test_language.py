"""A hierarchy of guides over a language model's hidden states, on a model of random weights."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from mirrorenv.errors import ConfigError
from mirrorenv.goals.language.commands import generate, interpret, prepare_texts, train_guide
from mirrorenv.goals.language.guide import Guide, Prepared, prepare
from mirrorenv.goals.language.steering import Steering, plain_bias, rate_of, write
from mirrorenv.goals.language.texts import read_topics, topic_words
from tests.debate.tiny import tiny_model

TEXTS = {
    "sea": "waves and ships and salt and waves over the deep water again " * 20,
    "fire": "flames and smoke and heat and flames under the dark chimney again " * 20,
}
QUIET = {"say": lambda line: None}


@pytest.fixture(scope="module")
def model():
    return tiny_model(template=None)


@pytest.fixture(scope="module")
def prepared(model):
    return prepare(model, TEXTS, windows=8, length=64, **QUIET)


@pytest.fixture
def folder(tmp_path, model):
    source = tmp_path / "texts.json"
    source.write_text(json.dumps(TEXTS))
    prepare_texts(tmp_path / "guide", str(source), model, 8, 64, QUIET["say"])
    train_guide(tmp_path / "guide", 2, 4, 0, QUIET["say"])
    return tmp_path / "guide"


def test_words_of_a_topic_are_its_own_and_shown_apart_from_held_out():
    words = topic_words(TEXTS, "sea", 6)
    known = {*words.shown, *words.held_out}
    assert {"waves", "ships", "salt"} <= known and not known & {"flames", "smoke"}
    assert not set(words.shown) & set(words.held_out)
    assert rate_of("Waves, waves of smoke", {"waves"}) == 2 / 3 and rate_of("", {"waves"}) == 0


def test_texts_that_python_brings_along_are_there_and_files_are_checked(tmp_path):
    assert len(read_topics("pydoc")) >= 6
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"one": "text"}')
    with pytest.raises(ConfigError, match="two topics at least"):
        read_topics(str(wrong))


def test_states_are_means_of_four_hidden_states(model, prepared):
    ids = torch.from_numpy(prepared.tokens[:1])
    with torch.no_grad():
        last = model.model(ids, output_hidden_states=True).hidden_states[-1]
    np.testing.assert_allclose(prepared.states[0, 1], last[0, 4:8].mean(0), atol=1e-5)


def test_every_code_names_its_own_mean(prepared):
    guide = Guide(prepared.states.shape[-1], 2, 4, 2)
    guide.learn(prepared, **QUIET)
    for level in range(2):
        assert guide.name(guide.codes[level], level).tolist() == [0, 1, 2, 3]


def test_a_guide_that_knows_the_goal_predicts_what_a_bigram_cannot():
    # two ways from the same state: which is taken is known only from where the text came to
    rng = np.random.default_rng(0)
    places = np.eye(6, 8) * 4
    ways = np.array([[0, 1, 3, 1, 3, 4], [0, 2, 3, 2, 3, 5]])
    kinds = rng.integers(2, size=60)
    states = (places[ways[kinds]] + 0.05 * rng.normal(size=(60, 6, 8))).astype(np.float32)
    made = Prepared(np.zeros((60, 24), int), states, states, kinds, np.array(["one", "two"]))
    guide = Guide(8, 1, 6, 2)
    rows = [guide.learn(made, seed, **QUIET)[0] for seed in range(4)]
    best = max(rows, key=lambda row: row.accuracy)  # k-means may join two places
    assert best.accuracy > 0.95 and best.bigram < 0.9 and best.without_goal < 0.9


def test_a_hidden_state_moves_along_the_direction(prepared):
    guide = Guide(prepared.states.shape[-1], 2, 4, 2)
    guide.learn(prepared, **QUIET)
    states = torch.from_numpy(prepared.states[:3, 0])
    for middle in (False, True):
        way = guide.direction(states, 1, middle)
        torch.testing.assert_close(way.norm(dim=-1), torch.ones(3))


@pytest.mark.parametrize("where", ["logits", "hidden"])
def test_weight_0_is_the_model_as_it_is_and_weight_is_not(model, prepared, where):
    guide = Guide(prepared.states.shape[-1], 2, 4, 2)
    guide.learn(prepared, **QUIET)
    prompts = ["over the deep"] * 3
    plain = write(model, prompts, Steering(None), tokens=12, seed=1)
    none = write(model, prompts, Steering(guide, 1, 0.0, where), tokens=12, seed=1)
    much = write(model, prompts, Steering(guide, 1, 3.0, where), tokens=12, seed=1)
    assert none.texts == plain.texts != much.texts
    again = write(model, prompts, Steering(None), tokens=12, seed=1)
    assert again == plain  # nothing stays behind in the model


def test_a_plain_bias_brings_its_words_tokens(model):
    bias = plain_bias(model, ["waves"], 50.0)
    written = write(model, ["over"], Steering(None, bias=bias), tokens=6)
    assert set(written.texts[0]) <= {"w", " "}


def test_the_four_commands_work_one_after_the_other(folder, model):
    how = {"count": 2, "tokens": 8, "seed": 0}
    found = generate(folder, model, "over the", "fire", Steering(None, weight=0.5), **how)
    assert len(found["texts"]) == 2 and found["perplexity"] > 1
    told = interpret(folder, model)["levels"]
    assert [row["tokens"] for row in told] == [4, 16]
    assert sum(code["states"] for code in told[0]["codes"]) == 16 * 16
    with pytest.raises(ConfigError, match="its goals are sea, fire"):
        generate(folder, model, "over the", "air", Steering(None), **how)


def test_levels_and_texts_that_do_not_fit_are_named(folder, model):
    with pytest.raises(ConfigError, match="fewer levels or longer windows"):
        train_guide(folder, 4, 4, 0, QUIET["say"])
    with pytest.raises(ConfigError, match=r"'sea' has \d+ tokens"):
        prepare(model, TEXTS, windows=800, length=64, **QUIET)


def test_a_command_without_the_one_before_says_which(tmp_path):
    command = [sys.executable, "-m", "mirrorenv.goals", "train", str(tmp_path)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1 and "Traceback" not in found.stderr
    assert "python -m mirrorenv.goals prepare" in found.stderr
