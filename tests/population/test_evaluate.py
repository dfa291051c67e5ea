"""One evaluation: whose heads read whom, who is still who, and a limit that is called exact only
where it is."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mirrorenv.cli.app import main
from mirrorenv.envs import make_batch, spec
from mirrorenv.mirror import t_interval
from mirrorenv.population.checkpoint import clone, save_population
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.experience import population_shape
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.observers.baselines import BASELINES
from mirrorenv.population.population import Population
from mirrorenv.population.reading import observer_evidence, play_held_out
from mirrorenv.population.settings import MirrorSettings, ObserverSettings, PopulationSettings
from tests.population.small import loud

ANTS = "mirrorenv/ants-v0"
WORLD = make_batch(ANTS, 48, horizon=12)


def population(seed: int = 0) -> Population:
    settings = PopulationSettings(hidden=8, observer=ObserverSettings(hidden=8))
    made = Population(population_shape(WORLD), settings)
    loud(made, seed)
    return made


def measured(model: Population, **options: Any) -> dict[str, Any]:
    options = {"world_spec": spec(ANTS), "seed": 3, "mirror": MirrorSettings(), **options}
    return evaluate(model, WORLD, **options).to_dict()


def test_the_lagged_classifier_is_the_earlier_heads_on_todays_agents() -> None:
    today, before, checkpoint = population(0), population(1), population(2)
    row = measured(today, previous=checkpoint, lagging=before)
    held_out = play_held_out(today, WORLD, seed=3)
    lineups = neighbourhoods_of(before, held_out, run=3, episodes=held_out.episode)
    # (B, J, N, N) in author order
    final = observer_evidence(before, held_out, lineups)[:, -1]
    right = (final.argmax(axis=-1) == np.arange(4)).mean(axis=(1, 2))
    assert row["lagged_top1"]["value"] == pytest.approx(t_interval(right).value)
    assert (
        row["lagged_top1"]["value"] != measured(today, previous=checkpoint)["lagged_top1"]["value"]
    )
    # its own heads: no lag, no loss
    assert measured(today, lagging=today)["lagged_top1"] == row["learned"]["top1"]
    assert measured(today)["lagged_top1"] is None


def test_identities_persist_until_two_agents_change_places() -> None:
    today = population()
    assert measured(today, previous=clone(today))["persistence"] == 1.0
    swapped = clone(today)
    with torch.no_grad():  # agents 0 and 1 have exchanged their policies since
        for parameter in swapped.actor.parameters():
            parameter[[0, 1]] = parameter[[1, 0]].clone()
    assert measured(today, previous=swapped)["persistence"] == 0.5
    assert measured(today)["persistence"] is None


def test_the_recognition_matrix_has_a_row_for_each_observer_and_a_column_for_each_author() -> None:
    model = population()
    with torch.no_grad():  # observer 2 has no opinion
        for parameter in model.observers.output.parameters():
            parameter[2] = 0.0
    matrix = np.array(measured(model)["recognition_matrix"])
    np.testing.assert_allclose(matrix[2], 0.25, atol=1e-6)
    assert (np.abs(matrix[[0, 1, 3]] - 0.25).max(axis=1) > 0.01).all()
    assert np.abs(matrix[:, 2] - 0.25).max() > 0.01


def test_a_world_whose_slots_are_not_exchangeable_gets_a_limit_that_says_why_it_is_none() -> None:
    model = population()
    assert (measured(model)["limit_valid"], measured(model)["limit_reason"]) == (True, "")
    row = measured(model, world_spec=replace(spec(ANTS), slot_exchangeable=False))
    assert not row["limit_valid"] and "slots are not exchangeable" in row["limit_reason"]
    row = measured(model, world_spec=spec("mirrorenv/turn-v0"))
    assert not row["limit_valid"] and row["limit_reason"].startswith(
        "start corners name the agents"
    )


def test_the_command_calls_a_limit_exact_only_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("ray")
    for name in set(BASELINES) - {"chance"}:
        monkeypatch.delitem(BASELINES, name)
    for world, exact in ((ANTS, True), ("mirrorenv/turn-v0", False)):
        made = Population(population_shape(make_batch(world, 1)), PopulationSettings(hidden=8))
        about = {"world": world, "world_options": {}, "mirror": {}}
        save_population(tmp_path / world, made, about)
        monkeypatch.setattr(
            sys,
            "argv",
            ["mirrorenv", "evaluate", str(tmp_path / world), "--episodes", "8", "--json"],
        )
        with pytest.raises(SystemExit) as ended:
            main()
        answer = capsys.readouterr()
        assert not ended.value.code
        assert json.loads(answer.out.splitlines()[-1])["limit_valid"] is exact
        assert ("exact limit" in answer.err) is exact
        assert ("The limit is not exact in this world: start corners" in answer.err) is not exact
