"""One player's steps: margins, losses, controls, and what is said where they cannot be made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra trl")

import torch

from mirrorenv.errors import TrainingError
from mirrorenv.preference.dpo import train_player
from mirrorenv.preference.pairing import pairs_for, shuffled_owners
from mirrorenv.preference.run import voices_for
from tests.preference.small import first_texts, small_settings, turn_of


def test_the_margin_is_measured_from_the_untouched_model(tiny_model: Path) -> None:
    """TRL's log-probabilities and ours are of one text: an untrained voice has no margin."""
    settings = small_settings(
        tiny_model,
        "learning.steps=1",
        "learning.learning_rate=1e-12",
        "loss.supervised=0",
        "loss.beta=1.0",
    )
    with voices_for(settings) as voices:
        texts = [one for one in first_texts().texts if one.split == "train"]
        turn = turn_of(settings, voices)
        pairs = pairs_for(turn, texts)
        found = train_player(turn, pairs)
    assert abs(found["margin"]) < 1e-4
    assert found["chosen"] == pytest.approx(
        sum(one.chosen_reference for one in pairs) / len(pairs), abs=1e-3
    )
    assert found["loss"] == pytest.approx(0.6931, abs=1e-3)


def test_a_loss_without_reference_starts_from_the_texts_own_probabilities(tiny_model: Path) -> None:
    settings = small_settings(
        tiny_model,
        "loss.kind=reference_free",
        "loss.supervised=0",
        "loss.beta=1.0",
        "learning.steps=1",
        "learning.learning_rate=1e-12",
    )
    with voices_for(settings) as voices:
        turn = turn_of(settings, voices)
        texts = [one for one in first_texts().texts if one.split == "train"]
        pairs = pairs_for(turn, texts)
        found = train_player(turn, pairs)
    gap = sum(one.chosen_reference - one.rejected_reference for one in pairs) / len(pairs)
    assert found["margin"] == pytest.approx(gap, abs=1e-3)


@pytest.mark.parametrize(
    ("change", "better"),
    [
        ("loss.kind=normalised", True),
        ("loss.kind=reference_free", True),
        ("control=supervised", True),
        ("control=reversed", False),
    ],
)
def test_losses_and_controls_move_the_margin_as_they_should(
    tiny_model: Path, change: str, better: bool
) -> None:
    settings = small_settings(tiny_model, change, "learning.steps=6", "loss.beta=0.5")
    texts = [one for one in first_texts().texts if one.split == "train"]
    with voices_for(settings) as voices:
        turn = turn_of(settings, voices)
        train_player(turn, pairs_for(turn, texts))
        own, other = ("ann", "bob") if better else ("bob", "ann")

        def mean(name: str, player: int | None) -> float:
            from mirrorenv.preference.scoring import prompt_of, tokens_of

            some = [one for one in texts if one.player == name]
            with voices.speaking(player) as model:
                return sum(
                    model.score(prompt_of(model, t.topic, settings), [tokens_of(model, t)])[0]
                    for t in some
                )

        assert mean(own, 0) - mean(other, 0) > mean(own, None) - mean(other, None)


def test_shuffled_ownership_keeps_the_texts_and_deals_the_names(tiny_model: Path) -> None:
    settings = small_settings(tiny_model, "control=shuffled_ownership")
    texts = list(first_texts(topics=40).texts)
    dealt = shuffled_owners(texts, settings)
    assert sorted(one.text for one in dealt) == sorted(one.text for one in texts)
    owner = {one.text: one.player for one in texts}
    same = sum(owner[one.text] == one.player for one in dealt) / len(dealt)
    assert 0.2 < same < 0.8
    assert sum(one.player == "ann" for one in dealt) == sum(one.player == "ann" for one in texts)


def test_memory_that_runs_out_is_answered_with_what_to_lower(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import DPOTrainer

    def full(self: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(DPOTrainer, "train", full)
    settings = small_settings(tiny_model)
    with (
        voices_for(settings) as voices,
        pytest.raises(TrainingError, match=r"out of memory.*learning\.batch_size"),
    ):
        texts = [one for one in first_texts().texts if one.split == "train"]
        turn = turn_of(settings, voices)
        train_player(turn, pairs_for(turn, texts))


def test_nothing_usable_to_train_on_is_said(tiny_model: Path) -> None:
    settings = small_settings(tiny_model)
    with (
        voices_for(settings) as voices,
        pytest.raises(TrainingError, match=r"usable text of 'ann'.*data\.truncated=trim"),
    ):
        of_bob = [one for one in first_texts().texts if one.player == "bob"]
        pairs_for(turn_of(settings, voices), of_bob)
