"""Whatever comes through a door, the answer is an error that the package means to say, or none."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rich.console import Console

from mirrorenv.entry import _said
from mirrorenv.results.runs.limits import at_most
from tests.fuzz import folder_doors, word_doors  # noqa: F401
from tests.fuzz.doors import DOORS
from tests.fuzz.lines import LINES

CASES = 10_000
"""Of the slow test, all doors together."""
FEW = 4
"""At each door, in the default tests."""
SLOW = {"the report of a run": 30, "mirrorenv play to": 30, "mirrorenv play at": 30}
"""Doors that draw pictures, and how many cases they get of the many."""
LINE = 60
"""Cases of each other command line; parsers and folders share the rest."""


def cases_of(name: str) -> int:
    """How many of all cases a door gets."""
    if name in SLOW or name.startswith("mirrorenv "):
        return SLOW.get(name, LINE)
    others = [one for one in DOORS if one not in SLOW and not one.startswith("mirrorenv ")]
    taken = sum(cases_of(one) for one in DOORS if one not in others)
    return -(-(CASES - taken) // len(others))


def is_typed(error: BaseException) -> bool:
    """Whether a command would say it in one line and not in a traceback."""
    if isinstance(error, SystemExit):
        return True
    return isinstance(error, Exception) and _said(error, Console(file=io.StringIO())) is not None


def try_door(name: str, place: Path, cases: int) -> None:
    place.mkdir(parents=True, exist_ok=True)
    home = os.getcwd()

    @settings(
        max_examples=cases,
        derandomize=True,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def tried(data: st.DataObject) -> None:
        try:
            os.chdir(place)
            with at_most(2048):
                DOORS[name](place, data.draw)
        except BaseException as error:
            if type(error).__module__.startswith("hypothesis") or isinstance(
                error, KeyboardInterrupt
            ):
                raise
            if not is_typed(error):
                raise
        finally:
            os.chdir(home)

    tried()


def needs(name: str) -> None:
    """Skip a door whose libraries are not installed."""
    if "Parquet" in name:
        pytest.importorskip("pyarrow")
    if "server" in name:
        pytest.importorskip("httpx2")
    if any(word in name for word in ("checkpoint", "weights", "training", "evaluate", "policy")):
        pytest.importorskip("torch")
    if "prefer" in name or "self versus" in name or "pairs" in name:
        pytest.importorskip("trl")


@pytest.mark.parametrize("name", DOORS)
def test_a_few_cases_at_every_door(name: str, tmp_path: Path) -> None:
    needs(name)
    try_door(name, tmp_path / "work", FEW)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", DOORS)
def test_many_cases_at_every_door(name: str, tmp_path: Path) -> None:
    needs(name)
    try_door(name, tmp_path / "work", cases_of(name))


def test_there_are_more_doors_than_were_asked_for() -> None:
    assert len(DOORS) >= 29
    assert sum(map(cases_of, DOORS)) >= CASES


def test_every_command_is_a_door() -> None:
    from typer.main import get_command

    from mirrorenv.cli.app import app

    found = set()
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        below = getattr(command, "commands", None)
        found |= {f"{name} {one}" for one in below} if below else {name}
    # what takes nothing from outside, or waits for ever, or loads a language model
    apart = {"version", "debate demo", "debate serve", "prefer demo"}
    tried = {name for name in LINES if LINES[name][0] != name.split()[0]}
    assert found - apart == tried


@pytest.mark.parametrize("words", [["worlds"], ["verify", "x"], ["train", "ants"], ["report", "."]])
def test_a_removed_working_folder_is_answered(words: list[str], tmp_path: Path) -> None:
    import subprocess

    gone = tmp_path / "gone"
    root = Path(__file__).resolve().parents[2]
    begin = (
        f"import os, sys; os.mkdir({str(gone)!r}); os.chdir({str(gone)!r}); "
        f"os.rmdir({str(gone)!r}); sys.path[0] = {str(root)!r}; "
        f"sys.argv = ['mirrorenv', *{words!r}]; from mirrorenv.cli.app import main; main()"
    )
    ran = subprocess.run([sys.executable, "-c", begin], capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 1, 2) and "Traceback" not in ran.stderr, ran.stderr
