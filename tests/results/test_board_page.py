"""Names from results cannot act on the leaderboard; where there is a Chromium, its buttons work and
axe is content."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from mirrorenv.results.board.board import collect
from mirrorenv.results.board.page import board_page
from mirrorenv.results.board.text import markdown
from tests.results.browser import ask, axe_source, chromium, faults
from tests.results.results_of_ants import table_folder
from tests.results.test_hostile_page import HOSTILE
from tests.results.test_report import Page

TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body main header p h1 h2 div label select option input button "
        "section table thead "
        "tbody tr th td small span a pre code footer script details summary dl dt dd",
    )
)
MARKDOWN = {
    "picture": "![x](http://example.org/p.png)",
    "link": "[x](javascript:alert(1))",
    "cell": "a | b | c",
    "code": "`x` *y* _z_ ~w~ # h",
    "formula": '=HYPERLINK("http://example.org")',
}
EVIL = {**HOSTILE, **MARKDOWN}

needs_chromium = pytest.mark.skipif(
    chromium() is None, reason="no Chromium on the path, and CHROMIUM names none"
)
needs_axe = pytest.mark.skipif(
    chromium() is None or axe_source() is None, reason="AXE_CORE names no axe-core"
)


def page_of(folder, evil="plain", links=None):
    """A page with that name everywhere a result may put one."""
    values = {f"{evil}"[:120]: {0: [1.0], 1: [2.0]}, "other": {0: [7.0], 1: [7.5]}}
    table_folder(folder / "result", values, world=evil[:120], reference=3.0, links=links or {})
    out = folder / "board.html"
    sections = collect([folder / "result"])
    out.write_text(board_page(sections, out), "utf-8")
    return out, markdown(sections, folder / "board.md")


# which no result.json can hold
@pytest.mark.parametrize("kind", [kind for kind in EVIL if kind != "surrogate"])
def test_hostile_names_stay_text(tmp_path, kind):
    evil = EVIL[kind]
    links = {evil[:40]: f"https://example.org/{evil[:100]}", "bad": evil[:100]}
    out, _ = page_of(tmp_path, evil, links)
    text = out.read_text("utf-8")
    page = Page(text)
    assert {tag for tag, _ in page.tags} <= TAGS
    for tag, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("href", "https://example.org/").startswith("https://example.org/"), (
            tag
        )
        assert "src" not in attributes
    assert len(re.findall(r"<script", text)) == 2, "the data and the page's own"
    for mark in "\u202e\u2066\u200f\x00\x1b\x85\u2028":
        assert mark not in text


@pytest.mark.parametrize("kind", MARKDOWN)
def test_hostile_names_stay_text_in_markdown(tmp_path, kind):
    _, text = page_of(tmp_path, MARKDOWN[kind])
    row = next(line for line in text.splitlines() if "| other" in line)
    heads = next(line for line in text.splitlines() if line.startswith("| condition"))
    bars = [len(re.findall(r"(?<!\\)\|", line)) for line in (row, heads)]
    assert bars[0] == bars[1], "no further cell"
    assert not re.search(r"(?<!\\)[\[`*~]x|(?<!\\)!\[", text)


def test_only_the_scripts_own_hash_may_run(tmp_path):
    text = page_of(tmp_path)[0].read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    assert "default-src 'none'" in policy[1] and "unsafe-inline'; base" in policy[1]
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/]{43}='$", policy[1])


@needs_chromium
def test_hostile_names_do_not_act_in_a_browser(tmp_path):
    out, _ = page_of(tmp_path, HOSTILE["attribute"] + HOSTILE["script"])
    found = ask(
        out,
        "return { title: document.title, images: document.images.length, rows: table0.rows.length "
        "};",
    )
    assert found == {"title": "Leaderboard", "images": 0, "rows": 3}


@needs_chromium
def test_sorting_filtering_and_downloading_work(tmp_path):
    out, _ = page_of(tmp_path, MARKDOWN["formula"])
    found = ask(
        out,
        """
        const cells = () => [...document.querySelectorAll('#body0 tr td:nth-child(3)')];
        const names = () => cells().map(td => parseFloat(td.textContent));
        const saved = {};
        window.Blob = class { constructor(parts) { saved.text = parts.join(''); } };
        URL.createObjectURL = () => '#';
        HTMLAnchorElement.prototype.click = function () { saved.name = this.download; };
        const head = document.querySelectorAll('#table0 thead th')[2];
        const told = { start: names() };
        head.firstElementChild.click(); told.down = names();
        told.said = head.getAttribute('aria-sort');
        head.firstElementChild.click(); told.up = names();
        search.value = 'OTHER'; search.dispatchEvent(new Event('input')); told.searched = names();
        told.status = document.getElementById('status').textContent;
        const asked = (words) => {
          search.value = words; search.dispatchEvent(new Event('input')); return names();
        };
        told.agents = asked('SIMULATED'); told.title = asked('outside of suites');
        told.nothing = asked('zzz'); told.hidden = document.querySelector('section').hidden;
        search.value = ''; search.dispatchEvent(new Event('input'));
        document.getElementById('csv').click(); told.csv = saved.text; told.csvName = saved.name;
        document.getElementById('json').click(); told.json = saved.text;
        return told;
        """,
    )
    assert (found["start"], found["down"], found["up"]) == ([7.25, 1.5], [7.25, 1.5], [1.5, 7.25])
    assert (
        found["said"] == "descending"
        and found["searched"] == [7.25]
        and found["status"] == "1 of 2 lines"
    )
    rows = list(csv.DictReader(io.StringIO(found["csv"])))
    assert found["csvName"] == "board.csv" and len(rows) == 2
    assert all(
        not row[name].startswith(("=", "+", "@")) for row in rows for name in ("world", "condition")
    )
    assert (found["agents"], found["title"], found["nothing"]) == (
        [1.5, 7.25],
        [1.5, 7.25],
        [],
    ) and found["hidden"]
    held = json.loads(found["json"])
    assert [row["value"] for row in held] == [1.5, 7.25], "in the order that was chosen"
    assert {row["interval_over"] for row in held} == {"seeds"}
    assert all(row["low"] < row["value"] < row["high"] and row["reference"] == 3.0 for row in held)


@needs_axe
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1280])
def test_axe_finds_no_serious_fault(tmp_path, dark, width):
    out, _ = page_of(tmp_path, "a plain name", {"report": "https://example.org/report.html"})
    assert faults(out, width=width, dark=dark) == []
