"""What a chat template does with a persona, and the token that closes a turn."""

from __future__ import annotations

import pytest

pytest.importorskip("transformers", reason="local models come with the extra local")

from transformers import GenerationConfig

from mirrorenv.errors import ConfigError
from mirrorenv.llm.model import LanguageModel
from tests.debate.tiny import TEMPLATE, tiny_model

TURN = "{{ m['content'] }}<|end|>\n"
SAID = [("system", "You are a PIRATE."), ("user", "Tea?")]
EACH = "{% for m in messages %}"
OPENED = "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
NO = "{{ raise_exception('no') }}{% endif %}"
HEAD = "<|start|>{{ m['role'] }}\n"
TEMPLATES = {
    "as usual": TEMPLATE,
    "skips system": f"{EACH}{{% if m['role'] != 'system' %}}{HEAD}{TURN}"
    f"{{% endif %}}{{% endfor %}}{OPENED}",
    "raises on system": "{% if messages[0]['role'] == 'system' %}" + NO + TEMPLATE,
    "wants user first": "{% if messages[0]['role'] != 'user' %}" + NO + TEMPLATE,
    "no generation prompt": f"{EACH}{HEAD}{TURN}{{% endfor %}}",
    "trims": TEMPLATE.replace("m['content'] }}", "m['content'] | trim }}"),
    "opens a thought": TEMPLATE.replace("assistant\n{% endif", "assistant\n<think>\n{% endif"),
}


def prompt(model, said=SAID):
    return model.tokenizer.decode(list(model.chat(said)))


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_persona_reaches_the_model_and_the_answer_is_opened(name):
    text = prompt(tiny_model(template=TEMPLATES[name]))
    assert "PIRATE" in text and "Tea?" in text
    assert text.removesuffix("<think>\n").endswith("<|start|>assistant\n")


@pytest.mark.parametrize("name", ["skips system", "raises on system"])
def test_that_a_persona_moved_is_known(name):
    model = tiny_model(template=TEMPLATES[name])
    one, other = (prompt(model, [("system", who), SAID[1]]) for who in ("Pirate.", "Cook."))
    assert one != other and model.template.system_in_user_turn


@pytest.mark.parametrize("template", ["x", {"default": "x"}, "{{ messages | length }}"])
def test_a_template_that_drops_everything_is_refused(template):
    with pytest.raises(ConfigError, match="drops what the model is told"):
        tiny_model(template=template).chat(SAID)


def with_ends(template, ends):
    """The tiny model, told that it has these end tokens, marks among them that are not its own."""
    made = tiny_model()
    made.tokenizer.add_special_tokens({"additional_special_tokens": ["<|eot|>", "<|eom|>"]})
    made.tokenizer.chat_template = template
    ids = [made.tokenizer.convert_tokens_to_ids(one) for one in ends]
    made.model.generation_config = GenerationConfig(eos_token_id=ids)
    return LanguageModel(made.model, made.tokenizer, "tiny")


@pytest.mark.parametrize("mark", ["<|end|>", "<|eot|>", "<|eom|>"])
@pytest.mark.parametrize("system", [True, False])
def test_a_text_that_came_as_words_is_closed_as_the_template_closes_a_turn(mark, system):
    template = TEMPLATE.replace("<|end|>", mark)
    template = template if system else TEMPLATES["raises on system"].replace("<|end|>", mark)
    model = with_ends(template, ["<|end|>", "<|eom|>", "<|eot|>"])
    ids = model.answer_tokens("I like tea.")
    assert model.tokenizer.convert_ids_to_tokens(ids[-1]) == mark
    assert model.answer_tokens("I like tea.", ended=False) == ids[:-1]


def test_the_mark_that_closes_a_turn_ends_a_text_even_if_no_config_names_it():
    model = with_ends(TEMPLATE.replace("<|end|>", "<|eot|>"), ["<|end|>"])
    assert model.tokenizer.convert_tokens_to_ids("<|eot|>") in model.ends


def test_a_base_model_closes_with_its_own_end():
    model = tiny_model(template=None)
    assert model.answer_tokens("tea")[-1] == model.tokenizer.eos_token_id
