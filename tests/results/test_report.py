"""The report is one page that says what the data say, also when most of them are missing."""

from __future__ import annotations

import base64
import copy
import math
import re
import warnings
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mirrorenv.errors import RunFolderError
from mirrorenv.results.report import plots, themes
from mirrorenv.results.report.charts import CHARTS
from mirrorenv.results.report.report import write_report
from mirrorenv.results.report.sections import row_by_row, score_table, tiles
from mirrorenv.results.report.shown import TIMES
from mirrorenv.results.report.words import headline, percent, plain
from mirrorenv.results.runs.record import RunRecord
from mirrorenv.results.runs.run_folder import RunFolder
from tests.results.synthetic import (
    SCORE_FIELDS,
    config,
    estimate,
    evaluation,
    make_run,
    metrics_row,
    score,
)

VOID = {"meta", "img", "source", "br", "wbr", "hr", "link", "input"}
# of a run without auxiliaries, whose charts are left out then
AUXILIARIES = {"auxiliaries", "auxiliary_gradients"}
PICTURES = {name for entries in CHARTS.values() for name, _, _ in entries} - AUXILIARIES


OWN_FILES = {"config.json", "evaluations.jsonl", "metrics.jsonl", "plots/"} | {
    f"episodes/{time}.gif" for time in TIMES
}


@pytest.fixture(autouse=True)
def _coarse_pictures(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(plots, "DPI", 40)
    yield


class Page(HTMLParser):
    """A page taken apart: balanced tags, attributes, visible text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> was never opened"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data.replace("\N{NO-BREAK SPACE}", " ")


def _page(path: Path) -> Page:
    return Page(path.read_text("utf-8"))


def _run(path: Path, rows: list[dict[str, Any]], **settings: Any) -> RunFolder:
    run = RunFolder.create(path, {**config(), **settings}, 3)
    for row in rows:
        run.log_evaluation(row)
    return run


def test_a_whole_run_gives_a_whole_page(tmp_path: Path) -> None:
    make_run(tmp_path / "run")
    make_run(tmp_path / "zero", weight=0.0, final=0.4)
    path = write_report(tmp_path / "run", tmp_path / "zero")
    source, page = path.read_text("utf-8"), _page(path)

    assert path == tmp_path / "run" / "report.html"
    assert {picture.stem for picture in (tmp_path / "run" / "plots").glob("*.png")} == PICTURES
    assert "Missing or to keep in mind" not in page.text
    assert (
        "After 150,000 environment steps, an agent's trajectory is attributed to its author 95 % "
        "of the time" in page.text
    )
    assert "(95 % interval 92 to 97 %; chance 25 %)" in page.text
    assert "Without the mirror reward it is 42 % (39 to 44 %) after 150,000 steps." in page.text
    assert len([tag for tag, _ in page.tags if tag == "h1"]) == 1

    pictures = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == len(PICTURES)
    assert all(len(attributes["alt"]) > 40 for attributes in pictures)
    assert sum(tag == "source" for tag, _ in page.tags) == len(PICTURES), (
        "each picture also has a dark form"
    )
    for _, attributes in page.tags:
        for name in ("src", "srcset", "data", "action", "poster", "background"):
            assert attributes.get(name, "data:").startswith("data:"), "nothing is fetched"
        assert attributes.get("href", "config.json") in OWN_FILES, "links stay in the folder"
    assert not re.search(r"https?://|url\(|@import|<script|<link|<iframe|javascript:", source)
    embedded = base64.b64decode(pictures[0]["src"].removeprefix("data:image/png;base64,"))
    assert embedded == (tmp_path / "run" / "plots" / "recognition.png").read_bytes()
    assert Image.open(BytesIO(embedded)).size[0] == 172
    assert "prefers-color-scheme: dark" in source
    assert 'name="viewport"' in source


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "There are no evaluations"),
        ([evaluation(0, 5)], "There is one evaluation only"),
        (
            [{"iteration": 9, "env_steps": 9, "learned": score(0.5, 4)}],
            "The evaluations hold no figures of the exact limit",
        ),
        (
            [{"iteration": 9, "env_steps": 9, "limit": score(0.5, 4)}],
            "There is no evaluation before training",
        ),
        ([{"iteration": 0, "env_steps": 0}], "the evaluation holds no recognition figure"),
        (
            [dict.fromkeys(evaluation(0, 5)) | {"iteration": 1, "env_steps": 9}],
            "do not say how many agents",
        ),
    ],
    ids=["none", "before training", "learned only", "limit only", "empty", "nulls"],
)
def test_what_is_missing_is_said(tmp_path: Path, rows: list[dict[str, Any]], said: str) -> None:
    _run(tmp_path / "run", rows)
    page = _page(write_report(tmp_path / "run"))
    assert said in page.text
    assert "Training had not finished" in page.text
    assert "There are no training metrics" in page.text


def test_a_failed_run_says_why_and_a_torn_line_is_mentioned(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", [{"iteration": 0, "env_steps": 0}])
    run.fail("no sample arrived")
    with (run.path / "evaluations.jsonl").open("a") as file:
        file.write('{"iteration": 1')
    text = _page(write_report(run.path)).text
    assert "Training failed: no sample arrived." in text
    assert "evaluations.jsonl: an unfinished last line (15 bytes) was left out" in text


@pytest.mark.parametrize("key", sorted(set(evaluation(0, 5)) - {"iteration", "env_steps"}))
def test_any_key_may_be_absent(key: str) -> None:
    rows = [
        {name: value for name, value in evaluation(index, 5).items() if name != key}
        for index in range(5)
    ]
    record = RunRecord.of(rows, [metrics_row(index, 5) for index in range(5)])
    charts = {
        name: maker(record, None) for entries in CHARTS.values() for name, _, maker in entries
    }
    assert sum(chart is None for chart in charts.values()) <= 1 + len(AUXILIARIES)
    assert headline(record)
    assert score_table(record) and tiles(record) and row_by_row(record)


def test_pictures_of_an_earlier_report_do_not_stay(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", [])
    (run.path / "plots").mkdir()
    (run.path / "plots" / "recognition.png").write_bytes(b"old")
    (run.path / "plots" / "mine.png").write_bytes(b"mine")
    write_report(run.path)
    assert [path.name for path in (run.path / "plots").iterdir()] == ["mine.png"]


def test_a_damaged_run_gives_an_error_and_no_page(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", [evaluation(0, 5), evaluation(1, 5)])
    lines = (run.path / "evaluations.jsonl").read_text()
    (run.path / "evaluations.jsonl").write_text("#" + lines)
    with pytest.raises(RunFolderError, match="line 1: damaged"):
        write_report(run.path)
    assert not run.report_path.exists()


def test_a_run_that_is_no_fair_comparison_is_named(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", [{"iteration": 0, "env_steps": 0}])
    paid = _run(tmp_path / "paid", [], mirror={"weight": 0.5})
    with pytest.raises(RunFolderError, match=r"paid has mirror weight 0\.50"):
        write_report(run.path, paid.path)
    elsewhere = _run(tmp_path / "elsewhere", [], mirror={"weight": 0.0}, world="lamps:Lamps")
    with pytest.raises(RunFolderError, match=r"another world \(lamps:Lamps\)"):
        write_report(run.path, elsewhere.path)
    other = _run(tmp_path / "other", [], mirror={"weight": 0.0}, total_steps=7)
    text = _page(write_report(run.path, other.path)).text
    assert (
        "differs from this one in more than the weight: mirror.credit, mirror.timing, total_steps."
        in text
    )
    with pytest.raises(RunFolderError, match="not a run folder"):
        write_report(run.path, tmp_path / "nowhere")


def test_learned_above_the_limit_is_called_out_at_the_corrected_threshold(tmp_path: Path) -> None:
    rows = [{"iteration": i, "env_steps": 10 * i, "log_e_value": -1.0} for i in range(4)]
    for value, said in (
        (math.log(4 / 0.05) + 0.01, "above the exact limit after 20 steps"),
        (math.log(4 / 0.05) - 0.01, "No evidence at any of 4 checkpoints"),
    ):
        changed = copy.deepcopy(rows)
        changed[2]["log_e_value"] = value
        run = _run(tmp_path / f"{value}", changed)
        assert said in _page(write_report(run.path)).text


def test_a_limit_that_does_not_hold_is_not_called_exact(tmp_path: Path) -> None:
    row = {
        **evaluation(3, 4),
        "limit_valid": False,
        "limit_reason": "a seat gives the agent away",
        "log_e_value": 99.0,
    }
    kept = (
        "iteration",
        "env_steps",
        "num_agents",
        "limit",
        "limit_valid",
        "limit_reason",
        "log_e_value",
        "learned",
    )
    run = _run(tmp_path / "run", [{key: row[key] for key in kept}])
    text = _page(write_report(run.path)).text.split("What this page cannot say")[0]
    assert "The limit is not exact in this world (a seat gives the agent away)" in text
    assert "Look for a leak" not in text
    assert "The limit (not exact here), which knows" in text


def test_an_infinite_e_value_can_be_drawn(tmp_path: Path) -> None:
    run = _run(tmp_path / "run", [{"iteration": 1, "env_steps": 10, "log_e_value": math.inf}])
    assert "Look for a leak or a bug" in _page(write_report(run.path)).text


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [(0.2, 0.3, "not distinguishable from chance"), (0.1, 0.2, "below chance"), (0.26, 0.4, None)],
)
def test_the_headline_compares_with_chance(low: float, high: float, said: str | None) -> None:
    row = {**evaluation(0, 5), "iteration": 9, "env_steps": 1234}
    row["learned"] = {"top1": {"value": (low + high) / 2, "low": low, "high": high}}
    text = " ".join(headline(RunRecord.of([row])))
    assert text.startswith("After 1,234 environment steps")
    verdicts = [
        words for words in ("not distinguishable from chance", "below chance") if words in text
    ]
    assert verdicts == ([said] if said else [])


def test_the_table_shows_every_score_of_every_reader() -> None:
    row = evaluation(4, 5)
    row["learned"]["brand_new_score"] = estimate(0.123, 0.001)
    page = Page(score_table(RunRecord.of([row])))
    assert sum(tag == "tr" for tag, _ in page.tags) == 1 + len(SCORE_FIELDS) + 1
    assert sum(tag == "td" for tag, _ in page.tags) == (len(SCORE_FIELDS) + 1) * 6
    assert "brand_new_score" in page.text and "0.12" in page.text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0 %"),
        (0.004, "0.4 %"),
        (0.996, "99.6 %"),
        (1.0, "100 %"),
        (0.9999, ">99.9 %"),
        (1e-5, "<0.1 %"),
        (0.254, "25 %"),
        (-0.1, "\N{MINUS SIGN}10 %"),
    ],
)
def test_percentages_never_round_to_a_false_certainty(value: float, text: str) -> None:
    assert percent(value) == text.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1.234, "1.23"),
        (-0.004, "0"),
        (18.04, "18.0"),
        (12345.6, "12,346"),
        (3e7, "3.00e+07"),
    ],
)
def test_numbers_read_well(value: float, text: str) -> None:
    assert plain(value) == text


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["value", "low", "high", "top1", "information", "learned", "limit", "x"]
            ),
            inner,
            max_size=4,
        )
    ),
)
ANY_ROW = st.fixed_dictionaries({}, optional=dict.fromkeys(evaluation(0, 2), JUNK))


@given(st.lists(ANY_ROW, max_size=3), st.lists(ANY_ROW, max_size=2))
@settings(max_examples=40, deadline=None)
def test_no_row_whatsoever_stops_the_report(
    rows: list[dict[str, Any]], other: list[dict[str, Any]]
) -> None:
    record, weight0 = RunRecord.of(rows, rows), RunRecord.of(other)
    text = headline(record, weight0)
    assert text and all(isinstance(sentence, str) for sentence in text)
    for part in (score_table(record), tiles(record), row_by_row(record)):
        Page(part)
    for entries in CHARTS.values():
        for _, _, maker in entries:
            chart = maker(record, weight0)
            assert chart is None or (chart.alt and chart.caption)


@pytest.mark.parametrize("value", [-1e300, 5e-324])
def test_absurd_numbers_can_be_drawn(value: float) -> None:
    row = {
        **evaluation(1, 2),
        "env_steps": abs(value),
        "return": value,
        "learned": {"top1": value, "information": value},
    }
    row["recognition_matrix"] = [[value, None], [0.5, value]]
    record = RunRecord.of([row, {**row, "env_steps": 0, "iteration": 0}])
    for entries in CHARTS.values():
        for _, _, maker in entries:
            chart = maker(record, None)
            if chart is not None:
                with warnings.catch_warnings():
                    # labels of that length leave no room for the lines
                    warnings.simplefilter("ignore")
                    assert plots.png(chart.draw(themes.LIGHT)).startswith(b"\x89PNG")
