"""Ctrl-C ends every command with 130 and one line, whenever it comes, and a folder says so.

The signals are real; each is sent when something is known to be under way, and no test waits for a
clock.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mirrorenv.results.runs.run_folder import RunFolder


def started(*words: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mirrorenv", *words],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def interrupted_once(
    process: subprocess.Popen[str], under_way: Callable[[], bool]
) -> tuple[int, str, str]:
    """Exit code, standard output and error of a process interrupted when it is under way."""
    while not under_way():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=240)
    return process.returncode, out, error


def test_a_tournament_that_is_interrupted_says_so_in_its_folder(tmp_path: Path) -> None:
    from mirrorenv.debate.starter import write_starter

    file = write_starter(tmp_path / "start", "default")
    run = tmp_path / "run"
    words = ["debate", "run", str(file), "--run", str(run), "--fake", "--games", "100000"]
    process = started(*words, "--json", "--quiet", cwd=tmp_path)
    code, out, error = interrupted_once(process, lambda: (run / "calls.jsonl").exists())
    assert code == 130
    assert len(error.splitlines()) == 1 and error.startswith("interrupted; nothing is lost")
    assert f"--run {run}" in error
    assert json.loads(out.splitlines()[-1])["exit_code"] == 130
    folder = RunFolder.open(run)
    assert (folder.status, folder.info["reason"]) == (
        "interrupted",
        "interrupted from the keyboard",
    )


@pytest.mark.ray
def test_a_training_that_is_interrupted_says_so_in_its_folder(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = started("train", "ants-v0", "--run", str(run), "--quiet", cwd=tmp_path)
    code, _, error = interrupted_once(process, lambda: (run / "metrics.jsonl").exists())
    assert code == 130
    assert len(error.splitlines()) == 1 and error.startswith("interrupted. The same command")
    assert "interrupted" in RunFolder.open(run).info["reason"]


@pytest.mark.parametrize(
    "words",
    [
        ("audit", "ants-v0", "--episodes", "1000000"),
        ("check", "ants-v0", "--episodes", "1000000"),
        ("play", "ants-v0", "--episodes", "1000000"),
    ],
    ids=lambda words: words[0],
)
def test_a_command_without_a_folder_ends_alike(words: tuple[str, ...], tmp_path: Path) -> None:
    process = started(*words, "--quiet", cwd=tmp_path)
    loaded = Path(f"/proc/{process.pid}/maps")
    if not loaded.exists():
        process.kill()
        pytest.skip("what a process has loaded is looked up in /proc")
    code, _, error = interrupted_once(process, lambda: "scipy" in loaded.read_text())
    assert (code, error) == (130, "interrupted\n")


def test_a_signal_before_the_command_line_is_read_is_answered(tmp_path: Path) -> None:
    code = """
    import os, signal, sys
    class Impatient:
        def find_spec(self, name, path=None, target=None):
            if name == "mirrorenv.cli.app":
                os.kill(os.getpid(), signal.SIGINT)
    sys.meta_path.insert(0, Impatient())
    sys.argv = ["mirrorenv", "worlds"]
    from mirrorenv.start import main
    main()
    """
    ended = _python(code, tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "interrupted\n")


def test_a_signal_while_a_library_is_loaded_waits_until_it_is(tmp_path: Path) -> None:
    (tmp_path / "torch.py").write_text(
        "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nprint('loaded')\n"
    )
    code = """
    import sys
    sys.path.insert(0, ".")
    from mirrorenv.patient_imports import wait_for_imports
    wait_for_imports()
    wait_for_imports()  # twice is once
    try:
        import torch
    except KeyboardInterrupt:
        print("interrupted")
    """
    ended = _python(code, tmp_path)
    assert ended.stdout.split() == ["loaded", "interrupted"], ended.stderr


def test_a_library_that_is_not_there_is_still_not_there(tmp_path: Path) -> None:
    code = """
    import sys
    from mirrorenv import patient_imports
    patient_imports.LIBRARIES = frozenset({"no_such_library"})
    patient_imports.wait_for_imports()
    try:
        import no_such_library
    except ModuleNotFoundError as error:
        print(error.name)
    """
    assert _python(code, tmp_path).stdout.split() == ["no_such_library"]


def _python(code: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    import textwrap

    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
