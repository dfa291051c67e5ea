"""The facades tell the truth: each name they list is there, and a type checker sees its type."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from mirrorenv.lazy import read_stub

ROOT = Path(__file__).resolve().parents[2]
WRONG = Path(__file__).with_name("wrong_calls.py")
STUBS = sorted((ROOT / "mirrorenv").rglob("__init__.pyi"))
ROOMS = ("mirror", "envs", "results", "population", "rllib", "sb3", "llm", "debate", "preference")


def _package(stub: Path) -> str:
    return ".".join(stub.parent.relative_to(ROOT).parts)


@pytest.fixture(scope="module")
def said_by_mypy(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What strict mypy says, with the settings of the project, of the wrong calls and of a file
    that asks for the type of every public name: one run, since most of it is reading libraries."""
    file = tmp_path_factory.mktemp("names") / "reveal.py"
    lines = ["import mirrorenv", *(f"reveal_type({name})" for name in _public_names())]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-color-output", str(WRONG), str(file)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode in (0, 1), ran.stdout + ran.stderr
    return ran.stdout


def _public_names() -> list[str]:
    names = []
    for package in ("mirrorenv", *(f"mirrorenv.{room}" for room in ROOMS)):
        names += [f"{package}.{name}" for name in import_module(package).__all__]
    return names


@pytest.mark.parametrize("stub", STUBS, ids=_package)
def test_every_name_of_a_stub_is_there_and_listed(stub: Path) -> None:
    package = import_module(_package(stub))
    homes = read_stub(stub)
    assert sorted(homes) == dir(package) == list(package.__all__)
    for name, home in homes.items():
        if home == package.__name__:
            assert getattr(package, name) is import_module(f"{home}.{name}")
        else:
            assert getattr(package, name) is getattr(import_module(home), name)


@pytest.mark.parametrize("stub", STUBS, ids=_package)
def test_a_facade_takes_its_names_from_where_they_are_public(stub: Path) -> None:
    for name, home in read_stub(stub).items():
        if home != _package(stub):
            assert name in import_module(home).__all__, f"{home}.{name} is not public there"


@pytest.mark.parametrize("stub", STUBS, ids=_package)
def test_a_stub_holds_nothing_that_the_package_does_not_answer(stub: Path) -> None:
    package = import_module(_package(stub))
    for node in ast.parse(stub.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            assert all(alias.name == alias.asname for alias in node.names), ast.unparse(node)
        else:
            assert isinstance(node, ast.AnnAssign), ast.unparse(node)
            assert hasattr(package, ast.unparse(node.target))


def test_rooms_are_there_after_importing_the_package_alone() -> None:
    script = f"import mirrorenv\nfor room in {ROOMS}: assert getattr(mirrorenv, room).__all__, room"
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)


def test_a_name_that_is_not_there_is_said_to_be_missing() -> None:
    with pytest.raises(AttributeError, match=r"'mirrorenv\.results' has no attribute 'nothing'"):
        _ = import_module("mirrorenv.results").nothing


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("mirror.masked_law", "masked_policy"),
        ("mirror.noisy_law", "noisy_policy"),
        ("preference.Voices", "VoicePopulation"),
        ("results.summarise", "over_seeds"),
        ("results.paired", "compare_with"),
        ("results.format_table", "over_seeds"),
    ],
)
def test_a_name_of_earlier_versions_is_answered_with_todays(old: str, new: str) -> None:
    room, name = old.split(".")
    with pytest.raises(AttributeError, match=new):
        getattr(import_module(f"mirrorenv.{room}"), name)


@pytest.mark.timeout(900)
def test_every_wrong_call_is_an_error_for_mypy(said_by_mypy: str) -> None:
    (wrong,) = [n for n in ast.parse(WRONG.read_text()).body if isinstance(n, ast.FunctionDef)]
    calls = {statement.lineno for statement in wrong.body[1:]}
    said = {int(line) for line in re.findall(r"wrong_calls\.py:(\d+): error:", said_by_mypy)}
    assert said == calls, f"not seen by mypy: {sorted(calls - said)}"


@pytest.mark.timeout(900)
def test_no_public_name_is_any_for_mypy(said_by_mypy: str) -> None:
    names = _public_names()
    revealed = re.findall(r'Revealed type is "(.*)"', said_by_mypy)
    assert len(revealed) == len(names)
    untyped = [name for name, kind in zip(names, revealed, strict=True) if kind == "Any"]
    assert not untyped
