"""Text from outside reaches a terminal as text."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.table import Table

from mirrorenv.cli.app import main
from mirrorenv.errors import MirrorError, disk_problem
from mirrorenv.plain_text import one_line, plain
from mirrorenv.terminal import PlainConsole
from tests.results.results_of_ants import population_folder

HOSTILE = "\x1b]0;mine\x07\x1b[2J [bold]name[/] \u202etxt\x9b1m"


def printed(thing: object, **options: object) -> str:
    stream = io.StringIO()
    PlainConsole(file=stream, force_terminal=True, width=200, **options).print(thing)
    return stream.getvalue()


def table() -> Table:
    shown = Table("name")
    shown.add_row(HOSTILE)
    return shown


@pytest.mark.parametrize("thing", [HOSTILE, table()], ids=["text", "table"])
def test_a_console_shows_controls_and_brackets_and_obeys_none(thing: object) -> None:
    text = printed(thing)
    assert "\x1b]0;" not in text and "\x1b[2J" not in text and "\u202e" not in text
    assert "\x07" not in text and "\x9b" not in text
    assert "\\u{001b}" in text and "[bold]name[/]" in text


def test_what_the_console_itself_does_is_left_alone() -> None:
    stream = io.StringIO()
    PlainConsole(file=stream, force_terminal=True).print("red", style="bold red")
    assert stream.getvalue().startswith("\x1b[1;31m")


def test_a_title_is_one_line() -> None:
    forged = "fine\n  true         the evidence was checked\r\x1b[A"
    assert "\n" not in one_line(forged) and "\x1b" not in one_line(forged)
    assert len(one_line("x" * 10_000)) == 400
    assert plain("lines\nand\ttabs stay") == "lines\nand\ttabs stay"


def test_the_title_of_a_result_forges_no_line_of_verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    title = "ants\n  true         the evidence was checked against the weights\x1b[2J"
    folder = population_folder(tmp_path / "result", title=title, form="npz")
    monkeypatch.setattr(sys, "argv", ["mirrorenv", "verify", str(folder)])
    with pytest.raises(SystemExit):
        main()
    said = capsys.readouterr().err
    assert "\x1b" not in said
    assert not [line for line in said.splitlines() if line.startswith("  true         the evi")]


def test_a_line_break_in_an_error_looks_like_no_line_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = tmp_path / "no\n  true         8 files match the manifest\x1b[2J"
    monkeypatch.setattr(sys, "argv", ["mirrorenv", "verify", str(name), "--json"])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 1
    assert "\x1b" not in said.err and "\n  true" not in said.err
    assert json.loads(said.out.splitlines()[-1])["kind"] == "ResultError"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_that_lacks_a_character_shows_its_code(encoding: str, tmp_path: Path) -> None:
    script = "import sys; from mirrorenv.cli.app import main; main()"
    for words in (["worlds"], ["verify", str(tmp_path / "\u2713 none")], ["train", "-h"]):
        ran = subprocess.run(
            [sys.executable, "-c", script, *words],
            env={"PYTHONIOENCODING": encoding, "PATH": "", "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert b"Traceback" not in ran.stderr, ran.stderr


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (FileNotFoundError(2, "No such file or directory", "home"), 1, "check that it exists"),
        (OSError(28, "No space left on device", "x.bin"), 1, "free some space"),
        (OSError(36, "File name too long", "n" * 300), 1, "shorter name"),
        (NotADirectoryError(20, "Not a directory", "file/x"), 1, "file stands where a folder"),
        (OSError("strange"), 1, "strange"),
        (MemoryError(), 1, "not enough memory"),
        (RecursionError("deep"), 1, "nested too deeply"),
        (MirrorError("ours"), 1, "ours"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda x: type(x).__name__ if isinstance(x, BaseException) else "",
)
def test_what_a_command_meets_is_one_line_and_a_code(
    error: BaseException,
    code: int,
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from mirrorenv.entry import run_command

    def app(**_: object) -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["mirrorenv", "--json"])
    monkeypatch.setattr("mirrorenv.entry._leave_at_once", lambda code: None)
    with pytest.raises(SystemExit) as ended:
        run_command(app, PlainConsole(stderr=True))
    said = capsys.readouterr()
    assert ended.value.code == code
    assert says in said.err and len(said.err.splitlines()) == 1
    if code == 1:
        assert says in json.loads(said.out)["error"]


def test_a_fault_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    from mirrorenv.entry import run_command

    def app(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "argv", ["mirrorenv"])
    with pytest.raises(ZeroDivisionError):
        run_command(app, PlainConsole(stderr=True))


def test_another_process_is_not_told_to_free_space() -> None:
    assert "space" not in disk_problem(FileNotFoundError(2, "No such file", "x"))


PRINTS = {
    "a warning": "import logging; logging.getLogger('mirrorenv').warning('%s', name)",
    "wrong usage": "sys.argv = ['mirrorenv', 'verify', 'a', name]; main()",
    "an unknown option": "sys.argv = ['mirrorenv', 'verify', '--' + name]; main()",
    "an unknown command": "sys.argv = ['mirrorenv', name]; main()",
    "a path": "sys.argv = ['mirrorenv', 'report', name]; main()",
    "a world": "sys.argv = ['mirrorenv', 'play', name]; main()",
    "a setting": "sys.argv = ['mirrorenv', 'train', 'ants-v0', '--set', 'a=' + name]; main()",
}


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal is Unix's")
@pytest.mark.parametrize("what", PRINTS)
def test_no_way_of_printing_obeys_a_name(what: str, tmp_path: Path) -> None:
    import os
    import pty

    begin = (
        "import sys; from pathlib import Path; from mirrorenv.cli.app import main; "
        "from mirrorenv.terminal import plain_logs; plain_logs(); "
        "name = 'x\x1b]0;mine\x07\x1b[2J\x9b1m'\n"
    )
    outer, inner = pty.openpty()
    ran = subprocess.Popen(
        [sys.executable, "-c", begin + PRINTS[what]], stdout=inner, stderr=inner, cwd=tmp_path
    )
    os.close(inner)
    heard = b""
    try:
        while part := os.read(outer, 1 << 16):
            heard += part
    except OSError:  # the other side is closed
        pass
    ran.wait()
    os.close(outer)
    assert b"mine" in heard, heard
    assert b"\x1b]0;" not in heard and b"\x1b[2J" not in heard and b"\x07" not in heard, heard
    assert "\x9b".encode() not in heard
