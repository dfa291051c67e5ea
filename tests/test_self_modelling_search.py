"""The search of settings: on held-back training data, resumable; and the tasks made by rule."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.shared.labelled import digits
from benchmarks.shared.self_models import ARMS, Stack, Training, train
from benchmarks.shared.stand_ins import colours, sentiment
from benchmarks.studies import self_modelling_search as search
from mirrorenv.errors import ConfigError


def run(monkeypatch: pytest.MonkeyPatch, out: Path, *words: str) -> None:
    pytest.importorskip("optuna")
    fixed = ["--smoke", "--arms", "base", "--out", str(out / "s")]
    monkeypatch.setattr(sys, "argv", ["search", *fixed, *words])
    search.main()


def test_settings_are_judged_by_training_data_alone() -> None:
    task = digits()
    part = search.parted(task)
    rows = {one.tobytes() for one in task.inputs}
    shown = np.concatenate([part.inputs, part.test_inputs])
    assert {one.tobytes() for one in shown} == rows
    assert not {one.tobytes() for one in part.inputs} & {one.tobytes() for one in part.test_inputs}


def test_an_interrupted_search_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = search.right
    calls = []

    def cut(*given: object) -> float:
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(search, "right", cut)
    with pytest.raises(KeyboardInterrupt):
        run(monkeypatch, tmp_path)
    run(monkeypatch, tmp_path)
    said = capsys.readouterr()
    assert len(calls) == 3, "one before, the one that was cut, one again"
    assert "goes on after 1 trials" in said.err
    run(monkeypatch, tmp_path)
    assert len(calls) == 3, "nothing is missing"


def test_a_search_of_other_settings_and_a_file_that_is_none_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(monkeypatch, tmp_path)
    with pytest.raises(ConfigError, match="give another --out"):
        run(monkeypatch, tmp_path, "--batch", "32")
    (tmp_path / "s-smoke" / "trials.sqlite3").write_text("no database" * 100)
    with pytest.raises(ConfigError, match="cannot be read as a search"):
        run(monkeypatch, tmp_path)


@pytest.mark.parametrize("make", [colours, sentiment])
def test_a_stand_in_says_so_is_the_same_every_time_and_can_be_learned(make: object) -> None:
    assert callable(make)
    task, again = make(), make()
    assert task.name.startswith("stand-in")
    assert np.array_equal(task.inputs, again.inputs)
    stack = Stack([ARMS[0]], [0], task.inputs.shape[1], 64, task.classes)
    train(stack, task, Training(8, 32, 0.02))
    found = search.right(stack, task)
    assert 1.5 / task.classes < found < 0.999
