"""Text from a run folder cannot become markup, turn the reading direction, or stop a drawing."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.plain_text import plain
from mirrorenv.results.report import plots
from mirrorenv.results.report.page import document, paragraph, picture, table
from mirrorenv.results.report.plots import short
from mirrorenv.results.report.report import write_report
from mirrorenv.results.report.templates import text as shown
from mirrorenv.results.runs.run_folder import RunFolder
from tests.results.synthetic import config, score
from tests.results.test_report import OWN_FILES, Page

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": "\"><img src=x onerror=alert(1)> '",
    "style": "</style></title><base href='http://example.org'>",
    "direction": "abc\u202egnp.exe\u2066\u200f",
    "control": "a\x00b\x1b[31mc\x85\u2028",
    "surrogate": "\ud800\udfff",
    "mathtext": "$\\frac{$ $x_$ \\",
    "entity": "&lt;script&gt;",
    "long": "x" * 10_000,
}
TAGS = set(
    re.findall(
        r"\w+",
        "html head meta title style body main header p span h1 h2 h3 strong div ul li dl dt dd "
        "details summary section "
        "figure picture source img figcaption table thead tbody tr th td small footer a code pre",
    )
)


PNG = plots.png(plots.Figure(figsize=(0.1, 0.1)))


def _assert_harmless(text: str) -> Page:
    page = Page(text)
    assert {tag for tag, _ in page.tags} <= TAGS
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") and name != "open"]
        assert all(attributes.get(name, "data:").startswith("data:") for name in ("src", "srcset"))
        assert attributes.get("href", "plots/") in OWN_FILES
    for mark in "\u202e\u2066\u200f\x00\x1b\x85\u2028":
        assert mark not in text
    text.encode("utf-8")
    return page


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_strings_stay_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(plots, "DPI", 40)
    evil = HOSTILE[kind]
    row: dict[str, Any] = {"iteration": 0, "env_steps": 0, "num_agents": 4}
    row["learned"] = {**score(0.5, 4), evil: {"value": 1.0}, "exact": evil}
    row["baselines"] = {evil: score(0.4, 4)}
    row["return"] = {"value": evil, "low": evil}
    run = RunFolder.create(
        tmp_path / "run", {**config(), "world": evil, evil: {evil: [evil]}}, 3, device=evil
    )
    run.log_evaluation(row)
    run.fail(evil)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that the font lacks
        page = _assert_harmless(write_report(run.path).read_text("utf-8"))
    if kind in ("script", "attribute", "entity"):
        assert evil in page.text, "it is shown as it was written"
    if kind == "direction":
        assert "abc\\u{202e}gnp.exe\\u{2066}\\u{200f}" in page.text


def test_the_page_forbids_scripts_and_requests() -> None:
    page = Page(document("title", paragraph("body")))
    policies = [
        attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes
    ]
    assert len(policies) == 1
    assert "default-src 'none'" in policies[0]
    assert "script-src" not in policies[0]


@given(st.text(st.characters()), st.text(st.characters()))
@settings(deadline=None)
def test_any_text_is_harmless_everywhere(one: str, two: str) -> None:
    drawn = picture(one, two, one, PNG, PNG)
    _assert_harmless(document(one, drawn, two, table([one, two], [[one, (two, one)]], two, "wide")))


@given(st.text(st.characters()))
@settings(deadline=None)
def test_escaping_keeps_ordinary_text(text: str) -> None:
    ordinary = "".join(mark for mark in text if mark.isprintable() and mark == plain(mark))
    assert Page(f"<p>{shown(ordinary)}</p>").text == (
        ordinary if len(ordinary) <= 400 else ordinary[:399] + "…"
    )


@given(st.text(st.characters()), st.integers(3, 40))
@settings(deadline=None)
def test_names_in_pictures_are_short_and_printable(text: str, most: int) -> None:
    found = short(text, most)
    assert len(found) <= most
    assert all(mark.isprintable() or mark.isspace() for mark in found)
