"""Templates of pages escape whatever is put into them, ship with the package, and are all used."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError

from mirrorenv.results.report.templates import Html, render

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = sorted((ROOT / "mirrorenv").rglob("templates/*.html"))
PACKAGE = "mirrorenv.results.report"


@pytest.mark.parametrize(
    "path", TEMPLATES, ids=lambda path: f"{path.parent.parent.name}/{path.name}"
)
def test_no_template_switches_escaping_off(path: Path) -> None:
    text = path.read_text("utf-8")
    text = text.replace("<script>{{ script }}", "")  # of ours: the policy names its hash
    text = text.replace('<script type="application/json" id="data">{{ data | tojson }}', "")
    assert not re.search(r"\|\s*safe|autoescape|Markup|<script", text)
    for attribute in re.findall(r"=\s*(\S*\{\{)", text):
        assert attribute.startswith('"'), "what is put into an attribute stands in quotes"


@pytest.mark.parametrize(
    "path", TEMPLATES, ids=lambda path: f"{path.parent.parent.name}/{path.name}"
)
def test_every_template_is_used_and_in_the_wheel(path: Path) -> None:
    package = ".".join(path.parent.parent.relative_to(ROOT).parts)
    room = path.parent.parent
    sources = [*room.glob("*.py"), *(ROOT / "mirrorenv" / "preference").glob("*.py")]
    assert any(f'"{path.name}"' in source.read_text("utf-8") for source in sources), package
    shipped = {one.distribution_path for one in WheelBuilder(str(ROOT)).recurse_included_files()}
    assert str(path.relative_to(ROOT)) in shipped


@given(st.text(st.characters()))
def test_any_text_stays_text(text: str) -> None:
    found = str(render(PACKAGE, "section.html", heading=text, lead=text, parts=[text]))
    found = found.replace("<section><h2>", "").replace('</h2><p class="lead">', "")
    found = found.replace("</p>", "").replace("</h2>", "").replace("</section>", "")
    assert not re.search(r"[<>\"'\u202e\u200b\x00]", found)


def test_html_of_ours_is_taken_as_it_is_and_text_is_not() -> None:
    found = render(PACKAGE, "section.html", heading="<b>", lead="", parts=[Html("<b>x</b>")])
    assert found == "<section><h2>&lt;b&gt;</h2><b>x</b></section>"


def test_a_name_that_was_forgotten_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="parts"):
        render(PACKAGE, "section.html", heading="x", lead="")


PAGES = sorted(
    path
    for path in (ROOT / "mirrorenv").rglob("*.py")
    if re.search(r"results\.report\.(page|templates) import", path.read_text("utf-8"))
)
MAKERS = {"page.py", "templates.py"}
"""They alone take text as HTML: pictures, the style sheet and the script, which are ours."""


def test_all_pages_are_looked_at() -> None:
    rooms = {path.parent.relative_to(ROOT).as_posix() for path in PAGES}
    expected = {"mirrorenv/results/report", "mirrorenv/results/board", "mirrorenv/preference"}
    assert {*expected, "mirrorenv/debate/output"} <= rooms


@pytest.mark.parametrize("path", PAGES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_page_takes_text_as_html_or_writes_tags_by_hand(path: Path) -> None:
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            by_hand = node.func.id in ("Html", "Markup") and node.args
            assert not by_hand or path.name in MAKERS, f"line {node.lineno}: text taken as HTML"
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            assert not re.search(r"</?[a-z]+[0-9]?( [^>]*)?>", node.value), f"line {node.lineno}"
