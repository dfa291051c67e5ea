"""What a second newcomer stumbled over: names that nobody typed, a page cut off, slow refusals."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorenv.cli import next_steps
from mirrorenv.cli.next_steps import YOUR_WORLD
from mirrorenv.envs.account import Account
from mirrorenv.errors import Interrupted
from mirrorenv.results.report.account import account_sections
from mirrorenv.results.report.charts_auxiliaries import auxiliaries
from mirrorenv.results.report.words import headline
from mirrorenv.results.runs.accounts import write_accounts
from mirrorenv.results.runs.lock import only_writer
from mirrorenv.results.runs.record import RunRecord
from mirrorenv.terminal import PlainConsole
from tests.results.synthetic import evaluation


def printed(*commands: str) -> list[str]:
    file = io.StringIO()
    next_steps.print_next(PlainConsole(file=file, width=80), *commands)
    return file.getvalue().splitlines()


def test_a_name_that_only_a_file_knows_is_said_to_be_filled_in(tmp_path: Path) -> None:
    lines = printed(*next_steps.control(tmp_path / "run", "strangers:Env"))
    assert YOUR_WORLD in lines[0] and lines[0].startswith("next        mirrorenv train")
    assert lines[-1].split()[0] == YOUR_WORLD and "for you to fill in" in lines[-1]
    assert len(printed(*next_steps.control(tmp_path / "run", "mirrorenv/ants-v0"))) == 2


def test_a_page_that_is_cut_off_leaves_the_run_and_the_words_that_write_it(tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as cut, next_steps.page_can_wait(tmp_path / "run"):
        raise KeyboardInterrupt
    assert f"mirrorenv report {tmp_path / 'run'}" in str(cut.value)
    assert "whole" in str(cut.value)


@pytest.mark.parametrize("words", [("train", "ants-v0", "--run"), ("prefer", "train", "--run")])
def test_a_second_writer_is_refused_before_anything_slow_is_loaded(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    pytest.importorskip("ray" if words[0] == "train" else "trl")
    code = (
        "import sys\nfrom mirrorenv.cli.app import main\n"
        "try:\n    main()\nfinally:\n"
        "    print([one for one in ('torch', 'ray') if one in sys.modules])"
    )
    with only_writer(tmp_path / "run"):
        done = subprocess.run(
            [sys.executable, "-c", code, *words, str(tmp_path / "run")],
            capture_output=True,
            text=True,
            check=False,
        )
    assert "is being written by" in done.stderr and done.returncode == 1
    assert done.stdout.strip() == "[]"


def test_a_figure_of_few_episodes_below_chance_is_not_left_to_the_reader() -> None:
    first = {**evaluation(0, 5), "iteration": 0, "env_steps": 0, "lineup_size": 4}
    last = {**evaluation(1, 5), "iteration": 9, "env_steps": 1234, "lineup_size": 4}
    for low, high, said in ((0.1, 0.3, True), (0.24, 0.4, False)):
        first["limit"] = {"top1": {"value": (low + high) / 2, "low": low, "high": high}}
        first["learned"] = {"top1": {"value": 0.26, "low": 0.2, "high": 0.3}}
        text = " ".join(headline(RunRecord.of([first, last])))
        assert ("may lie below chance" in text) == said, text


def test_a_long_account_is_unfolded_by_who_wants_it(tmp_path: Path) -> None:
    rows = tuple((f"agent {number}", "00ff" * 8) for number in range(40))
    write_accounts(tmp_path, [Account("What was said", "All of it.", ("who", "bytes"), rows)])
    seen, _, folded = "".join(account_sections(tmp_path)).partition("<details>")
    assert "agent 11" in seen and "agent 12" not in seen and "40 rows." in seen
    assert "28 more" in folded and "agent 39" in folded


def test_an_auxiliary_that_never_changes_is_named_and_not_drawn() -> None:
    rows = [{"env_steps": 100 * i, "a/flat": 0.5, "b/loss": 1 / (i + 1)} for i in range(4)]
    chart = auxiliaries(RunRecord.of([], rows), None)
    assert chart is not None and "Constant and not drawn: a: flat (0.5)." in chart.caption
    assert "flat" not in chart.alt
    flat = [{"env_steps": row["env_steps"], "a/flat": 0.5} for row in rows]
    assert auxiliaries(RunRecord.of([], flat), None) is None
