"""Voices that are whole models: the same rounds, weights that transformers loads, memory that is
looked at first."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the extra trl")

import torch
from safetensors.torch import load_file

from mirrorenv.errors import TrainingError
from mirrorenv.llm import load_model
from mirrorenv.preference import full_voices
from mirrorenv.preference.callbacks import RunCallbacks
from mirrorenv.preference.full_voices import bytes_needed, free_bytes
from mirrorenv.preference.run import train, voices_for
from mirrorenv.preference.settings import load_settings
from tests.preference.small import Killed, differing, first_texts, small_settings

FULL = ("learning.weights=full", "learning.learning_rate=0.003", "learning.on_policy=false")


def test_whole_models_learn_their_own_voice_and_resume_to_the_same_bytes(
    tiny_model: Path, tmp_path: Path
) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    settings = small_settings(tiny_model, *FULL, "learning.steps=8")
    given = first_texts()
    folder = train(settings, tmp_path / "whole", pairs=given)
    last = folder.evaluations()[-1]
    assert last["first"]["before"]["sum"]["joint"]["value"] == 0.5
    assert last["first"]["recognition"]["sum"]["joint"]["value"] == 1.0
    # others are not worth their size
    assert {int(one.name) for one in folder.checkpoints()} == {last["best"] * 8, 16}
    untouched = load_model(str(tiny_model)).model
    tuned = AutoModelForCausalLM.from_pretrained(folder.path / "voices" / "ann")
    assert AutoTokenizer.from_pretrained(folder.path / "voices" / "ann").eos_token == "<end>"
    ids = torch.tensor([[3, 20, 30, 40]])
    with torch.no_grad():
        assert (tuned(ids).logits - untouched(ids).logits).abs().max() > 1e-2
        fresh = AutoModelForCausalLM.from_pretrained(tiny_model)
        # the model they began as stays as it was
        assert torch.equal(untouched(ids).logits, fresh(ids).logits)
    weights = load_file(folder.checkpoints()[-1] / "adapters.safetensors")
    assert len(weights) == 2 * len(dict(fresh.named_parameters()))

    def kill(what: str, done: int, of: int) -> None:
        if what == "round 2: training":
            raise Killed

    with pytest.raises(Killed):
        train(settings, tmp_path / "killed", pairs=given, callbacks=RunCallbacks(stage=kill))
    train(settings, tmp_path / "killed", pairs=given)
    assert differing(tmp_path / "whole", tmp_path / "killed") == []


def test_a_rolled_back_round_of_whole_models_leaves_the_one_before(
    tiny_model: Path, tmp_path: Path
) -> None:
    settings = small_settings(
        tiny_model, *FULL, "learning.rounds=1", "bound.perplexity=1e-9", "learning.steps=2"
    )
    folder = train(settings, tmp_path / "run", pairs=first_texts())
    assert [row.get("rolled_back") for row in folder.evaluations()] == [None, True, None]
    first, last = (load_file(one / "adapters.safetensors") for one in folder.checkpoints())
    assert all(torch.equal(first[name], last[name]) for name in first)


def test_memory_that_will_not_suffice_is_said_before_it_is_taken(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = sum(p.numel() for p in load_model(str(tiny_model)).model.parameters())
    assert bytes_needed(weights, 2) == 4 * weights * 9 < free_bytes()
    settings = small_settings(tiny_model, *FULL)
    monkeypatch.setattr(full_voices, "free_bytes", lambda: 4 * weights * 9 - 1)
    with pytest.raises(
        TrainingError,
        match=r"2 whole models of .* are free\. Train fewer players.*weights=adapters",
    ):
        voices_for(settings).__enter__()
    monkeypatch.setattr(full_voices, "free_bytes", lambda: 4 * weights * 9)
    with voices_for(settings) as voices:
        assert voices.whole_models and len(voices.states) == 2


def test_whole_models_take_small_steps_unless_told_otherwise() -> None:
    rates = {
        given: load_settings(overrides=[given]).learning.learning_rate
        for given in (
            "learning.weights=full",
            "learning={weights: full, learning_rate: 0.5}",
            "learning.rounds=2",
        )
    }
    assert list(rates.values()) == [1e-5, 0.5, 2e-4]
