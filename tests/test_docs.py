"""The documentation tells the truth: its Python runs, its commands exist, its links lead somewhere.

A block that must not run carries a comment in the line above it: `<!-- not run: why -->`. A block
that needs an extra says `<!-- needs: train -->` and runs where that extra is installed. All other
blocks of a page run in order, as one script. A text block under `<!-- prints -->` must be among
what the script prints.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PAPERS = [
    ROOT / name for name in ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "training/README.md")
]
EXTRAS = {
    "dev": ("mpe2",),
    "train": ("torch", "ray"),
    "sb3": ("torch", "stable_baselines3"),
    "docs": ("sphinx",),
    "llm": ("httpx2", "tenacity"),
}


def _installed(extra: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in EXTRAS[extra])


def page_script(text: str) -> str:
    """The page's Python with every other line blanked, so that a traceback names the line of the
    page."""
    lines = text.splitlines()
    kept = [""] * len(lines)
    fence, keep = "", False
    for number, line in enumerate(lines):
        if not fence and (opening := re.match(r"(`{3,}|:{3,})\s*(\S*)", line)):
            fence = opening[1]
            keep = opening[2] == "python" and _wanted(lines[number - 1] if number else "")
        elif fence and line.rstrip() == fence:
            fence, keep = "", False
        elif keep:
            kept[number] = line
    return "\n".join(kept)


def _wanted(above: str) -> bool:
    if re.match(r"<!-- not run: \S.* -->", above):
        return False
    needs = re.match(r"<!-- needs: (\w+) -->", above)
    return needs is None or _installed(needs[1])


def test_page_script_keeps_lines_and_obeys_markers() -> None:
    text = (
        "a\n```python\nx = 1\n```\n<!-- not run: shown only -->\n```python\ny = 2\n```\n```text\nz "
        "= 3\n```\n"
    )
    assert page_script(text).split("\n") == ["", "", "x = 1", *[""] * (len(text.splitlines()) - 3)]


@pytest.mark.parametrize(
    "page", [p for p in PAGES if "\n```python\n" in p.read_text()], ids=lambda page: page.name
)
def test_python_on_the_page_runs(page: Path, tmp_path: Path) -> None:
    script = page_script(page.read_text())
    path = tmp_path / page.with_suffix(".py").name
    path.write_text(script)
    result = subprocess.run(
        [sys.executable, str(path)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, f"{page.name} (line numbers are the page's):\n{result.stderr}"
    for promised in re.findall(
        r"^<!-- prints -->\n```text\n(.*?)^```", page.read_text(), re.S | re.M
    ):
        assert promised in result.stdout


def _shown_commands(program: str) -> list[tuple[str, list[str]]]:
    """(page, words) of every line in a text or console block that starts with the program."""
    found = []
    for page in [*PAGES, *PAPERS]:
        for block in re.findall(
            r"^```(?:text|console|bash|sh)\n(.*?)^```", page.read_text(), re.S | re.M
        ):
            for line in block.replace("\\\n", " ").splitlines():
                words = line.split("#")[0].removeprefix("$ ").split()
                if words[:1] == [program]:
                    found.append((page.name, words[1:]))
    return found


def test_make_targets_on_the_pages_exist() -> None:
    targets = set(re.findall(r"^([a-z%-]+):.*## ", (ROOT / "Makefile").read_text(), re.M))
    targets |= {
        f"bench-{path.stem.replace('_', '-')}" for path in (ROOT / "benchmarks").glob("*/*.py")
    }
    shown = _shown_commands("make")
    assert ("README.md", ["demo"]) in shown
    assert ("README.md", ["test"]) in shown
    unknown = [(page, words) for page, words in shown if words and words[0] not in targets]
    assert not unknown


def test_commands_on_the_pages_exist_with_their_options() -> None:
    import typer

    from mirrorenv.cli.app import app

    commands = getattr(typer.main.get_command(app), "commands", {})
    shown = _shown_commands("mirrorenv")
    assert shown
    for page, words in shown:
        name = words[0]
        if name.startswith("--"):
            continue
        assert name in commands, f"{page} shows the unknown command 'mirrorenv {name}'"
        command = commands[name]
        if hasattr(command, "commands") and len(words) > 1:  # mirrorenv debate run ...
            assert words[1] in command.commands, (
                f"{page} shows the unknown command 'mirrorenv {name} {words[1]}'"
            )
            command = command.commands[words[1]]
        known = {
            option
            for parameter in command.params
            for option in (*parameter.opts, *parameter.secondary_opts)
        }
        unknown = [
            word
            for word in words
            if word.startswith("--") and word.split("=")[0] not in {*known, "--help"}
        ]
        assert not unknown, f"{page}: mirrorenv {name} has no option {unknown}"


def test_names_on_the_pages_exist() -> None:
    missing = []
    for page in PAGES:
        for name in sorted(
            set(re.findall(r"`(mirrorenv(?:\.\w+)+)(?:\(.*?\))?`", page.read_text()))
        ):
            heavy = name.split(".")[1] in ("population", "rllib")
            if (not heavy or _installed("train")) and not _resolves(name):
                missing.append(f"{page.name}: {name}")
    assert not missing


def _resolves(name: str) -> bool:
    parts = name.split(".")
    for stop in range(len(parts), 0, -1):
        try:
            thing: object = importlib.import_module(".".join(parts[:stop]))
        except ModuleNotFoundError:
            continue
        for part in parts[stop:]:
            if not hasattr(thing, part):
                return False
            thing = getattr(thing, part)
        return True
    return False


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in [*PAGES, *PAPERS, *(ROOT / "docs" / "worlds").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" in target or target.startswith("mailto:"):
                continue
            if not (page.parent / target).resolve().exists():
                broken.append(f"{page.name} -> {target}")
    assert not broken


def test_every_page_is_in_the_table_of_contents() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    missing = [
        page.stem
        for page in PAGES[1:]
        if page.stem != "index" and not re.search(rf"^{page.stem}$", index, re.M)
    ]
    assert not missing


def _script(name: str) -> Any:
    """A script of the docs as a module; the folder is no package."""
    place = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert place is not None
    assert place.loader is not None
    script = importlib.util.module_from_spec(place)
    place.loader.exec_module(script)
    return script


def test_generated_pages_are_what_the_code_says() -> None:
    made = _script("generate").tracked_pages()
    stale = [
        name
        for name, text in made.items()
        if not (ROOT / "docs" / name).is_file() or (ROOT / "docs" / name).read_text("utf-8") != text
    ]
    assert not stale, "run: python docs/generate.py"
    left_over = {path.name for path in (ROOT / "docs" / "worlds").glob("*.md")}
    assert left_over == {Path(name).name for name in made if name.startswith("worlds/")}


def test_every_world_that_acts_in_numbers_has_its_picture() -> None:
    import numpy as np
    from PIL import Image

    gallery = _script("gallery")
    for id in gallery.drawable():
        path = gallery.PICTURES / f"{id.split('/')[-1]}.png"
        assert path.is_file(), "run: python docs/gallery.py"
        assert path.stat().st_size < 20_000
    drawn = gallery.picture("mirrorenv/chain-v0")
    kept = np.asarray(Image.open(gallery.PICTURES / "chain-v0.png").convert("RGB"))
    np.testing.assert_array_equal(drawn, kept, err_msg="run: python docs/gallery.py")


def test_every_world_of_the_package_gets_a_page() -> None:
    import mirrorenv

    pages = _script("generate").world_pages()
    assert pages.keys() == {id for id in mirrorenv.registry() if id.startswith("mirrorenv/")}
    for id, text in pages.items():
        for section in ("## Observation", "## Action", "## Reward", "What carries identity"):
            assert section in text, f"the docstring of {id} lacks '{section}'"


@pytest.mark.parametrize(
    "recipe", sorted((ROOT / "training").glob("*.toml")), ids=lambda recipe: recipe.name
)
def test_recipes_are_valid_settings(recipe: Path) -> None:
    pytest.importorskip("ray", reason="the settings live in the room of RLlib")
    import mirrorenv
    from mirrorenv.rllib.settings import load_settings

    settings = load_settings(files=[recipe])
    mirrorenv.make_batch(settings.world, 2, **settings.world_options)


def test_every_place_where_something_would_go_is_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = page.split("### Where would it go?")[1].split("\n#")[0]
    named = re.findall(r"`([\w/*]+/(?:[\w*]+\.py)?)`", table)
    missing = []
    for place in named:
        homes = (ROOT, ROOT / "mirrorenv")
        if not any(list(home.glob(place.rstrip("/"))) for home in homes):
            missing.append(place)
    assert len(named) >= 20 and not missing
