"""The report shows the agents: what world it is, what they did, and one lineup as it was read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.envs import make_batch, registry, spec
from mirrorenv.envs.about import about, facts
from mirrorenv.envs.drawing.film import gif
from mirrorenv.errors import RunFolderError
from mirrorenv.results.report import plots, themes
from mirrorenv.results.report.agents import OF_AGENTS
from mirrorenv.results.report.charts_agents import lineup, verdicts, whereabouts
from mirrorenv.results.report.report import write_report
from mirrorenv.results.report.sections import SHORT, short_run, tiles
from mirrorenv.results.report.shown import TIMES, Film, Shown, read_shown, write_shown
from mirrorenv.results.runs.record import RunRecord
from tests.results.synthetic import evaluation, make_run
from tests.results.test_hostile_page import HOSTILE, PNG
from tests.results.test_report import Page

PICTURE = np.zeros((8, 12, 3), np.uint8)


@pytest.fixture(autouse=True)
def _coarse_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plots, "DPI", 40)


def _shown(**changed: Any) -> Shown:
    rng = np.random.default_rng(0)
    belief = rng.dirichlet(np.ones(3), (7, 3))
    belief[-1] = np.eye(3) * 0.8 + 0.1 * (1 - np.eye(3))
    return Shown(
        **{
            "env_steps": 1200,
            "about": "Beetles in a jar.",
            "facts": ("3 agents.",),
            "agents": ("beetle_0", "beetle_1", "beetle_2"),
            "actions": rng.integers(0, 4, (2, 3, 7)).astype(np.float64),
            "choices": 4,
            "places": None,
            "observer": 1,
            "authors": np.array([2, 1, 0]),
            "candidates": np.array([0, 1, 2]),
            "belief": belief,
            "film": Film(gif([PICTURE, PICTURE + 9], 8), PNG, (12, 8)),
            **changed,
        }
    )


def test_episodes_come_back_as_they_were_written(tmp_path: Path) -> None:
    places = np.full((2, 3, 7, 2), 0.5)
    places[0, 0, 3:] = np.nan
    for time, wanted in zip(TIMES, (_shown(), _shown(places=places, film=None)), strict=True):
        write_shown(tmp_path, time, wanted)
        found = read_shown(tmp_path, time)
        assert found is not None
        for name, value in vars(wanted).items():
            if isinstance(value, np.ndarray):
                np.testing.assert_allclose(getattr(found, name), value, atol=1e-4)
            else:
                assert getattr(found, name) == value
    assert read_shown(tmp_path / "elsewhere", "before") is None


def test_the_page_shows_world_agents_and_lineup(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    write_shown(run.path, "before", _shown(env_steps=0))
    write_shown(run.path, "after", _shown())
    page = Page(write_report(run.path).read_text("utf-8"))
    assert "Beetles in a jar." in page.text
    assert "An episode before training" in page.text and "An episode at the end" in page.text
    assert "One lineup as beetle_1 saw it" in page.text
    # the belief is highest on the diagonal: A is named beetle_0 and was made by beetle_2
    assert "A is beetle_0 (80 % sure): wrong, it was beetle_2" in page.text
    assert "B is beetle_1 (80 % sure): right" in page.text
    images = [found["src"] for tag, found in page.tags if tag == "img"]
    assert sum(one.startswith("data:image/gif;base64,") for one in images) == 2
    motionless = [found for tag, found in page.tags if "prefers-reduced-motion" in str(found)]
    assert len(motionless) == 2, "who wants no motion sees stills"
    assert {one.stem for one in (run.path / "plots").iterdir()} >= set(OF_AGENTS)
    assert {found["href"] for tag, found in page.tags if tag == "a"} >= {
        "episodes/before.gif",
        "episodes/after.gif",
        "config.json",
    }


def test_a_run_without_episodes_still_says_what_world_it_is(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    settings = json.loads((run.path / "config.json").read_text())
    settings["world"] = "mirrorenv/ants-v0"
    (run.path / "config.json").write_text(json.dumps(settings))
    text = Page(write_report(run.path).read_text("utf-8")).text
    assert spec("mirrorenv/ants-v0").description in text
    assert "This run kept no episodes" in text
    assert "mirrorenv play mirrorenv/ants-v0" in text
    assert "--gif" not in text  # nothing was drawn: the world may draw nothing


def test_a_page_never_offers_code_that_only_the_folder_names(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run")
    settings = json.loads((run.path / "config.json").read_text())
    settings["world"] = "evil.module:Env"
    (run.path / "config.json").write_text(json.dumps(settings))
    page = Page(write_report(run.path).read_text("utf-8"))
    commands = page.text.split("What next")[1].split("In this folder")[0]
    assert "evil" not in commands and "results export" in commands


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_names_stay_text(tmp_path: Path, kind: str) -> None:
    import warnings

    evil = HOSTILE[kind]
    shown = _shown(about=evil, facts=(evil,), agents=(evil, evil, evil), no_film=evil)
    run = make_run(tmp_path / "run")
    # as a stranger would write it: the file may hold any text that JSON can
    write_shown(run.path, "after", _shown())
    path = run.path / "episodes" / "after.json"
    held = json.loads(path.read_text())
    held |= {"about": shown.about, "facts": shown.facts, "agents": shown.agents}
    path.write_text(json.dumps(held))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # glyphs that the font lacks
        text = write_report(run.path).read_text("utf-8")
    page = Page(text)
    assert not {"script", "base"} & {tag for tag, _ in page.tags}
    for mark in "\u202e\u2066\u200f\x00\x1b\x85\u2028":
        assert mark not in text


BROKEN = {
    "not json": b"{",
    "a list": b"[]",
    "no agents": {"agents": []},
    "too many": {"agents": ["x"] * 500},
    "ragged": {"actions": [[[1.0], [1.0, 2.0]]]},
    "infinite": {"actions": [[[1e999]]]},
    "other agents": {"actions": [[[1.0] * 7]]},
    "strange authors": {"authors": [0, 1, 5]},
    "no such agent": {"authors": [0, 1, 9], "candidates": [0, 1, 9]},
    "no such observer": {"observer": 3},
    "huge": {"size": [99999, 1]},
    "choices": {"choices": -1},
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_damaged_file_is_one_clear_error(tmp_path: Path, kind: str) -> None:
    write_shown(tmp_path, "after", _shown())
    path = tmp_path / "episodes" / "after.json"
    change = BROKEN[kind]
    content = (
        change
        if isinstance(change, bytes)
        else json.dumps(json.loads(path.read_text()) | change).encode()
    )
    path.write_bytes(content)
    with pytest.raises(RunFolderError, match="damaged"):
        read_shown(tmp_path, "after")


def test_pictures_that_are_none_and_files_too_large_are_refused(tmp_path: Path) -> None:
    write_shown(tmp_path, "after", _shown())
    (tmp_path / "episodes" / "after.gif").write_bytes(b"<script>")
    with pytest.raises(RunFolderError, match="damaged"):
        read_shown(tmp_path, "after")
    with (tmp_path / "episodes" / "after.gif").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(RunFolderError, match="larger"):
        read_shown(tmp_path, "after")


@given(
    st.integers(1, 12),
    st.sampled_from([None, 1, 3, 40]),
    st.sampled_from([None, 1, 2]),
    st.integers(1, 9),
)
@settings(max_examples=20, deadline=None)
def test_any_number_of_agents_steps_and_choices_can_be_drawn(
    agents: int, choices: int | None, dimensions: int | None, steps: int
) -> None:
    rng = np.random.default_rng(agents)
    actions = rng.integers(0, choices or 5, (2, agents, steps)).astype(np.float64)
    actions[:, :, steps // 2 + 1 :] = np.nan
    places = None if dimensions is None else rng.normal(size=(2, agents, steps, dimensions))
    shown = _shown(
        agents=tuple(f"$a_{n}$" for n in range(agents)),
        actions=actions,
        choices=choices,
        places=places,
        observer=0,
        authors=np.arange(agents)[::-1],
        candidates=np.arange(agents),
        belief=rng.dirichlet(np.ones(agents), (steps, agents)),
    )
    for chart in (whereabouts(shown, "at the end"), lineup(shown)):
        assert plots.png(chart.draw(themes.LIGHT)).startswith(b"\x89PNG")
        assert chart.alt and chart.caption
    assert len(verdicts(shown)) == agents


def test_every_world_can_be_described() -> None:
    for id, known in registry().items():
        if known.kind != "array" or not id.startswith("mirrorenv/"):
            continue
        try:
            world = make_batch(id, 1)
        except Exception as error:  # an extra that is not installed here
            assert "pip install" in str(error)
            continue
        assert about(world, known).endswith((".", "…"))
        assert len(facts(world)) >= 2
        assert not any("`" in fact for fact in facts(world))
        world.close()


def test_somebody_elses_world_is_described_by_its_docstring() -> None:
    from tests.results.worlds_of_others import Jar, Undocumented

    assert about(make_batch(Jar, 1), spec(Jar)) == "Beetles in a jar."
    assert about(make_batch(Undocumented, 1), spec(Undocumented)) == ""
    assert facts(make_batch(Undocumented, 1))[1] == "An action: one of 2 choices."


def test_a_world_that_pays_nothing_has_no_tile_for_it() -> None:
    rows = [evaluation(index, 5) for index in range(5)]
    assert "Environment return" in tiles(RunRecord.of(rows))
    for row in rows:
        row["return"] = {"value": 0.0, "low": 0.0, "high": 0.0}
        row["per_agent_return"] = [0.0] * 4
    assert RunRecord.of(rows).pays is False
    assert "Environment return" not in tiles(RunRecord.of(rows))
    assert RunRecord.of([]).pays is None


def test_a_short_run_and_a_simple_reader_ahead_are_said() -> None:
    row = {**evaluation(4, 5), "iteration": SHORT - 1}
    assert "This was a short run" in short_run(RunRecord.of([row]))[0]
    assert short_run(RunRecord.of([{**row, "iteration": SHORT}])) == []
    row["baselines"] = {"counting": {"top1": {"value": 0.999, "low": 0.99, "high": 1.0}}}
    assert (
        "A simple reader (counting, 99.9\N{NO-BREAK SPACE}%)" in short_run(RunRecord.of([row]))[0]
    )
