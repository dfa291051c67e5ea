"""A run keeps a few episodes for its report, and is the same run with and without them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from mirrorenv.results.report.report import write_report
from mirrorenv.results.report.shown import TIMES, read_shown
from mirrorenv.results.runs.run_folder import RunFolder
from mirrorenv.rllib.run import train
from mirrorenv.rllib.settings import load_settings
from tests.results.worlds_of_others import Undocumented

SMALL = [
    "total_steps=200",
    "learning.episodes_per_iteration=4",
    "learning.minibatch_episodes=2",
    "evaluation.episodes=8",
    "evaluation.checkpoints=1",
    "evaluation.baselines=false",
    "population.hidden=8",
]
HERE = __name__


class Drawn(Undocumented):
    """Two that draw a square. The picture is grey."""

    metadata = {"name": "drawn_v0", "render_modes": ["rgb_array"]}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__()
        self.render_mode = render_mode

    def render(self) -> Any:
        return np.full((40, 60, 3), 99, np.uint8)


class Broken(Drawn):
    def render(self) -> Any:
        raise RuntimeError("no screen")


class Unmade(Drawn):
    def __init__(self, render_mode: str | None = None) -> None:
        if render_mode:
            raise OSError("no display")
        super().__init__()


def _run(path: Path, world: str, *, show: bool) -> RunFolder:
    return train(load_settings(world, (), SMALL), path, show=show)


def _rows(run: RunFolder) -> list[dict[str, Any]]:
    rows = [*run.evaluations(), *run.metrics()]
    timed = ("seconds", "env_steps_per_second")
    return [{key: row[key] for key in row if key not in timed} for row in rows]


def test_a_run_that_is_shown_is_the_same_run(tmp_path: Path) -> None:
    plain = _run(tmp_path / "plain", "mirrorenv/ants-v0", show=False)
    shown = _run(tmp_path / "shown", "mirrorenv/ants-v0", show=True)
    assert _rows(plain) == _rows(shown)
    mine, its = (
        load_file(run.checkpoints()[-1] / "population.safetensors") for run in (plain, shown)
    )
    assert all((mine[name] == its[name]).all() for name in mine)
    assert not (plain.path / "episodes").exists()
    for time in TIMES:
        found = read_shown(shown.path, time)
        assert found is not None and found.film is not None
        assert found.agents == ("ant_0", "ant_1", "ant_2", "ant_3") and found.choices == 3
        np.testing.assert_allclose(found.belief.sum(-1), 1.0, atol=1e-3)
    assert write_report(shown.path).is_file()


@pytest.mark.parametrize(
    ("world", "filmed", "said"),
    [("Drawn", True, ""), ("Broken", False, "no screen"), ("Unmade", False, "draws no picture")],
)
def test_drawings_of_others_are_taken_and_stop_nothing(
    world: str, filmed: bool, said: str, tmp_path: Path
) -> None:
    run = _run(tmp_path / "run", f"{HERE}:{world}", show=True)
    assert run.status == "finished"
    found = read_shown(run.path, "after")
    assert found is not None
    assert (found.film is not None) == filmed and said in found.no_film
    if world == "Drawn":
        assert found.about == "Two that draw a square."


def test_a_run_of_too_many_agents_keeps_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirrorenv.population.showing.MOST_AGENTS", 3)
    run = _run(tmp_path / "run", "mirrorenv/ants-v0", show=True)
    assert run.status == "finished" and not (run.path / "episodes").exists()
