"""One vocabulary on every command line: the same option means the same everywhere, scripts get one
object from every command and every error, and what was typed before still works."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mirrorenv.cli._common import world_arguments
from mirrorenv.cli.app import app, main

# What these print is what they were asked for, and nothing else.
PRINT_ONE_THING = {
    "version",
    "worlds",
    "settings",
    "debate replay",
    "debate serve",
    "prefer report",
    "results marl-eval",
}
# Every option that takes a path, and what it means on all command lines.
PATHS = {
    "run": "where a run lives",
    "base": "a run whose texts are read",
    "reuse": "runs whose answers are taken",
    "out": "what is written",
    "config": "settings to read",
    "weight0": "a run to draw beside it",
    "gif": "an animation",
    "suites": "suites to read",
    "pairs": "texts to read",
    "player": "an agent card to read",
    "proofs": "what was proved before",
}


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that can be typed, with its name."""
    root = typer.main.get_command(app)
    for name, command in getattr(root, "commands", {}).items():
        inner = getattr(command, "commands", None)
        if inner is None:
            yield name, command
        else:
            yield from ((f"{name} {part}", one) for part, one in inner.items())


EVERY = dict(commands())


def options(command: Any) -> dict[str, Any]:
    """Options that help shows, by name without dashes."""
    shown = [one for one in command.params if one.param_type_name == "option" and not one.hidden]
    return {name.lstrip("-"): one for one in shown for name in one.opts if name.startswith("--")}


@pytest.mark.parametrize("name", EVERY)
def test_every_command_prints_json_and_can_be_quiet(name: str) -> None:
    has = options(EVERY[name])
    assert "json" in has
    assert ("quiet" in has) == (name not in PRINT_ONE_THING)


@pytest.mark.parametrize("name", EVERY)
def test_a_path_has_one_name_for_each_meaning(name: str) -> None:
    written = inspect.get_annotations(inspect.unwrap(EVERY[name].callback))
    for option, about in options(EVERY[name]).items():
        if "Path" in str(written[about.name]) or str(written[about.name]) == "ConfigFiles":
            assert option in PATHS, f"mirrorenv {name} --{option}"
        if (about.help or "").startswith(("Run folder", "Folder; the same")):
            assert option == "run", f"mirrorenv {name} --{option} is where a run lives"


@pytest.mark.parametrize("name", ["train", "check", "audit", "play"])
def test_arguments_of_a_world_are_spelled_alike(name: str) -> None:
    assert "-s" in options(EVERY[name])["set"].opts
    assert "world" in [one.name for one in EVERY[name].params]


def test_arguments_of_a_world_have_a_short_form_where_nothing_else_can_be_set() -> None:
    assert world_arguments(["world_options.N=4"]) == world_arguments(["N=4"]) == {"N": 4}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("letters", ["-h", "--help"])
def test_help_has_two_spellings(
    name: str, letters: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = typed(monkeypatch, capsys, *name.split(), letters)
    assert code == 0
    assert "Usage" in out


@pytest.mark.parametrize("name", EVERY)
def test_wrong_usage_is_an_object_for_scripts(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out = typed(monkeypatch, capsys, *name.split(), "--no-such-option", "--json")
    said = json.loads(out.splitlines()[-1])
    assert code == said["exit_code"] == 2
    assert said["kind"] == "UsageError"
    assert "no-such-option" in said["error"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("train", "antz-v0"), 2),
        (("evaluate", "nowhere"), 1),
        (("report", "nowhere"), 1),
        (("check", "courier:Couriers"), 1),
        (("play", "antz-v0"), 2),
        (("verify", "nowhere"), 1),
        (("settings", "train", "weigth"), 2),
        (("debate", "run", "nowhere.toml"), 2),
        (("debate", "score", "nowhere"), 1),
        (("prefer", "train", "--config", "nowhere.toml"), 2),
        (("results", "export", "nowhere"), 1),
        (("board", "build", "nowhere"), 1),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_an_error_is_an_object_for_scripts_and_is_said_although_quiet(
    words: tuple[str, ...],
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    quiet = [] if words[0] == "settings" else ["--quiet"]
    monkeypatch.setattr(sys, "argv", ["mirrorenv", *words, "--json", *quiet])
    with pytest.raises(SystemExit) as end:
        main()
    said = capsys.readouterr()
    found = json.loads(said.out.splitlines()[-1])
    assert end.value.code == found["exit_code"] == code
    assert found["error"].split()[0] in said.err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("debate run", ["file.toml", "--out", "here"]),
        ("debate demo", ["--out", "here"]),
        ("prefer demo", ["--out", "here"]),
    ],
)
def test_what_a_run_folder_was_called_before_still_works(name: str, words: list[str]) -> None:
    context = EVERY[name].make_context(name, words)
    assert context.params["run"] == Path("here")
    assert "out" not in options(EVERY[name])


@pytest.mark.parametrize("name", ["results share", "debate export"])
def test_a_place_to_write_without_its_name_still_works(name: str) -> None:
    assert EVERY[name].make_context(name, ["from", "to"]).params["instead"] == Path("to")
    assert EVERY[name].make_context(name, ["from", "--out", "to"]).params["out"] == Path("to")


def test_every_name_of_a_path_is_used() -> None:
    used = {option for command in EVERY.values() for option in options(command)}
    assert PATHS.keys() <= used


def test_a_shell_completes_commands_and_worlds() -> None:
    for typed_so_far, expected in (("mirrorenv tra", "train"), ("mirrorenv train an", "ants-v0")):
        words = typed_so_far.split()
        surroundings = {
            **os.environ,
            "_MIRRORENV_COMPLETE": "complete_bash",
            "COMP_WORDS": typed_so_far,
            "COMP_CWORD": str(len(words) - 1),
        }
        code = "import sys; sys.argv = ['mirrorenv']; from mirrorenv.cli.app import main; main()"
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=surroundings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert expected in done.stdout.split(), done.stderr


def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[object, str]:
    """Exit code and standard output of a command line."""
    monkeypatch.setattr(sys, "argv", ["mirrorenv", *words])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code, capsys.readouterr().out
