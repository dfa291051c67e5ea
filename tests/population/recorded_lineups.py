"""What reading, paying, teaching and measuring gave before whole lineups became neighbourhoods.

`recorded/lineups.json` was written by this computation on the tree before (commit cf89143). Bits
differ between processors, so the test compares with a tolerance far below any change of a formula.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch

from mirrorenv.envs import make_batch, spec
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.experience import play, population_shape, world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.neighbourhood import settle_neighbours
from mirrorenv.population.objectives.recognition import observer_loss, read_minibatch
from mirrorenv.population.population import Population
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
)
from mirrorenv.population.train_batch import train_batch

RECORDED = Path(__file__).parent / "recorded" / "lineups.json"


class Case(NamedTuple):
    """Settings of one recorded computation."""

    observer: Mapping[str, Any]
    mirror: Mapping[str, Any] = MappingProxyType({})
    weights: str = "separate"
    world: str = "mirrorenv/ants-v0"
    options: Mapping[str, Any] = MappingProxyType({})
    copies: int = 12


SEVEN = {"num_agents": 7, "start": "random", "horizon": 6}
CASES = {
    "additive": Case({}),
    "gru": Case({"head": "gru", "slots_per_update": 3}),
    "gru_state": Case({"head": "gru_state"}),
    "joint": Case({"head": "joint"}),
    "likelihood": Case({"head": "likelihood"}),
    "likelihood_gru": Case({"head": "likelihood_gru"}),
    "through one trunk": Case({"trunk": "shared"}, weights="shared"),
    "vectors": Case({}, world="mirrorenv/point-v0", copies=8),
    "limit": Case({}, {"control": "limit"}),
    "false names": Case({}, {"control": "shuffled_labels"}),
    "observer, window": Case({}, {"credit": "observer", "timing": "window"}),
    "adversarial": Case({}, {"credit": "adversarial", "teams": (0, 0, 1, 1)}),
    "two observers": Case({}, {"observers_per_author": 2}),
    "near": Case({"neighbours": 2}),
    "near, of seven": Case({"neighbours": 3}, options=SEVEN),
    "near, gru": Case({"neighbours": 1, "head": "gru", "prefixes_per_update": 3}),
    "near, all": Case({"neighbours": 3}, {"credit": "team", "timing": "terminal"}),
    "near, false names": Case({"neighbours": 2}, {"control": "shuffled_labels"}),
}


def recorded() -> dict[str, dict[str, Any]]:
    """The file, by case."""
    found: dict[str, dict[str, Any]] = json.loads(RECORDED.read_text("utf-8"))
    return found


def computed(case: Case) -> dict[str, Any]:
    """The same numbers today: of every array three projections, and the evaluation as it is."""
    world = make_batch(case.world, case.copies, **case.options)
    mirror = MirrorSettings(**case.mirror)
    observer = ObserverSettings(**{"hidden": 8, **case.observer})
    settings = PopulationSettings(
        hidden=8, initial_gain=1.0, weights=case.weights, observer=observer
    )
    settings = settle_neighbours(settings, mirror, world)
    population = _certain(Population(population_shape(world), settings, 1))
    set_objectives(population, mirror, LearningSettings())
    episodes = np.arange(case.copies)
    experience = play(world, population, world_seeds(3, episodes), torch.Generator().manual_seed(4))
    columns = train_batch(
        population,
        experience,
        mirror,
        LearningSettings(),
        run=3,
        episodes=episodes,
        rng=np.random.default_rng(6),
    )
    arrays = {name: columns[name] for name in ("permutation", "labels", "mirror_return")}
    arrays["mirror_advantage"] = columns["mirror_advantage"]
    arrays |= _taught(population, columns)
    before = _certain(Population(population_shape(world), settings, 2))
    row = evaluate(
        population,
        world,
        world_spec=spec(case.world, **case.options),
        seed=3,
        mirror=mirror,
        previous=before,
        draws="common",  # as they were recorded
    )
    figures = row if isinstance(row, dict) else row.to_dict()
    return {"arrays": {name: _projections(one) for name, one in arrays.items()}, "row": figures}


def _certain(population: Population) -> Population:
    """Observers that start out with opinions."""
    with torch.no_grad():
        for parameter in population.observers.parameters():
            parameter.mul_(3.0)
    return population


def _taught(population: Population, columns: dict[str, Any]) -> dict[str, Any]:
    """Loss and gradients of one minibatch."""
    data = {
        name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in columns.items()
    }
    generator = torch.Generator().manual_seed(5)
    reading = read_minibatch(population, data, population.settings.observer, generator)
    loss, metrics = observer_loss(population, reading)
    loss.backward()  # type: ignore[no-untyped-call]
    found: dict[str, Any] = {
        "loss": loss.detach().numpy(),
        "accuracy": metrics["observer_accuracy"].numpy(),
    }
    for number, parameter in enumerate(population.observers.parameters()):
        assert parameter.grad is not None
        found[f"gradient {number}"] = parameter.grad.numpy()
    return found


def _projections(array: Any) -> list[float]:
    """Sum, sum of sizes, and a weighted sum that knows the order."""
    flat = np.asarray(array, np.float64).reshape(-1)
    weights = np.cos(np.arange(len(flat)))
    return [float(flat.sum()), float(np.abs(flat).sum()), float(flat @ weights)]
