"""Streams that know few characters, and names that look like markup: everything is printed as it
is, or by its code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

NAME = "[bold]r[/] é"
COMMANDS = [
    ("settings", "train"),
    ("worlds",),
    ("worlds", "ants-v0"),
    ("check", "ants-v0", "--episodes", "1"),
    ("audit", "identity-v0", "--episodes", "64"),
    ("play", "ants-v0", "--gif", f"{NAME}.gif"),
    ("debate", "init", NAME),
    ("debate", "plan", f"{NAME}/tournament.toml"),
    ("debate", "run", f"{NAME}/tournament.toml", "--games", "2", "--run", f"{NAME}/run", "--fake"),
    ("debate", "score", f"{NAME}/run"),
    ("report", f"{NAME}/run"),
    ("results", "export", f"{NAME}/run"),
    ("verify", f"{NAME}/run/result"),
    ("board", "build", f"{NAME}/run/result", "--out", f"{NAME}.html"),
]
MISTAKES = [
    ("train", NAME),
    ("train", f"{NAME}:x"),
    ("train", "ants-v0", "--set", f"{NAME}=1"),
    ("train", "ants-v0", "--config", NAME),
    ("report", f"{NAME}/none"),
    ("check", "ants-v0", f"--{NAME}"),
]


def run(folder: Path, encoding: str, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "mirrorenv", *words],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=240,
        env={
            **os.environ,
            "PYTHONIOENCODING": encoding,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "COLUMNS": "200",
        },
    )
    return done.returncode, (done.stdout + done.stderr).decode(encoding)  # nothing else is in it


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_every_command_prints_to_a_poor_stream(encoding: str, tmp_path: Path) -> None:
    for words in COMMANDS if encoding == "ascii" else COMMANDS[5:9]:
        code, said = run(tmp_path, encoding, *words)
        assert "Traceback" not in said, (words, said)
        assert "EncodeError" not in said, (words, said)
        assert code == 0, (words, said)
        if NAME in words[-1] and words[0] in ("play", "report", "board"):
            assert "[bold]r[/] " in said, (words, said)


@pytest.mark.parametrize("words", MISTAKES, ids=lambda words: words[0])
def test_a_name_that_looks_like_markup_stands_in_the_message(
    words: tuple[str, ...], tmp_path: Path
) -> None:
    code, said = run(tmp_path, "ascii", *words)
    assert code in (1, 2), said
    assert "Traceback" not in said, said
    assert "[bold]r" in said, said
