"""What a newcomer stumbled over in the first hour, and does no more."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mirrorenv.cli import next_steps
from mirrorenv.cli.app import main
from mirrorenv.plain_text import in_one_line
from tests.results.synthetic import make_run

Capture = pytest.CaptureFixture[str]


def typed(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    """The exit code of a command line, in this process."""
    monkeypatch.setattr(sys, "argv", ["mirrorenv", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_agents_that_a_world_cannot_have_are_answered_with_what_was_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    run = ["--run", str(tmp_path / "run")]
    assert typed(monkeypatch, "train", "turn-v0", "--agents", "3", *run) == 2
    said = capsys.readouterr().err
    assert "--agents 3 is world_options.num_agents" in said
    assert "Known: horizon, reward, size, start" in said
    assert typed(monkeypatch, "train", "turn-v0", "--set", "world_options.num_agents=3", *run) == 2
    assert "--agents" not in capsys.readouterr().err


def test_a_typo_is_said_before_a_run_folder_that_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    pytest.importorskip("torch")
    taken = str(make_run(tmp_path / "run").path)
    for typo, meant in (("population.actor=mpl", "mlp"), ("mirror.reward=cdz", "cds")):
        words = ("train", "ants-v0", "--run", taken, "--seed", "4", "--set", typo)
        assert typed(monkeypatch, *words) == 2
        assert meant in capsys.readouterr().err
    assert typed(monkeypatch, "train", "ants-v0", "--run", taken, "--seed", "4") == 1
    assert "holds a run" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("play", "ants-v0", "--gif", "d.png"),
        ("play", "ants-v0", "--gif", "d"),
        ("results", "marl-eval", "nowhere", "--out", "d.csv"),
        ("board", "build", "nowhere", "--out", "d.md"),
    ],
    ids=" ".join,
)
def test_a_file_of_another_kind_is_refused_by_its_name(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert typed(monkeypatch, *words) == 2
    assert "its name must end in ." in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


HOSTILE = ["two\nlines", "a\ttab", "\x1b[2J", "it's \\ \x07", "right\u202eleft"]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_path_is_printed_in_one_line_that_no_terminal_obeys(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    run = make_run(tmp_path / name)
    assert typed(monkeypatch, "report", str(run.path)) == 0
    said = capsys.readouterr()
    assert said.out == f"{in_one_line(run.report_path)}\n"
    for mark in "\x1b\x07\t\u202e":
        assert mark not in said.out + said.err
    assert all(line.startswith(("next", " ", "writing")) for line in said.err.splitlines()), (
        said.err
    )
    assert typed(monkeypatch, "report", str(run.path), "--json") == 0
    assert json.loads(capsys.readouterr().out)["page"] == str(run.report_path)


@pytest.mark.parametrize("name", ["plain", "with blank", "$HOME", "", *HOSTILE], ids=ascii)
def test_a_line_to_paste_comes_apart_into_the_same_words(name: str) -> None:
    line = next_steps.pasted(["printf", "%s", name])
    assert in_one_line(line) == line
    ran = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert ran.stdout.decode() == name
    if in_one_line(name) == name:
        assert shlex.split(line)[-1] == name


def test_hints_keep_what_was_typed(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    code = typed(
        monkeypatch, "audit", "turn-v0", "--episodes", "40", "--seed", "3", "--alpha", "0.1"
    )
    assert code == 1
    again = capsys.readouterr().out.splitlines()[-1]
    assert again.endswith("mirrorenv audit mirrorenv/turn-v0 --episodes 40 --seed 3 --alpha 0.1")


def test_a_gif_is_named_after_the_folder_one_stands_in(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path / "mine")
    line = next_steps.play(Path(), "mirrorenv/ants-v0", pictures=True, code=["a.b:C"])
    assert line.endswith("--policy . --gif mine.gif --code a.b:C")


def test_check_says_that_no_agent_ended_before_the_others(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    assert typed(monkeypatch, "check", "ants-v0", "--episodes", "1") == 0
    assert "not seen  an agent that ends before the others" in capsys.readouterr().out


def test_no_id_is_cut_in_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    from mirrorenv.envs import registry

    monkeypatch.setenv("COLUMNS", "80")
    assert typed(monkeypatch, "worlds") == 0
    said = capsys.readouterr().out
    assert all(id in said for id in registry()) and "…" not in said
    assert max(map(len, said.splitlines())) <= 80


def test_a_world_of_ones_own_without_pictures_is_said_to_draw_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: Capture, tmp_path: Path
) -> None:
    gif = tmp_path / "x.gif"
    assert typed(monkeypatch, "play", "mirrorenv.testing:Flawless", "--gif", str(gif)) == 2
    assert "draws nothing" in capsys.readouterr().err
    assert not gif.exists()


def test_an_audit_fits_80_columns(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    assert typed(monkeypatch, "audit", "ants-v0", "--episodes", "32") == 0
    head = capsys.readouterr().out.splitlines()[:4]
    assert any("p untrained" in line for line in head) and "…" not in "".join(head)


def test_a_near_name_is_offered_once(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    words = ("mirrorenv.testing:Flawless", "--set", "world_options.horizn=3")
    assert typed(monkeypatch, "play", *words) == 2
    assert capsys.readouterr().err.count("Did you mean horizon?") == 1
