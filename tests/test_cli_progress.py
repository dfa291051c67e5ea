"""What a training run shows: a bar with the numbers that matter, lines where there is no terminal,
or nothing."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

pytest.importorskip("ray")

from mirrorenv.cli.progress import TrainingDisplay
from mirrorenv.results.runs.evaluation import Evaluation
from mirrorenv.rllib.settings import RunSettings

SETTINGS = RunSettings(world="mirrorenv/ants-v0", total_steps=1000)
EVALUATION: dict[str, Any] = {
    "env_steps": 500,
    "lineup_size": 4,
    "learned": {"top1": {"value": 0.75}, "information": {"value": 0.9}},
    "limit": {"information": {"value": 1.2}},
    "return": {"value": 3.5},
}
ITERATION = {
    "env_steps": 640,
    "return": 2.25,
    "mirror_return": 0.8,
    "env_steps_per_second": 12345.6,
}


def shown(*, terminal: bool, silent: bool = False) -> str:
    """Everything printed over an evaluation and an iteration."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=terminal, width=160, color_system=None)
    with TrainingDisplay(SETTINGS, console, quiet=not terminal, silent=silent) as display:
        display.progress.started(1280)
        display.progress.evaluation(Evaluation.from_dict(EVALUATION))
        display.progress.iteration(ITERATION)
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", file.getvalue())


def test_the_bar_shows_recognition_beside_the_limit_both_returns_and_the_speed() -> None:
    text = shown(terminal=True)
    for part in (
        "mirrorenv/ants-v0",
        "640/1280",
        "top-1 0.75 (chance 0.25)",
        "nats 0.90/1.20 (max 1.39)",
        "return 2.25",
        "mirror 0.80",
        "12,346 steps/s",
        "at 500: top-1",
    ):
        assert part in text, text


def test_without_a_terminal_each_evaluation_is_a_line() -> None:
    lines = shown(terminal=False).strip().splitlines()
    assert lines[0] == (
        "training mirrorenv/ants-v0: 1,280 steps planned for 1,000 asked for "
        "(whole iterations of 256 episodes)"
    )
    said = "500 steps top-1 0.75 (chance 0.25) nats 0.90/1.20 (max 1.39) return 3.50"
    assert " ".join(lines[1].split()) == said


@pytest.mark.parametrize("terminal", [True, False])
def test_quiet_is_quiet(terminal: bool) -> None:
    assert shown(terminal=terminal, silent=True).strip() == ""


def test_a_baseline_that_reads_better_is_named() -> None:
    from mirrorenv.cli.scores import reads_worse

    def about(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.05, "high": value + 0.05}

    def found(learned: float, histogram: float) -> Evaluation:
        baselines = {"action_histogram": {"top1": about(histogram)}}
        one = {**EVALUATION, "learned": {"top1": about(learned)}, "baselines": baselines}
        return Evaluation.from_dict(one)

    assert reads_worse(found(0.3, 0.5)) == "action_histogram"
    assert reads_worse(found(0.5, 0.3)) is None
    assert reads_worse(found(0.46, 0.5)) is None, "they may be equal"
    assert reads_worse(Evaluation.from_dict(EVALUATION)) is None


def test_shares_have_one_kind_of_interval(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mirrorenv.cli.scores import console, print_scores

    monkeypatch.setattr(console, "_width", 160)
    perfect = {"value": 1.0, "low": 0.8911, "high": 1.0}
    spread = {"value": 0.992, "low": 0.976, "high": 1.0}
    nats = {"value": 1.386, "low": 1.386, "high": 1.386}
    scores = {"learned": {"top1": spread}, "limit": {"top1": perfect, "information": nats}}
    print_scores(Evaluation.from_dict({**EVALUATION, **scores, "episodes": 32}))
    said = capsys.readouterr().err
    assert "1.000 [0.891, 1.000]" in said
    assert "0.992 [0.882, 1.000]" in said
    assert "1.386 (no spread)" in said


def test_the_reader_that_is_not_calibrated_is_marked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mirrorenv.cli.scores import console, print_scores
    from mirrorenv.results.report.sections import score_table
    from mirrorenv.results.runs.record import RunRecord

    monkeypatch.setattr(console, "_width", 160)
    row = {**EVALUATION, "baselines": {"eoi": {"information": {"value": -37.9}}}}
    print_scores(Evaluation.from_dict(row))
    assert "eoi (not calibrated)" in capsys.readouterr().err
    assert "eoi (not calibrated)" in score_table(RunRecord.of([row]))
