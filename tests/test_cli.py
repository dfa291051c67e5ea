"""The command line says what is wrong in one line, ends with the right exit code and prints JSON
for scripts."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from mirrorenv import __version__
from mirrorenv.cli import next_steps as cli_next
from mirrorenv.cli.app import app, main
from tests.results.synthetic import make_run


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mirrorenv", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def test_version_and_worlds() -> None:
    assert run("version").stdout.strip() == __version__
    worlds = json.loads(run("worlds", "--json").stdout)
    assert "mirrorenv/ants-v0" in {world["id"] for world in worlds}


def test_the_command_line_is_a_function_of_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from mirrorenv.cli import main as command_line

    monkeypatch.setattr(sys, "argv", ["mirrorenv", "version"])
    with pytest.raises(SystemExit) as ended:
        command_line()
    assert (ended.value.code, capsys.readouterr().out.strip()) == (0, __version__)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("train", "antz-v0"), 2, "mirrorenv/ants-v0"),
        (("train", "ants-v0", "--set", "mirror.wieght=1"), 2, "unknown setting 'mirror.wieght'"),
        (("train", "ants-v0", "--set", "world_options={antz: 3}"), 2, "antz"),
        (("train", "ants-v0", "--set", "population.observer.head=additiv"), 2, "additive"),
        (("train", "ants-v0", "--sett", "x=1"), 2, "--set"),
        (("train",), 2, "no world given"),
        (("train", "ants-v0", "--config", "nowhere.toml"), 2, "nowhere.toml"),
        (("evaluate", "nowhere"), 1, "not a checkpoint"),
        (("report", "nowhere"), 1, "not a run folder"),
        (("frobnicate",), 2, "frobnicate"),
    ],
)
def test_a_mistake_is_named_without_a_traceback(
    arguments: tuple[str, ...],
    code: int,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if arguments[0] == "train":
        arguments = (*arguments, "--run", str(tmp_path / "run"))
    monkeypatch.setattr(sys, "argv", ["mirrorenv", *arguments])
    # in this process: a fresh one would import torch and Ray every time
    with pytest.raises(SystemExit) as ended:
        main()
    error = capsys.readouterr().err
    assert ended.value.code == code, error
    assert says in error
    assert not (tmp_path / "run").exists()


def test_the_module_is_the_command_and_ends_without_a_traceback() -> None:
    result = run("report", "nowhere")
    assert result.returncode == 1
    assert "not a run folder" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.ray
def test_train_evaluate_report_from_the_shell(tmp_path: Path) -> None:
    from mirrorenv.rllib.settings import load_settings

    folder = tmp_path / "run"
    small = [
        "learning.episodes_per_iteration=16",
        "learning.minibatch_episodes=8",
        "total_steps=512",
    ]
    small += ["evaluation.episodes=8", "evaluation.checkpoints=1", "evaluation.baselines=false"]
    options = [part for setting in small for part in ("--set", setting)]
    trained = run("train", "ants-v0", "--run", str(folder), "--quiet", "--json", *options)
    assert trained.returncode == 0, trained.stderr
    last = json.loads(trained.stdout.splitlines()[-1])
    for key in ("top1", "information", "limit", "return"):
        assert last[key]["low"] <= last[key]["value"] <= last[key]["high"]
    assert (folder / "report.html").is_file()
    assert not trained.stderr.strip(), trained.stderr  # quiet means quiet

    (folder / "report.html").write_text("with the run of weight 0")
    again = run("train", "ants-v0", "--run", str(folder), "--json", *options)
    assert again.returncode == 0
    assert "already finished" in again.stderr
    assert (folder / "report.html").read_text() == "with the run of weight 0"
    assert {"run", "page"} <= json.loads(again.stdout.splitlines()[-1]).keys()
    assert again.stderr.splitlines()[-1] == f"next        mirrorenv evaluate {folder}"
    changed = run("train", "ants-v0", "--run", str(folder), *options, "--set", "seed=1")
    assert changed.returncode == 1
    assert "seed" in changed.stderr

    measured = run("evaluate", str(folder), "--episodes", "8", "--json")
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout.splitlines()[-1])["top1"]["value"] <= 1
    assert measured.stderr.splitlines()[-1] == (
        f"next        mirrorenv play mirrorenv/ants-v0 --policy {folder} --gif run.gif"
    )
    written = run("report", str(folder))
    assert written.stdout.strip().endswith("report.html")
    assert written.stderr.splitlines()[-2:] == [
        f"next        mirrorenv train --config {folder}/config.json --set mirror.weight=0 --run "
        f"{folder}-weight0",
        f"            mirrorenv report {folder} --weight0 {folder}-weight0",
    ]
    assert (
        load_settings(files=[folder / "config.json"], overrides=["mirror.weight=0"]).mirror.weight
        == 0
    )


def test_the_report_of_an_unfinished_run_says_how_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_run(tmp_path / "run", weight=0.0, finished=False).fail("cut short")
    monkeypatch.setattr(sys, "argv", ["mirrorenv", "report", str(tmp_path / "run")])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert not ended.value.code
    assert said.out.strip() == str(tmp_path / "run" / "report.html")
    assert "not finished: the command that began it goes on" in said.err
    # weight 0 is its own control
    assert said.err.splitlines()[-1].startswith("next        mirrorenv evaluate ")


def test_every_command_that_is_proposed_exists_and_is_quoted_for_a_shell() -> None:
    path, world = Path("runs/two words"), "package.module:Env"
    proposed = [
        cli_next.train(world),
        cli_next.evaluate(path, world),
        cli_next.play(path, world, pictures=True),
        cli_next.report(path),
        *cli_next.control(path, world),
    ]
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for line in proposed:
        program, name, *words = shlex.split(line)
        assert program == "mirrorenv"
        commands[name].make_context(name, words)  # parses, runs nothing
