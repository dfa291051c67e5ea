"""Agent cards say what is wrong with them; prompts say nothing about the machine and keep their
wording by version."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

from mirrorenv.debate.cards import AgentCard, load_card
from mirrorenv.debate.players.checking import card_problems
from mirrorenv.debate.prompts import fingerprint, prompt_for
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.errors import ConfigError
from tests.debate.small import card, play

AGENTS = Path(__file__).resolve().parents[2] / "agents"


@pytest.mark.parametrize("path", sorted(AGENTS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_card_of_the_project_is_fine(path, monkeypatch):
    variable = tomllib.loads(path.read_text()).get("endpoint", {}).get("key_env")
    if variable:
        monkeypatch.setenv(variable, "something")
    assert card_problems(path) == [] and load_card(path).about


ENDPOINT = '[endpoint]\nmodel = "m"\nbase_url = "http://127.0.0.1:1/v1"\nprofile = "compatible"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('name = "a"', "player: Field required"),
        ('name = "a b"\nplayer = "random"', "name"),
        ('name = "a"\nplayer = "randm"', "Did you mean random"),
        ('name = "a"\nplayer = "random"\nvoice = 3', "voice: Extra inputs"),
        ('name = "a"\nplayer = "random"\ntemprature = 0.3', "did you mean [endpoint] temperature?"),
        ('name = "a"\nplayer = "random"\nmemry = "full"', "did you mean memory?"),
        (
            'name = "a"\nplayer = "endpoint"\n' + ENDPOINT.replace("/v1", "/v1?key=x"),
            "no user name and no query",
        ),
        ('name = "a"\nplayer = "persona"\n[options]\nvoice = "cok"', "Did you mean cook"),
        ('name = "a"\nplayer = "endpoint"', "[endpoint]"),
        ('name = "a"\nplayer = "random"\n' + ENDPOINT, "[endpoint]"),
        ('name = "a"\nplayer = "endpoint"\n' + ENDPOINT.replace("http:", "ftp:"), "http://"),
        (
            'name = "a"\nplayer = "endpoint"\n' + ENDPOINT.replace("//", "//me:secret@"),
            "no user name",
        ),
        (
            'name = "a"\nplayer = "endpoint"\n' + ENDPOINT.replace("compatible", "opnai"),
            "Did you mean openai",
        ),
        (
            'name = "a"\nplayer = "endpoint"\n' + ENDPOINT + 'key_env = "SURELY_NOT_SET_1"',
            "SURELY_NOT_SET_1 is not set",
        ),
        ('name = "a"\nplayer = "endpoint"\nreader = "schema"\n' + ENDPOINT, "no schema"),
        (
            'name = "a"\nplayer = "random"\nabout = "sk-proj-abcdefghijklmnop1234"',
            "looks like a key",
        ),
        ("name = ", "cannot be read"),
    ],
)
def test_a_wrong_card_is_told_what_is_wrong(tmp_path, text, said):
    path = tmp_path / "card.toml"
    path.write_text(text)
    assert any(said in problem for problem in card_problems(path)), card_problems(path)


def test_loading_a_wrong_card_names_the_file_and_the_next_command(tmp_path):
    path = tmp_path / "card.toml"
    with pytest.raises(ConfigError, match=r"card\.toml: cannot read"):
        load_card(path)
    path.write_text('name = "a"')
    with pytest.raises(ConfigError, match=r"player: Field required.*mirrorenv debate check"):
        load_card(path)


def every_view(**settings):
    cast = [card("random", f"r{i}") for i in range(3)]
    rules = preset("default", {"num_players": 3, "rounds": 2, **settings})
    debate = Debate(rules, load_topics(rules.topics), run="prompts")
    played = play(cast, run="prompts", rounds=2, **settings)
    for one in played.rounds:
        yield from debate.views()
        debate.speak(one.texts)
        yield from debate.views()
        debate.recognise(
            [*one.verdicts, *[one.verdicts[0]] * (rules.num_readers - len(one.verdicts))]
        )
        while debate.phase == "plan":
            yield from debate.views()
            debate.plan(one.plans[debate.step])


@pytest.mark.parametrize("form", ["matrix", "labels", "order"])
def test_no_prompt_holds_a_name_of_a_model_a_card_or_the_machine(form):
    model = AgentCard(name="secret-model-name", player="random", persona="You like soup.")
    for view in every_view(answer_format=form):
        prompt = prompt_for(view, model)
        text = prompt.system + "".join(prompt.turns)
        assert (
            "secret-model-name" not in text
            and len(prompt.turns) == 1
            and "You like soup." in prompt.system
        )
        assert not any(
            value in text for name, value in os.environ.items() if len(value) > 12 and name != "PWD"
        )
        assert "{" not in prompt.system


def test_a_player_is_told_who_it_is_only_when_the_rules_say_so():
    early = [prompt_for(view, card("random")) for view in every_view(index_told="after_round")]
    assert "You are P" not in early[0].system and "You are P1." in early[-3].system


def test_a_changed_prompt_is_a_new_season():
    # results of other prompts are not comparable: say so in the changelog
    assert fingerprint() == "ae97046fe84529e8"


def test_memory_of_a_card_goes_before_that_of_the_game():
    last = list(every_view(memory="notes"))[-10]
    full = AgentCard(name="a", player="random", memory="full")
    assert "Round 1. The question was" in prompt_for(last, full).turns[0]
    assert "Round 1. The question was" not in prompt_for(last, card("random")).turns[0]


def test_the_original_remembers_what_it_wrote_to_itself():
    rules = preset("original", {"rounds": 2})
    debate = Debate(rules, load_topics("neutral"))
    debate.speak(["a", "b", "c", "d"])
    debate.recognise(
        [play([card("random", f"r{i}") for i in range(4)], rounds=1).rounds[0].verdicts[0]] * 4
    )
    debate.plan(["be bold", "be shy", "be odd", "be kind"])
    debate.plan(["t1", "t2", "t3", "t4"])
    told = prompt_for(debate.view(1), card("random")).turns[0]
    assert "be shy" in told and "t2" in told and "be bold" not in told
