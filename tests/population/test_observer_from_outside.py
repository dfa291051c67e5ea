"""An observer is one file, wherever it lies: it trains, pays and is measured like those inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mirrorenv.envs import make_batch, spec
from mirrorenv.errors import ConfigError, UnknownNameError
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.experience import play, population_shape, world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.neighbourhood import settle_neighbours
from mirrorenv.population.objectives.updates import optimiser_of
from mirrorenv.population.observers.registry import BASELINES
from mirrorenv.population.population import Population
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
)
from mirrorenv.population.train_batch import learner_columns, train_batch

ANTS = "mirrorenv/ants-v0"

FILE = '''
"""Two observers of one's own: one is trained, one counts."""

import numpy as np
import torch

from mirrorenv.population.observers import Head, LineupTensors
from mirrorenv.population.observers.base import accumulate
from mirrorenv.population.observers.baselines import Baseline, register_baseline


class TableHead(Head):
    """A weight for each observer, action and agent: sum_t W[j, a_t, n]."""

    def __init__(self, shape, settings, trunk_width, generator):
        super().__init__(shape, settings, trunk_width, generator)
        agents = shape.num_agents
        first = torch.randn(agents, shape.action_features, agents, generator=generator)
        self.weight = torch.nn.Parameter(0.1 * first)

    def evidence(self, lineup: LineupTensors, hidden=None, own=None):
        steps = torch.einsum("btka,jan->jtbkn", lineup.actions, self.weight)
        return accumulate(steps, lineup.mask)


@register_baseline("last_action")
class LastAction(Baseline):
    """How often agent n ended with the action that was seen last."""

    def _fit(self, episodes, actions):
        counts = np.ones((actions.feature_width, self.num_agents))
        for agent in range(self.num_agents):
            np.add.at(counts[:, agent], episodes.actions[:, -1, agent], 1.0)
        self.log_share = np.log(counts / counts.sum(0))

    def _evidence(self, episodes):
        return self.log_share[episodes.actions[:, -1]]  # (B, K, N)
'''


@pytest.fixture
def head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file, importable, with its head's name; registries are as before afterwards."""
    (tmp_path / "my_observers.py").write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "my_observers", raising=False)
    for name in list(BASELINES):
        monkeypatch.delitem(BASELINES, name)
    monkeypatch.setitem(BASELINES, "last_action", lambda: None)  # removed again afterwards
    return "my_observers:TableHead"


def test_a_head_and_a_baseline_from_one_file_outside_train_and_evaluate(head: str) -> None:
    world = make_batch(ANTS, 64, horizon=12)
    mirror = MirrorSettings()
    settings = PopulationSettings(
        hidden=8, initial_gain=2.0, observer=ObserverSettings(head=head, learning_rate=0.05)
    )
    settings = settle_neighbours(settings, mirror, world)
    population = Population(population_shape(world), settings, 0)
    set_objectives(population, mirror, LearningSettings(), seed=0)
    optimiser = optimiser_of(population.objectives)
    losses = []
    for iteration in range(12):
        episodes = np.arange(64) + 64 * iteration
        generator = torch.Generator().manual_seed(iteration)
        experience = play(world, population, world_seeds(0, episodes), generator)
        columns = train_batch(
            population,
            experience,
            mirror,
            LearningSettings(),
            run=0,
            episodes=episodes,
            rng=np.random.default_rng(iteration),
        )
        batch = {
            name: torch.from_numpy(np.ascontiguousarray(column))
            for name, column in learner_columns(columns, 1.0).items()
        }
        loss, metrics = population.loss(batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(metrics["observer_loss"]))
    assert losses[-1] < losses[0] - 0.05
    row = evaluate(population, world, world_spec=spec(ANTS), seed=1, mirror=mirror, baselines=True)
    assert row.learned.top1 is not None and row.learned.top1.low > 0.25
    assert set(row.baselines) == {"last_action"}
    assert row.baselines["last_action"].top1 is not None


def test_wrong_names_say_what_to_give() -> None:
    world = make_batch(ANTS, 1)
    for name, error, words in (
        ("no.such.module:Head", ConfigError, "cannot be imported"),
        ("mirrorenv.population.settings:ObserverSettings", ConfigError, "no subclass of"),
        ("aditive", UnknownNameError, "additive"),
    ):
        settings = PopulationSettings(observer=ObserverSettings(head=name))
        with pytest.raises(error, match=words):
            Population(population_shape(world), settings)
