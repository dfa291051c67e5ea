"""A kind of agent is one file: here is one that the package does not know, and an encoder that is
somebody else's module; worlds whose actions have several parts are trained on from end to end."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor, nn

from mirrorenv.errors import CheckpointError, ConfigError, UnknownNameError
from mirrorenv.population.actors import (
    ACTORS,
    Actor,
    ActorOutput,
    SeparateActor,
    StackedEncoder,
    register_actor,
)
from mirrorenv.population.checkpoint import load_population, save_population
from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.population import Population
from mirrorenv.population.settings import LearningSettings, PopulationSettings, PopulationShape
from tests.envs.strangers import Stranger
from tests.population.small import AGENTS, DISCRETE, population, some_episodes

ROOT = Path(__file__).resolve().parents[2]
SMALL = LearningSettings(episodes_per_iteration=8, minibatch_episodes=4, epochs=1)


class Table(Actor):
    """Agents without sight: a row of outputs and two values for each, whatever they see."""

    def __init__(
        self, shape: PopulationShape, settings: PopulationSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.num_agents, self.layout = shape.num_agents, shape.actions
        width = self.layout.policy_outputs
        self.rows = nn.Parameter(torch.randn(shape.num_agents, width, generator=generator) * 0.01)
        self.values = nn.Parameter(torch.zeros(shape.num_agents, 2))
        self.spread = nn.Parameter(torch.full((shape.num_agents, self.layout.spreads), -0.5))

    def initial_state(self, batch: int) -> Tensor:
        return torch.zeros(batch, device=self.rows.device)

    def step(self, observations: Tensor, state: Tensor) -> tuple[ActorOutput, Tensor]:
        return self.sequence(observations), state + 1

    def sequence(self, observations: Tensor, mask: Tensor | None = None) -> ActorOutput:
        lead = observations.shape[:-1]  # (B, [T,] N)
        values = self.values.expand(*lead, 2)
        hidden = {"row": self.rows.expand(*lead, -1)}
        law = self._law(lead)
        return ActorOutput(law, values[..., 0], values[..., 1], hidden)

    def replay(self, observations: Tensor) -> ActionDistribution:
        return self._law((*observations.shape[:-1], self.num_agents))

    def mirror_entries(self) -> list[tuple[nn.Parameter, Any]]:
        return [(self.values, (..., 1))]

    def _law(self, lead: tuple[int, ...]) -> ActionDistribution:
        spread = self.spread if self.layout.spreads else None
        return self.layout.distribution(self.rows.expand(*lead, -1), spread)


class Leaky(nn.Module):
    """Somebody's encoder without memory."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(features, hidden), nn.LeakyReLU())

    def forward(self, rows: Tensor) -> Tensor:
        made: Tensor = self.layers(rows)
        return made


class Cell(nn.Module):
    """Somebody's encoder with memory."""

    state_size = 6

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.cell = nn.GRUCell(features, self.state_size)
        self.out = nn.Linear(self.state_size, hidden)

    def forward(self, rows: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        state = self.cell(rows, state)
        return self.out(state), state


class Wrong(nn.Module):
    """Too wide."""

    def __init__(self, features: int, hidden: int) -> None:
        super().__init__()
        self.layer = nn.Linear(features, hidden + 1)

    def forward(self, rows: Tensor) -> Tensor:
        made: Tensor = self.layer(rows)
        return made


HERE = __name__
ENCODERS = [f"{HERE}:Leaky", f"{HERE}:Cell"]


class Mixing(Stranger):
    acts = spaces.Dict({"go": spaces.MultiDiscrete([3, 2]), "far": spaces.Box(0, 4, (2,))})

    def pay(self, agent: str, action: Any) -> float:
        assert self.acts.contains(action), action
        return float(action["go"][0] == 1) + float(action["far"][0])


class Factoring(Mixing):
    acts = spaces.MultiDiscrete([64, 64, 64])  # type: ignore[assignment]

    def pay(self, agent: str, action: Any) -> float:
        assert self.acts.contains(action), action
        return float(action[0] < 32)


class Nesting(Mixing):
    acts = spaces.Tuple((spaces.Discrete(3, start=-1), spaces.MultiBinary(2)))  # type: ignore[assignment]

    def pay(self, agent: str, action: Any) -> float:
        assert self.acts.contains(action), action
        return float(action[0] == 0)


@pytest.fixture
def table() -> Any:
    register_actor("table-of-a-test")(Table)
    yield "table-of-a-test"
    del ACTORS["table-of-a-test"]


@pytest.fixture(scope="module")
def bare_loop() -> ModuleType:
    path = ROOT / "training" / "bare_loop.py"
    spec = importlib.util.spec_from_file_location("bare_loop", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def two_iterations(bare_loop: ModuleType, world: Any, settings: PopulationSettings) -> list[Any]:
    rows = bare_loop.train(world, settings=settings, learning=SMALL)
    return [next(rows) for _ in range(2)]


def test_an_actor_from_outside_the_package_is_trained(table: str, bare_loop: ModuleType) -> None:
    settings = PopulationSettings(actor=table)
    for row in two_iterations(bare_loop, "mirrorenv/ants-v0", settings):
        assert all(np.isfinite(value) for value in row.values())


def test_observers_cannot_read_through_an_actor_without_a_trunk(table: str) -> None:
    with pytest.raises(ConfigError, match=r"no trunk.*observer\.trunk to separate"):
        Population(DISCRETE, PopulationSettings(actor=table, observer={"trunk": "shared"}))


def test_an_unknown_actor_is_refused_with_the_closest_name() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean gru"):
        Population(DISCRETE, PopulationSettings(actor="gruu"))


@pytest.mark.parametrize("world", [Mixing, Factoring, Nesting])
@pytest.mark.parametrize("head", ["additive", "likelihood"])
def test_a_world_of_several_actions_is_trained_on(
    world: Any, head: str, bare_loop: ModuleType
) -> None:
    settings = PopulationSettings(hidden=8, observer={"head": head, "hidden": 8})
    for row in two_iterations(bare_loop, world, settings):
        assert all(np.isfinite(value) for value in row.values())


@pytest.mark.parametrize("actor", ENCODERS)
def test_somebody_elses_encoder_is_trained(actor: str, bare_loop: ModuleType) -> None:
    settings = PopulationSettings(actor=actor, hidden=8)
    for row in two_iterations(bare_loop, "mirrorenv/ants-v0", settings):
        assert all(np.isfinite(value) for value in row.values())


@pytest.mark.parametrize("weights", ["separate", "shared"])
@pytest.mark.parametrize("made", [Leaky, Cell])
def test_a_stack_of_modules_is_what_each_is_by_itself(made: Any, weights: str) -> None:
    before = torch.random.get_rng_state()
    actor = population(f"{HERE}:{made.__name__}", weights, "shared").actor
    assert torch.equal(before, torch.random.get_rng_state())  # torch's own state is put back
    seen = some_episodes()[0]
    whole = actor.sequence(seen).hidden["trunk"]  # (B, T, N, H)
    stacked = actor.trunk
    assert isinstance(stacked, StackedEncoder)
    for agent in range(AGENTS):
        alone = made(seen.shape[-1], 8)
        number = agent if weights == "separate" else 0
        alone.load_state_dict(
            {name: value[number] for name, value in stacked.stacked.state_dict().items()}
        )
        state = torch.zeros(len(seen), stacked.state_size)
        for t in range(seen.shape[1]):
            given = (
                alone(seen[:, t, agent], state) if stacked.state_size else alone(seen[:, t, agent])
            )
            hidden, state = given if stacked.state_size else (given, state)
            torch.testing.assert_close(whole[:, t, agent], hidden, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("actor", ENCODERS)
def test_stacked_modules_differ_share_no_gradient_and_follow_the_seed(actor: str) -> None:
    one, same = (population(actor).actor for _ in range(2))
    for name, value in one.state_dict().items():
        assert torch.equal(value, same.state_dict()[name])
    output = one.sequence(some_episodes()[0])
    output.environment_value[:, :, 1].square().sum().backward()  # type: ignore[no-untyped-call]
    assert isinstance(one, SeparateActor)
    for name, parameter in one.trunk.named_parameters():
        assert not torch.equal(parameter[0], parameter[1]) and parameter.grad is not None, name
        assert parameter.grad[1].abs().sum() > 0 and parameter.grad[[0, 2]].abs().sum() == 0, name


@pytest.mark.parametrize(
    ("actor", "says"),
    [
        (f"{HERE}:Wrong", "must turn rows"),
        (f"{HERE}:Nothing", "cannot be imported"),
        ("no_such_module_at_all:Encoder", "cannot be imported"),
        (f"{HERE}:SMALL", "expected a class"),
        ("torch.nn:Bilinear", "is made as Encoder"),
    ],
)
def test_what_is_no_encoder_is_refused(actor: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        population(actor)


def test_a_checkpoint_may_not_name_code_that_nobody_has_named(tmp_path: Path) -> None:
    save_population(tmp_path / "c", population(ENCODERS[0]), {"world": "w"})
    config = (tmp_path / "c" / "config.json").read_text("utf-8")
    read, _ = load_population(tmp_path / "c")  # this module is imported already
    assert read.settings.actor == ENCODERS[0]
    stranger = config.replace(HERE, "some_module_nobody_imported")
    (tmp_path / "c" / "config.json").write_text(stranger, "utf-8")
    from mirrorenv.results import write_manifest

    write_manifest(tmp_path / "c", ["population.safetensors", "config.json"])
    with pytest.raises(CheckpointError, match="names code to run"):
        load_population(tmp_path / "c")
