"""The road with a classifier: heads learn who wrote what, and being recognised by them sets voices
apart."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("trl", reason="needs the extra trl")

import torch

from mirrorenv.preference.callbacks import RunCallbacks
from mirrorenv.preference.classifiers import AuthorClassifiers
from mirrorenv.preference.report import write_report
from mirrorenv.preference.run import train
from mirrorenv.preference.settings import PreferenceSettings
from tests.preference.small import Killed, differing, small_settings
from tests.preference.tiny_model import make_tiny_model


def _head_settings(model: Path, *changes: str) -> PreferenceSettings:
    layers = "[q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj]"
    return small_settings(
        model,
        "method=grpo",
        "data.samples=8",
        "measure.samples=8",
        "learning.rank=8",
        "learning.steps=8",
        f"learning.targets={layers}",
        "learning.patience=9",
        *changes,
    )


def test_being_recognised_by_heads_is_a_reward_that_sets_voices_apart(tmp_path: Path) -> None:
    """Nobody has a persona: what tells the voices apart at the end was not there at the
    beginning."""
    (tmp_path / "model").mkdir()
    model = make_tiny_model(tmp_path / "model", spread=0.2)
    folder = train(
        _head_settings(model, "learning.rounds=2", "grpo.naturalness=0.0"), tmp_path / "run"
    )
    rows = folder.evaluations()
    assert rows[0]["fresh"]["recognition"]["limit"]["top1"]["value"] == 0.5
    last = rows[-1]
    assert last["split"] == "held_out" and last["head"]["top1"]["value"] > 0.8
    assert last["fresh"]["recognition"]["limit"]["top1"]["value"] > 0.8
    assert "fresh texts, lineup, heads" in write_report(folder.path).read_text()


@pytest.mark.slow
def test_a_killed_run_on_the_road_with_heads_comes_to_the_same_bytes(
    tiny_model: Path, tmp_path: Path
) -> None:
    settings = _head_settings(tiny_model, "data.samples=2", "measure.samples=1", "learning.steps=2")
    train(settings, tmp_path / "whole")

    def kill(what: str, done: int, of: int) -> None:
        if what == "round 2: training":
            raise Killed

    with pytest.raises(Killed):
        train(settings, tmp_path / "killed", callbacks=RunCallbacks(stage=kill))
    train(settings, tmp_path / "killed")
    assert differing(tmp_path / "whole", tmp_path / "killed") == []


def test_heads_learn_who_wrote_what_and_know_nothing_before() -> None:
    heads = AuthorClassifiers(3)
    states = torch.eye(3).repeat(8, 1) + 0.01 * torch.randn(
        24, 3, generator=torch.Generator().manual_seed(0)
    )
    assert torch.allclose(heads.log_belief(0, states).exp(), torch.full((24, 3), 1 / 3))
    heads.fit(0, states, [0, 1, 2] * 8)
    assert (heads.log_belief(0, states).argmax(dim=1) == torch.tensor([0, 1, 2] * 8)).all()
    assert heads.states[1] == {}  # nobody else's head has moved
