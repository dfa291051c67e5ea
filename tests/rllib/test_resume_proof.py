"""A run that is killed with SIGKILL from outside and started again ends with the bits of an
uninterrupted one."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from tests.faults.kills import AIMS, prove


@pytest.mark.slow
@pytest.mark.ray
def test_three_kills_change_nothing() -> None:
    # short: sockets lie in it
    with tempfile.TemporaryDirectory(prefix="mr", ignore_cleanup_errors=True) as place:
        proof = prove(3, Path(place), seed=1, iterations=8, checkpoints=4)
    assert proof.kills >= 3
    assert not proof.differences
    assert "mirror.weight" in proof.refusal
    assert proof.holds


def test_kills_are_aimed_at_the_training_any_time_checkpoints_and_the_report() -> None:
    assert {"the training", "any time", "a checkpoint", "the report"} == set(AIMS)
