"""`mirrorenv play` shows what was asked for, or says what there is to choose from."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from typer.testing import CliRunner

from mirrorenv.cli.app import app
from mirrorenv.errors import ConfigError, MirrorError, UnknownNameError

run = CliRunner().invoke


def test_a_scripted_team_is_played_and_filmed(tmp_path):
    path = tmp_path / "new" / "team.gif"
    answer = run(
        app,
        [
            "play",
            "dispersion-v0",
            "--policy",
            "scripted",
            "--gif",
            str(path),
            "--episodes",
            "2",
            "--json",
        ],
    )
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout.splitlines()[-1])
    assert found["returns"] == [[4.0] * 4] * 2 and found["gif"] == str(path)
    with Image.open(path) as image:
        assert image.n_frames > 4


def test_the_same_seed_plays_the_same_episode_and_another_one_another():
    def returns(seed):
        answer = run(app, ["play", "pacmen-v0", "--seed", str(seed), "--json"])
        return json.loads(answer.stdout.splitlines()[-1])["returns"]

    assert returns(5) == returns(5) != returns(6)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        (["play", "ants-v1"], UnknownNameError, "ants-v0"),
        (["play", "ants-v0", "--policy", "statoins"], UnknownNameError, "stations"),
        (["play", "ants-v0", "--policy", "runs/nowhere"], ConfigError, "no such file"),
        (["play", "dirichlet-v0", "--policy", "scripted"], ConfigError, "no scripted team"),
        (["play", "conformity-v0", "--gif", "never.gif"], ConfigError, "draws nothing"),
        (["play", "conformity-v0", "--human"], ConfigError, "leave out --human"),
        (["play", "ants-v0", "--gif", "never.png"], ConfigError, "never.gif"),
        (["play", "ants-v0", "--gif", "never.gif", "--fps", "99"], ConfigError, "fps"),
        (["play", "ants-v0", "--live-mirror"], ConfigError, "give --gif"),
        (["play", "ants-v0", "--gif", "never.gif", "--delay", "0"], ConfigError, "--live-mirror"),
        (["play", "ants-v0", "--noise", "0.2"], ConfigError, "belong to --live-mirror"),
    ],
)
def test_what_cannot_be_played_is_said(arguments, error, says):
    answer = run(app, arguments)
    assert isinstance(answer.exception, error) and says in str(answer.exception)


def test_a_checkpoint_plays_in_its_own_world_only(tmp_path):
    pytest.importorskip("torch")
    from mirrorenv.envs import make_batch
    from mirrorenv.population import Population, population_shape
    from mirrorenv.population.checkpoint import save_population
    from mirrorenv.population.settings import PopulationSettings

    options = {"num_agents": 3, "length": 7, "horizon": 5}
    population = Population(
        population_shape(make_batch("mirrorenv/ants-v0", 1, **options)), PopulationSettings()
    )
    save_population(
        tmp_path / "c", population, {"world": "mirrorenv/ants-v0", "world_options": options}
    )
    answer = run(
        app,
        [
            "play",
            "ants-v0",
            "--policy",
            str(tmp_path / "c"),
            "--gif",
            str(tmp_path / "a.gif"),
            "--json",
        ],
    )
    assert answer.exit_code == 0, answer.output
    assert len(json.loads(answer.stdout.splitlines()[-1])["returns"][0]) == 3
    wrong = run(app, ["play", "pacmen-v0", "--policy", str(tmp_path / "c")])
    assert isinstance(wrong.exception, MirrorError) and "trained in mirrorenv/ants-v0" in str(
        wrong.exception
    )
