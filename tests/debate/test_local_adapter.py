"""A tuned voice at the table: its adapter beside the weights of the model that the others share."""

from __future__ import annotations

import pytest

pytest.importorskip("peft", reason="needs the extra trl")

import torch
from peft import LoraConfig, get_peft_model

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players import make_player
from mirrorenv.errors import ConfigError
from mirrorenv.llm import weights
from mirrorenv.llm.asking import Request
from mirrorenv.llm.engine import engine_of
from tests.debate.tiny import tiny_model


def save_adapter(folder, seed, longest=4096):
    """An adapter with random weights on both sides, so that it changes what is said."""
    torch.manual_seed(seed)
    tuned = get_peft_model(
        tiny_model(longest=longest).model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"])
    )
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.5)
    tuned.save_pretrained(folder)
    return tuned.eval()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A model on disk, and nothing loaded yet."""
    plain = tiny_model()
    plain.model.save_pretrained(tmp_path / "model")
    plain.tokenizer.save_pretrained(tmp_path / "model")
    monkeypatch.setattr(weights, "_loaded", {})
    return tmp_path


def test_a_voice_speaks_by_its_adapter_and_leaves_the_shared_weights_alone(folder):
    expected = save_adapter(folder / "voice", seed=1)
    name = str(folder / "model")
    plain = weights.load_model(name)
    ids = torch.tensor([[1, 20, 30, 40]])
    before = plain.model(ids).logits
    tuned = weights.load_model(name, "float32", str(folder / "voice"))
    torch.testing.assert_close(tuned.model(ids).logits, expected(ids).logits)
    torch.testing.assert_close(plain.model(ids).logits, before)
    assert not torch.allclose(tuned.model(ids).logits, before, atol=1e-2)
    shared = {one.data_ptr() for one in plain.model.parameters()}
    extra = [key for key, one in tuned.model.named_parameters() if one.data_ptr() not in shared]
    assert extra and all("lora" in key for key in extra)


def test_each_adapter_is_loaded_once_and_has_a_queue_of_its_own(folder):
    for seed in (1, 2):
        save_adapter(folder / f"voice{seed}", seed)
    name = str(folder / "model")
    engines = [
        engine_of(name, "float32", one)
        for one in ("", *(str(folder / f"voice{seed}") for seed in (1, 2)))
    ]
    assert len(set(map(id, engines))) == 3 and engines[1] is engine_of(
        name, "float32", str(folder / "voice1")
    )
    asked = Request((1, 2, 3), 12, 0.0, 0)
    assert len({engine.write(asked).result().tokens for engine in engines}) == 3


def test_a_card_names_its_adapter_and_a_missing_one_is_named(folder):
    save_adapter(folder / "voice", seed=1)
    options = {"model": str(folder / "model"), "adapter": str(folder / "voice")}
    player = make_player(AgentCard(name="a", player="local", options=options))
    player.connect({})
    assert player.engine() is engine_of(options["model"], "float32", options["adapter"])
    lost = make_player(
        AgentCard(name="a", player="local", options={**options, "adapter": str(folder / "model")})
    )
    with pytest.raises(ConfigError, match=r"adapter .* no folder with an adapter_config.json"):
        lost.connect({})


def test_an_adapter_of_another_model_is_refused(folder):
    torch.manual_seed(0)
    wide = torch.nn.Sequential(torch.nn.Linear(7, 7))
    get_peft_model(wide, LoraConfig(r=2, target_modules=["0"])).save_pretrained(folder / "other")
    with pytest.raises(ConfigError, match="does not fit the local model"):
        weights.load_model(str(folder / "model"), "float32", str(folder / "other"))
