"""One row of evaluations: what is written is what a reader gets back, whatever a file holds."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.mirror.intervals import Estimate
from mirrorenv.mirror.score import Score
from mirrorenv.results.runs.evaluation import Evaluation, EvidenceOverTime, RecordedScore
from mirrorenv.results.runs.json_lines import json_lines
from mirrorenv.results.runs.run_folder import RunFolder
from tests.results.synthetic import evaluation

# A row of a run of ants-v0 with baselines, a lagged classifier and nulls, as version 1 wrote it.
RECORDED = Path(__file__).with_name("evaluation_row.jsonl")

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*Evaluation().to_dict(), "return", "env_steps", "top1", "value", "low"])


def test_a_recorded_row_is_written_again_byte_for_byte() -> None:
    for line in RECORDED.read_text().splitlines(keepends=True):
        again = Evaluation.from_dict(json.loads(line)).to_dict()
        assert json_lines([again]) == line


def test_a_score_in_a_file_has_the_figures_of_a_score() -> None:
    of_a_score = [one.name for one in fields(Score) if one.name != "undefined"]
    assert list(RecordedScore().to_dict()) == of_a_score


def test_every_field_comes_back() -> None:
    score = RecordedScore(top1=Estimate(0.5, 0.25, 0.75), others={"new": Estimate(1.0)})
    written = Evaluation(
        num_agents=4,
        lineup_size=3,
        horizon=50,
        episodes=8,
        learned=score,
        learned_joint=score,
        limit=score,
        limit_valid=False,
        limit_reason="it leaks",
        baselines={"chance": score},
        environment_return=Estimate(1.0, 0.5, 1.5),
        mirror_return=Estimate(0.25),
        per_agent_return=np.arange(4.0),
        recognition_matrix=np.array([[1.0, math.nan], [0.5, 0.5]]),
        confusion=np.eye(2),
        evidence_over_time=EvidenceOverTime(np.arange(3.0), np.arange(3.0) / 2),
        log_e_value=-3.5,
        lagged_top1=Estimate(0.25, 0.0, 0.5),
        persistence=0.75,
        others={"mine": [1, 2]},
    ).placed(iteration=3, env_steps=640, seconds=1.5)
    read = Evaluation.from_dict(json.loads(json_lines([written.to_dict()])))
    for one in fields(Evaluation):
        before, after = getattr(written, one.name), getattr(read, one.name)
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(before, after)
        elif not isinstance(before, EvidenceOverTime):
            assert before == after, one.name
    assert json_lines([read.to_dict()]) == json_lines([written.to_dict()])
    assert read.figure("baselines.chance.top1") == Estimate(0.5, 0.25, 0.75)
    assert read.figure("learned.new") == Estimate(1.0)
    assert read.figure("persistence") == Estimate(0.75)
    assert read.figure("learned") is read.figure("nothing.here") is None


def test_outside_of_a_run_a_row_has_no_place() -> None:
    row = Evaluation(num_agents=4).to_dict()
    assert not {"iteration", "env_steps", "seconds"} & row.keys()


@given(st.dictionaries(NAMES, ANYTHING, max_size=6))
@settings(max_examples=200, deadline=None)
def test_nothing_in_a_row_stops_its_reader(row: dict[str, Any]) -> None:
    read = Evaluation.from_dict(row)
    read.figure("learned.top1")
    assert isinstance(read.to_dict(), dict)
    assert read.num_agents is None or read.num_agents >= 1


@pytest.mark.parametrize("sign", [1, -1])
def test_an_endless_e_value_is_logged_as_beyond_any_threshold(tmp_path: Path, sign: int) -> None:
    run = RunFolder.create(tmp_path / "run", {}, 0)
    row = Evaluation.from_dict(evaluation(1, 4))
    run.log_evaluation(replace(row, log_e_value=sign * math.inf).to_dict())
    assert Evaluation.from_dict(run.evaluations()[0]).log_e_value == sign * 1e9
