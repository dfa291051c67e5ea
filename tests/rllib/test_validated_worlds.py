"""Every training run looks at what its worlds answer, unless it is told not to."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorenv.envs.checks.validation import ValidatedWorld
from mirrorenv.rllib.on_ray import algorithm_config
from mirrorenv.rllib.settings import load_settings
from mirrorenv.rllib.worlds import make_world


def test_runs_validate_unless_told_otherwise() -> None:
    for overrides, kind in (((), True), (["validate_world=false"], False)):
        settings = load_settings("mirrorenv/ants-v0", (), overrides)
        assert isinstance(make_world(algorithm_config(settings), 2), ValidatedWorld) == kind


@pytest.mark.slow  # two algorithms, and Ray
def test_the_overhead_is_printed_side_by_side() -> None:
    script = Path(__file__).parents[2] / "benchmarks" / "speed" / "validation_overhead.py"
    command = [sys.executable, str(script), "--smoke", "--json", "--worlds", "ants-v0"]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    [row] = json.loads(result.stdout.splitlines()[-1])["rows"]
    assert row["off_ms"] > 0 and row["on_ms"] > 0
    assert 0 < row["of_iteration"]["median"] < row["of_sampling"]["median"] < 1
