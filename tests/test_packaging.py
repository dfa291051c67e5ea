"""The papers of the package agree: what pyproject asks for, what constraints.txt pins, what the
changelog names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml
from hatchling.builders.plugin.interface import BuilderInterface
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import mirrorenv

ROOT = Path(__file__).resolve().parents[1]


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    assert all(len(pair) == 2 for pair in pairs), (
        "constraints.txt pins exactly, one `name==version` a line"
    )
    return {canonicalize_name(name): version for name, version in pairs}


def test_every_requirement_is_pinned_within_its_bounds() -> None:
    project, pins = _project(), _pins()
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    asked += [
        line for lines in project["project"]["optional-dependencies"].values() for line in lines
    ]
    wrong = []
    for requirement in map(Requirement, asked):
        pin = pins.get(canonicalize_name(requirement.name))
        if requirement.name != "mirrorenv" and (
            pin is None or not requirement.specifier.contains(pin)
        ):
            wrong.append(f"{requirement} is pinned to {pin}")
    assert not wrong


def test_pins_name_no_build_and_no_place() -> None:
    assert not [
        f"{name}=={version}" for name, version in _pins().items() if re.search(r"[+/@:]", version)
    ]


def test_the_base_install_asks_for_nothing_heavy() -> None:
    base = {
        canonicalize_name(Requirement(line).name) for line in _project()["project"]["dependencies"]
    }
    assert not base & {
        "torch",
        "ray",
        "safetensors",
        "tensorboard",
        "stable-baselines3",
        "openai",
        "trl",
        "transformers",
    }


def test_the_extra_all_is_all_of_them() -> None:
    extras = _project()["project"]["optional-dependencies"]
    (whole,) = extras["all"]
    apart = {"inspect"}  # its releases bound fsspec below the one that is pinned
    assert Requirement(whole).extras == extras.keys() - {"all"} - apart


def test_the_page_on_installing_names_every_extra() -> None:
    (sentence,) = re.findall(
        r"The extras are ([^.]*)\.", (ROOT / "docs" / "getting-started.md").read_text()
    )
    assert (
        set(re.findall(r"`(\w+)`", sentence))
        == _project()["project"]["optional-dependencies"].keys()
    )


def test_changelog_and_citation_name_this_version() -> None:
    assert f"## [{mirrorenv.__version__}]" in (ROOT / "CHANGELOG.md").read_text()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["version"] == mirrorenv.__version__
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()


def _packed(builder: type[BuilderInterface]) -> set[str]:  # type: ignore[type-arg]
    """Paths of the files that go into a wheel or an sdist."""
    return {file.distribution_path for file in builder(str(ROOT)).recurse_included_files()}


def _stubs() -> set[str]:
    found = (ROOT / "mirrorenv").rglob("*.pyi")
    return {path.relative_to(ROOT).as_posix() for path in found}


def test_the_wheel_brings_every_stub_and_nothing_but_the_package() -> None:
    packed = _packed(WheelBuilder)
    assert {"mirrorenv/py.typed", *_stubs()} <= packed
    assert not [path for path in packed if not path.startswith("mirrorenv/")]


def test_the_wheel_holds_no_laboratory_that_crashes_ourselves() -> None:
    packed = _packed(WheelBuilder)
    assert "mirrorenv/testing/flawless.py" in packed
    assert not [
        path for path in packed if re.search(r"kills|trouble|run_faults|debate/testing", path)
    ]


def test_the_sdist_holds_what_its_tests_need() -> None:
    packed = _packed(SdistBuilder)
    assert _stubs() <= packed
    assert {"tests/faults/table.py", "benchmarks/proofs/fault_table.py", "Makefile"} <= packed


def test_no_install_line_asks_an_index_for_this_package() -> None:
    """It is on none: who registers the name there would be installed instead."""
    extras = _project()["project"]["optional-dependencies"]
    from_an_index = re.compile(r"(?<!\./)mirrorenv\[|pip install (-\S+ )*mirrorenv\b")
    wrong = []
    for path in _texts():
        text = path.read_text("utf-8")
        asked = [
            name for names in re.findall(r"'\.\[([\w,]+)\]'", text) for name in names.split(",")
        ]
        unknown = [name for name in asked if name not in extras]
        if unknown or from_an_index.search(text):
            wrong.append(f"{path.relative_to(ROOT)} {unknown}")
    assert not wrong


def _texts() -> list[Path]:
    """Everything that tells somebody what to type; the changelog says what was typed once."""
    folders = ("mirrorenv", "docs", "agents", "training", "benchmarks", "tests")
    endings = (".py", ".md", ".toml", ".yaml")
    found = [path for name in folders for path in (ROOT / name).rglob("*")]
    found += [ROOT / "Makefile", *ROOT.glob("*.md")]
    skipped = {ROOT / "CHANGELOG.md", Path(__file__)}
    return [
        path
        for path in found
        if path.name == "Makefile" or (path.suffix in endings and path not in skipped)
    ]
