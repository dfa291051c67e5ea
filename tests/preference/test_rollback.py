"""Rounds in which some break a bound: they go back, the others keep what they learned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="needs the extra trl")

from safetensors.torch import load_file

from mirrorenv.preference import rounds
from mirrorenv.preference.callbacks import RunCallbacks
from mirrorenv.preference.run import train
from tests.preference.small import Killed, differing, first_texts, small_settings


def ann_breaks_once(useful: Any, reference: Any, bound: Any) -> dict[str, list[str]]:
    """A bound that ann broke, if she is told apart from her first texts at all."""
    return {"ann": ["repetition 1 is above 0"]} if useful["ann"]["kl"] != 0.0 else {}


def test_only_who_breaks_a_bound_goes_back_and_a_killed_run_comes_to_the_same(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "beyond_bound", ann_breaks_once)
    settings, given = (
        small_settings(tiny_model, "learning.rounds=2", "learning.patience=9"),
        first_texts(),
    )
    notes: list[str] = []
    folder = train(
        settings, tmp_path / "whole", pairs=given, callbacks=RunCallbacks(note=notes.append)
    )

    tried = [row for row in folder.evaluations() if row.get("rolled_back")]
    stayed = [row for row in folder.evaluations() if row.get("without")]
    assert [row["iteration"] for row in tried] == [row["iteration"] for row in stayed] == [1, 2]
    assert "round 1 is rolled back: ann" in notes[0] and notes[0].endswith(
        "the others keep what they learned"
    )
    # What ann says is what she said before the round; what bob says is new, and is what was tried.
    begun = folder.evaluations()[0]["fresh"]["useful"]
    for before, after in zip(tried, stayed, strict=True):
        assert after["fresh"]["useful"]["ann"]["length"] == begun["ann"]["length"]
        assert after["fresh"]["useful"]["ann"]["kl"] == 0.0
        assert after["fresh"]["useful"]["bob"] == before["fresh"]["useful"]["bob"]
    start, one, two = (
        load_file(folder.checkpoint_path(3 * n) / "adapters.safetensors") for n in range(3)
    )
    for name, weights in start.items():
        assert not name.startswith("0/") or (weights.equal(one[name]) and weights.equal(two[name]))
    assert any(
        not start[name].equal(one[name]) and not one[name].equal(two[name])
        for name in start
        if name[0] == "1"
    )
    state = json.loads((folder.checkpoint_path(6) / "state.json").read_text())
    assert state["versions"] == [0, 2] and state["betas"] == [0.4, 0.1]
    assert state["rates"] == pytest.approx([0.005, 0.02])

    seen = 0

    def kill(row: dict[str, Any]) -> None:  # between what was tried and what stays
        nonlocal seen
        seen += bool(row.get("rolled_back"))
        if seen == 2:
            seen = 99
            raise Killed

    with pytest.raises(Killed):
        train(settings, tmp_path / "cut", pairs=given, callbacks=RunCallbacks(evaluation=kill))
    train(settings, tmp_path / "cut", pairs=given)
    assert differing(tmp_path / "whole", tmp_path / "cut") == []
