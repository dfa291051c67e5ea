"""Two nodes on one machine, one killed while a population trains.

That is benchmarks/proofs/node_loss.py, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Ray starts slowly on a busy machine
pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]

SCRIPT = Path(__file__).resolve().parents[2] / "benchmarks" / "proofs" / "node_loss.py"


def loss_of(what: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--lose", what],
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def test_a_run_goes_on_without_a_lost_runner_and_no_iteration_is_smaller() -> None:
    answer = loss_of("runner")
    assert (answer["error"], answer["status"]) == (None, "finished")
    assert {row["episodes"] for row in answer["iterations"]} == {32}
    assert len(answer["iterations"]) == 24


def test_a_run_whose_learner_is_lost_stops_by_name_and_goes_on_from_its_checkpoint() -> None:
    answer = loss_of("learner")
    assert answer["error"].startswith("TrainingError: a learner was lost in iteration")
    done = answer["iterations"][-1]["iteration"]
    assert 5 <= done < 12  # a killed node's processes may live on for some seconds
    # a checkpoint was written every second iteration
    assert answer["resumed"] == list(range(done - done % 2 + 1, 25))
    assert answer["status"] == "finished"
