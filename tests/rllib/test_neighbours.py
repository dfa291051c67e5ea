"""A run of many agents that are shown their neighbours only: from the settings to the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mirrorenv.errors import ConfigError
from mirrorenv.population.checkpoint import load_population
from mirrorenv.results import RunFolder, write_report
from mirrorenv.rllib.algorithm import MirrorPPOConfig
from mirrorenv.rllib.run import Progress, train
from mirrorenv.rllib.settings import RunSettings, load_settings

pytestmark = pytest.mark.ray

SMALL = (
    "world_options={num_agents: 24, horizon: 4, start: random}",
    "population={hidden: 8, observer: {neighbours: 3, hidden: 8}}",
    "learning={episodes_per_iteration: 8, minibatch_episodes: 8, epochs: 1}",
    "evaluation={episodes: 8, checkpoints: 2, baselines: false}",
    "total_steps=96",
)


def few(*overrides: str) -> RunSettings:
    return load_settings("mirrorenv/ants-v0", (), (*SMALL, *overrides))


def test_a_run_with_neighbours_is_told_on_a_page_and_goes_on_where_it_was_cut(
    tmp_path: Path,
) -> None:
    whole = train(few(), tmp_path / "whole")
    last = whole.evaluations()[-1]
    assert (last["num_agents"], last["lineup_size"]) == (24, 4)
    assert whole.config["population"]["observer"]["place"] == [0]  # the world knew
    page = write_report(whole.path).read_text("utf-8")
    assert "24 agents" in page and "the 3 nearest of 24 agents" in page
    assert "chance is at 25" in page and "log 4, the most possible" in page
    assert (whole.plots_path / "recognition_matrix.png").is_file()
    saved, _ = load_population(whole.checkpoints()[-1])
    assert (saved.settings.observer.neighbours, saved.settings.observer.place) == (3, (0,))

    class PowerCut(BaseException):
        pass

    def cut(row: dict[str, Any]) -> None:
        if row["iteration"] == 3:  # one iteration after the checkpoint at the second
            raise PowerCut

    with pytest.raises(PowerCut):
        train(few(), tmp_path / "cut", progress=Progress(iteration=cut))
    resumed = train(few(), tmp_path / "cut")
    timing = {"seconds", "env_steps_per_second"}
    for read in (RunFolder.metrics, RunFolder.evaluations):
        ours, theirs = (
            [{k: v for k, v in r.items() if k not in timing} for r in read(f)]
            for f in (resumed, whole)
        )
        assert ours == theirs
    ends = [folder.checkpoints()[-1] / "population.safetensors" for folder in (resumed, whole)]
    assert ends[0].read_bytes() == ends[1].read_bytes()


@pytest.mark.slow
def test_two_env_runners_send_whole_iterations_of_neighbourhoods() -> None:
    config = MirrorPPOConfig().environment(
        "mirrorenv/ants-v0", env_config={"num_agents": 6, "horizon": 4}
    )
    config.population(hidden=8, observer={"neighbours": 2, "hidden": 8})
    algorithm = (
        config.learning(episodes_per_iteration=8, minibatch_episodes=8, epochs=1)
        .env_runners(num_env_runners=2)
        .build_algo()
    )
    try:
        result = algorithm.train()
        assert result["env_runners"]["num_env_steps_sampled_lifetime"] == 32
        assert result["learners"]["default_policy"]["observer_loss"] > 0
    finally:
        algorithm.stop()


@pytest.mark.parametrize(
    ("world", "override", "says"),
    [
        (
            "mirrorenv/pacmen-v0",
            "population.observer.neighbours=1",
            "does not say where an agent is",
        ),
        ("mirrorenv/ants-v0", "population.observer.neighbours=4", "too many"),
        ("mirrorenv/ants-v0", "population.observer={neighbours: 1, head: joint}", "'joint'"),
    ],
)
def test_what_cannot_be_shown_is_refused_before_there_is_a_folder(
    world: str, override: str, says: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        train(load_settings(world, (), (override,)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
