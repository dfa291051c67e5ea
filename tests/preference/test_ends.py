"""How a run may end before its time: signals, and a model that comes to repeat itself."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra trl")

import torch
from safetensors.torch import load_file

from mirrorenv.errors import ConfigError, Interrupted, RunFolderError, TrainingError
from mirrorenv.preference.callbacks import RunCallbacks
from mirrorenv.preference.report import write_report
from mirrorenv.preference.run import train
from mirrorenv.results.runs.run_folder import RunFolder
from tests.preference.small import differing, first_texts, small_settings
from tests.preference.tiny_model import make_tiny_model


def test_stopped_by_a_signal_a_run_says_how_it_goes_on(tiny_model: Path, tmp_path: Path) -> None:
    settings = small_settings(tiny_model, "learning.rounds=1")
    given = first_texts()
    train(settings, tmp_path / "whole", pairs=given)
    notes: list[str] = []

    def stop(what: str, done: int, of: int) -> None:
        if what.endswith("training"):
            os.kill(os.getpid(), signal.SIGTERM)

    def interrupt(row: dict[str, Any]) -> None:
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(
        TrainingError,
        match=r"stopped by SIGTERM\. The same command resumes from the last whole round",
    ):
        train(
            settings,
            tmp_path / "run",
            pairs=given,
            callbacks=RunCallbacks(stage=stop, note=notes.append),
        )
    assert notes == [] and RunFolder.open(tmp_path / "run").info["reason"].startswith(
        "TrainingError: stopped by SIG"
    )
    assert signal.getsignal(signal.SIGTERM) is before
    with pytest.raises(Interrupted, match="resumes from the last whole round"):
        train(
            settings,
            tmp_path / "run",
            pairs=given,
            callbacks=RunCallbacks(evaluation=interrupt, note=notes.append),
        )
    assert notes == []  # whoever reads the exception says it
    assert RunFolder.open(tmp_path / "run").info["reason"] == "interrupted from the keyboard"
    assert train(settings, tmp_path / "run", pairs=given).status == "finished"
    assert differing(tmp_path / "whole", tmp_path / "run") == []


def test_a_model_that_comes_to_repeat_one_word_is_rolled_back_until_the_run_stops(
    tmp_path: Path,
) -> None:
    """Everybody's training texts are one letter, twelve times: what is learned from them is
    perfectly recognisable."""
    (tmp_path / "model").mkdir()
    model = make_tiny_model(tmp_path / "model", spread=0.2)
    given = first_texts()
    alike = tuple(
        replace(one, text=one.player[0] * 12) if one.split == "train" else one
        for one in given.texts
    )
    layers = "[q_proj,k_proj,v_proj,o_proj,gate_proj,up_proj,down_proj]"
    settings = small_settings(
        model,
        f"learning.targets={layers}",
        "learning.learning_rate=0.1",
        "learning.steps=24",
        "learning.rank=8",
        "learning.rounds=9",
        "learning.patience=2",
        "learning.on_policy=false",
        "loss.supervised=2.0",
        "data.tokens=16",
        "data.temperature=0.5",
        "bound.repetition=0.3",
    )
    notes: list[str] = []
    folder = train(
        settings,
        tmp_path / "run",
        pairs=replace(given, texts=alike),
        callbacks=RunCallbacks(note=notes.append),
    )
    rows = folder.evaluations()
    # recognition alone would have kept it
    assert rows[1]["fresh"]["recognition"]["sum"]["joint"]["value"] == 1.0
    assert [row["rolled_back"] for row in rows[1:-1]] == [True, True]
    assert "round 1 is rolled back: ann: repetition" in notes[0] and "is above 0.3" in notes[0]
    assert rows[-1]["best"] == 0 and rows[-1]["rounds"] == 2  # stopped long before nine rounds
    kept = load_file(folder.path / "voices" / "ann" / "adapter_model.safetensors")
    assert all(
        torch.count_nonzero(weights) == 0 for name, weights in kept.items() if "lora_B" in name
    )
    page = write_report(folder.path).read_text()
    assert "was rolled back" in page and "No round was better than the start" in page
    assert (
        notes[-1].startswith("no round was better") and "learning.learning_rate lower" in notes[-1]
    )


def test_a_model_that_is_not_there_leaves_no_folder_behind_and_costs_no_run(
    tiny_model: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"local model 'nowhere'"):
        train(small_settings(Path("nowhere")), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    settings = small_settings(tiny_model, "learning.rounds=1")
    given = first_texts()
    train(settings, tmp_path / "run", pairs=given)
    files = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    rows: list[Any] = []
    folder = train(
        settings, tmp_path / "run", pairs=given, callbacks=RunCallbacks(evaluation=rows.append)
    )
    with pytest.raises(ConfigError, match=r"local model 'nowhere'"):
        train(small_settings(Path("nowhere")), tmp_path / "run", if_exists="overwrite")
    assert folder.status == "finished" and rows == []  # neither trained nor measured again
    assert {
        path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()
    } == files
    with pytest.raises(RunFolderError, match=r"learning\.rounds"):
        train(small_settings(tiny_model, "learning.rounds=2"), tmp_path / "run", pairs=given)
