"""No name or text in a stranger's folder makes a line of its own on the terminal, or obeys it."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.entry import _said
from mirrorenv.results.runs.manifest import write_manifest
from mirrorenv.terminal import PlainConsole
from tests.fuzz import folders

EVIL = "x\nFORGED\r\x1b[2J\x1b]0;t\x07\u202e\u2028FORGED\x85FORGED"


def said(*words: str) -> str:
    """All that a command prints, and what is said of how it failed."""
    done = CliRunner().invoke(app, list(words), standalone_mode=False)
    told = io.StringIO()
    if isinstance(done.exception, Exception):
        _said(done.exception, PlainConsole(file=told, width=4000))
    return done.output + told.getvalue()


def forged(text: str) -> list[str]:
    """What should not be there. Errors set off what follows a line break by seven blanks."""
    lines = [line for line in text.split("\n") if line[:13].lstrip().startswith("FORGED")]
    lines = [line for line in lines if not line.startswith(" " * 7)]
    return [
        *lines,
        *(mark for mark in ("\x1b", "\x07", "\u202e", "\u2028", "\x85") if mark in text),
    ]


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every text of a tree, and every table: the first part of a list stands for all."""
    if isinstance(value, dict):
        yield (*at, None)
        for key, part in value.items():
            yield from places(part, (*at, key))
    elif isinstance(value, list) and value:
        yield from places(value[0], (*at, 0))
    elif isinstance(value, str):
        yield at


def with_evil(tree: Any, at: tuple[Any, ...]) -> Any:
    """The tree with an evil text in one place, or an evil key in a table."""
    tree = json.loads(json.dumps(tree))
    holder = tree
    for step in at[:-1]:
        holder = holder[step]
    if at[-1] is None:
        holder[EVIL] = EVIL
    else:
        holder[at[-1]] = f"{holder[at[-1]]}{EVIL}"
    return tree


# every so many places, and all of them in the slow tests: reports draw charts
STRIDE = {"result": 5, "run": 24, "checkpoint": 20, "tournament": 19}
COMMANDS: dict[str, list[list[str]]] = {
    "result": [["verify", "{}"], ["board", "check", "{}"], ["results", "share", "{}", "{}-out"]],
    "run": [["report", "{}"], ["results", "marl-eval", "{}", "--out", "{}.json"]],
    "checkpoint": [["evaluate", "{}", "--episodes", "8"], ["play", "ants-v0", "--policy", "{}"]],
    "tournament": [["debate", "score", "{}"], ["debate", "rate", "{}"], ["debate", "replay", "{}"]],
}
FILES = {
    "result": ("result.json", "manifest.json", "scores.json"),
    "run": ("config.json", "run.json"),
    "checkpoint": ("config.json", "manifest.json"),
    "tournament": ("config.json", "run.json"),
}


@pytest.mark.parametrize("kind", COMMANDS)
def test_no_text_of_a_file_forges_a_line(kind: str, tmp_path: Path) -> None:
    walk(kind, tmp_path, STRIDE[kind])


@pytest.mark.slow
@pytest.mark.parametrize("kind", COMMANDS)
def test_no_text_at_all_does(kind: str, tmp_path: Path) -> None:
    walk(kind, tmp_path, 1)


def walk(kind: str, tmp_path: Path, stride: int) -> None:
    """Every command of a kind of folder, with an evil text in every so many places."""
    if kind == "checkpoint":
        pytest.importorskip("torch")
    whole = folders.MAKERS[kind](tmp_path / "whole")
    folder = tmp_path / "f"
    for name in FILES[kind]:
        tree = json.loads((whole / name).read_text("utf-8"))
        for at in list(places(tree))[::stride]:
            for old in (folder, tmp_path / "f-out"):
                shutil.rmtree(old, ignore_errors=True)
            shutil.copytree(whole, folder)
            (folder / name).write_text(json.dumps(with_evil(tree, at)), "utf-8")
            if name != "manifest.json":
                folders.sign(folder)
            for words in COMMANDS[kind]:
                text = said(*(word.format(folder) for word in words))
                assert not forged(text), (name, at, words, text)


NAME = "x\nFORGED\r\x1b[2J\u202e\u2028FORGED"


@pytest.mark.parametrize("kind", COMMANDS)
def test_no_name_of_a_file_or_a_folder_does(kind: str, tmp_path: Path) -> None:
    name = NAME
    if kind == "checkpoint":
        pytest.importorskip("torch")
    whole = folders.MAKERS[kind](tmp_path / "whole")
    below = tmp_path / "received" / name
    shutil.copytree(whole, below)
    commands = COMMANDS[kind] + ([["board", "build", "{}"]] if kind == "result" else [])
    for command in commands:
        for folder in (below, tmp_path / "received"):
            words = [word.format(folder) for word in command]
            if words[1] == "build":
                words += ["--out", str(tmp_path / "b.html")]
            assert not forged(text := said(*words)), (words, text)
    (below / name).write_text("x")
    (below / f"{name}2").symlink_to("nowhere")
    if (below / "manifest.json").is_file():
        write_manifest(below, [one.name for one in below.iterdir() if one.is_file()])
    for command in commands:
        words = [word.format(below) for word in command]
        if words[1] == "build":
            words += ["--out", str(tmp_path / "b.html")]
        assert not forged(text := said(*words)), (words, text)
