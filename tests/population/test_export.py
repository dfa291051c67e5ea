"""A trained population becomes a result folder with the scores of its evaluation, and anybody can
verify it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.envs import make_batch, registry, spec
from mirrorenv.errors import RunFolderError
from mirrorenv.population.checkpoint import save_population
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.experience import population_shape
from mirrorenv.population.export import export_run
from mirrorenv.population.migration import VERSION
from mirrorenv.population.population import Population
from mirrorenv.population.settings import MirrorSettings, ObserverSettings, PopulationSettings
from mirrorenv.results import ResultFolder, RunFolder, verify_result

WORLDS = sorted(registry().keys() - {"mirrorenv/debate-v0"})  # which is no batch of arrays


def run_folder(path, world, *, finish=True, **observer):
    """A run folder with an untrained, distinguishable population."""
    shape = population_shape(make_batch(world, 2))
    settings = PopulationSettings(
        hidden=8, initial_gain=1.0, observer=ObserverSettings(hidden=8, **observer)
    )
    population = Population(shape, settings, seed=3)
    about = {
        "world": world,
        "world_options": {},
        "seed": 3,
        "env_steps": 100,
        "mirror": MirrorSettings().model_dump(),
    }
    mirror = {"weight": 0.5, "credit": "author", "timing": "dense"}
    config = {
        "version": VERSION,
        "world": world,
        "mirror": mirror,
        "population": {"weights": "separate"},
    }
    run = RunFolder.create(path, config, seed=3)
    with run.new_checkpoint(100) as folder:
        save_population(folder, population, about)
    if finish:
        run.finish()
    return population


@pytest.mark.parametrize("world", WORLDS)
def test_every_world_plays_what_was_exported_again(tmp_path, world):
    if world == "mirrorenv/bytes-v0":
        pytest.importorskip("unicorn", reason="comes with the extra bytes")
    run_folder(tmp_path / "run", world)
    out = export_run(tmp_path / "run", tmp_path / "result", episodes=8, seed=5)
    said = verify_result(out)
    assert any("played again" in line for line in said.checks), said


# where trajectories are equal, figures of the best assignment hang on the last digit
@pytest.mark.parametrize(
    "world", ["mirrorenv/ants-v0", "mirrorenv/dispersion-v0", "mirrorenv/turn-v0"]
)
def test_scores_are_those_of_the_evaluation(tmp_path, world):
    population = run_folder(tmp_path / "run", world)
    out = export_run(tmp_path / "run", tmp_path / "result", episodes=16, seed=5)
    same_scores_as_evaluation(out, population, world)


def same_scores_as_evaluation(out, population, world):
    """The folder's scores are those of `evaluate` on the same episodes."""
    row = evaluate(
        population,
        make_batch(world, 16),
        world_spec=spec(world),
        seed=5,
        mirror=MirrorSettings(),
        baselines=False,
    ).to_dict()
    (held,) = ResultFolder.open(out).scores()
    readers = {"learned": "learned", "learned joint": "learned_joint", "limit": "limit"}
    for reader, key in readers.items():
        for name, expected in row[key].items():
            found = held["figures"].get(f"{reader}.{name}")
            if expected is None or (
                reader == "limit" and name in ("time_to_identify", "handshake_index", "efficiency")
            ):
                continue
            for end in ("value", "low", "high"):
                if expected[end] is not None:
                    assert found[end] == pytest.approx(expected[end], rel=1e-4, abs=1e-5), (
                        reader,
                        name,
                        end,
                    )
    assert held["figures"]["return"]["value"] == pytest.approx(row["return"]["value"], abs=1e-5)


def test_the_command_writes_into_the_run_and_a_board_links_no_page(tmp_path):
    run_folder(tmp_path / "run", "mirrorenv/ants-v0")
    (tmp_path / "run" / "report.html").write_text("a report")
    done = CliRunner().invoke(
        app, ["results", "export", str(tmp_path / "run"), "--episodes", "8", "--small", "--npz"]
    )
    assert done.exit_code == 0, done.output + str(done.exception)
    folder = ResultFolder.open(tmp_path / "run" / "result")
    assert folder.result.links == {"report": "../report.html"}
    assert folder.result.entries[0].condition == "author, dense, weight 0.5, separate weights"
    assert not (folder.path / "evidence.npz").exists() and (folder.path / "steps.npz").exists()
    assert not any("time_to_identify" in figure.name for figure in folder.result.figures)
    verify_result(folder.path)
    out = tmp_path / "board.html"
    assert (
        CliRunner().invoke(app, ["board", "build", str(folder.path), "--out", str(out)]).exit_code
        == 0
    )
    assert "report.html" not in out.read_text("utf-8")  # a page of whoever sent it could run


def test_an_unfinished_run_is_refused(tmp_path):
    run_folder(tmp_path / "run", "mirrorenv/ants-v0", finish=False)
    with pytest.raises(RunFolderError, match="is running, not finished"):
        export_run(tmp_path / "run", tmp_path / "result", episodes=8)
