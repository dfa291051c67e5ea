"""A form of action is one class beside the world that needs it: here is one that the package does
not know, with a distribution of its own, and a world whose space no other form takes.

Shapes: B batch, N agents, A numbers of an action.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import pytest
import torch
from gymnasium import spaces
from pydantic import ValidationError
from torch import Tensor

import mirrorenv
from mirrorenv.envs import ClockedWorld
from mirrorenv.envs.world_spec import WORLDS
from mirrorenv.errors import CheckpointError, ConfigError, WorldError
from mirrorenv.population.actions import (
    ActionLayout,
    Choice,
    Mixed,
    known_layouts,
    layout_of,
    register_layout,
    registry,
)
from mirrorenv.population.checkpoint import load_population, save_population
from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.observers import HEADS
from mirrorenv.population.population import Population
from mirrorenv.population.settings import LearningSettings, PopulationSettings, PopulationShape
from tests.population.small import population, some_experience

SPACE = spaces.Box(np.array([0, -2], np.float32), np.array([1, 5], np.float32))
BARE_LOOP = Path(__file__).resolve().parents[2] / "training" / "bare_loop.py"


class Kumaraswamy(ActionDistribution):
    """2 x - 1 with x of the distribution of Kumaraswamy (1980), which has a closed form for all
    that is asked: P(x <= q) = 1 - (1 - q^a)^b."""

    def __init__(self, outputs: Tensor) -> None:
        self.outputs = outputs
        self.a, self.b = torch.nn.functional.softplus(outputs + 0.5413).chunk(2, -1)  # 1 at 0

    def sample(self, generator: torch.Generator) -> Tensor:
        u = torch.rand(self.a.shape, generator=generator).clamp(1e-4, 1 - 1e-4)
        x = (1 - (1 - u) ** (1 / self.b)) ** (1 / self.a)
        return (2 * x - 1).clamp(-0.9999, 0.9999)

    def log_probability(self, actions: Tensor) -> Tensor:
        x = (actions + 1) / 2
        density = (self.a * self.b / 2).log() + (self.a - 1) * x.log()
        return (density + (self.b - 1) * torch.log1p(-(x**self.a))).sum(-1)

    def entropy(self) -> Tensor:
        harmonic = torch.digamma(self.b + 1) + 0.5772156649
        each = (1 - 1 / self.b) + (1 - 1 / self.a) * harmonic - (self.a * self.b / 2).log()
        return each.sum(-1)


class Ranges(ActionLayout):
    """Numbers with bounds of their own."""

    kind: Literal["ranges"] = "ranges"
    low: tuple[float, ...]
    high: tuple[float, ...]

    @classmethod
    def of_space(cls, space: spaces.Space[Any]) -> Self | None:
        if not isinstance(space, spaces.Box) or len(space.shape) != 1 or not space.is_bounded():
            return None
        return cls(low=tuple(space.low.tolist()), high=tuple(space.high.tolist()))

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.low),)

    @property
    def whole(self) -> bool:
        return False

    @property
    def policy_outputs(self) -> int:
        return 2 * len(self.low)

    def distribution(
        self, outputs: Tensor, log_std: Tensor | None = None, allowed: Tensor | None = None
    ) -> ActionDistribution:
        return Kumaraswamy(outputs)

    def to_world(self, actions: Any) -> Any:
        low, high = np.array(self.low), np.array(self.high)
        return (low + (high - low) * (actions + 1) / 2).astype(np.float32)

    def columns(self) -> Iterator[tuple[int, int | None]]:
        return iter((i, None) for i in range(len(self.low)))


class Throwing(ClockedWorld):
    """Everybody throws: how hard, 0 to 1, and which way, -2 to 5; the way is paid."""

    def __init__(self, *, num_envs: int = 1, num_agents: int = 3, horizon: int = 4) -> None:
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(-2.0, 5.0, (2,), np.float32),
            action_space=SPACE,
        )

    def _start(self) -> None:
        self.seen = np.zeros((self.num_envs, self.num_agents, 2), np.float32)

    def _advance(self, actions: Any, live: Any) -> Any:
        assert all(SPACE.contains(one) for row in actions for one in row)
        self.seen[live] = actions[live]
        return actions[..., 1], None

    def _observe(self) -> Any:
        return self.seen.copy()


@pytest.fixture
def ranges(monkeypatch: pytest.MonkeyPatch) -> type[Ranges]:
    monkeypatch.setattr(registry, "_LAYOUTS", known_layouts())  # a copy: it is gone afterwards
    return register_layout(Ranges)


def test_without_the_form_the_space_is_refused_and_the_way_is_named() -> None:
    with pytest.raises(WorldError, match="register_layout"):
        layout_of(SPACE)


def test_a_form_from_outside_is_found_for_its_space_and_inside_a_mixture(ranges: Any) -> None:
    assert layout_of(SPACE) == Ranges(low=(0, -2), high=(1, 5))
    both = spaces.Tuple((spaces.Discrete(3), SPACE))
    assert layout_of(both) == Mixed(parts=(Choice(choices=3), layout_of(SPACE)))
    assert isinstance(layout_of(spaces.Discrete(3)), Choice)


def test_its_distribution_is_one() -> None:
    outputs = torch.tensor([[0.3, 2.0], [1.0, 0.5]])  # two distributions of one number
    law = Kumaraswamy(outputs)
    grid = (torch.arange(40_000) + 0.5) / 20_000 - 1
    density = law.log_probability(grid[:, None, None].expand(-1, 2, 1)).exp()  # (grid, 2)
    torch.testing.assert_close(density.mean(0) * 2, torch.ones(2), atol=1e-3, rtol=0)
    entropy = -(density * density.clamp_min(1e-30).log()).mean(0) * 2
    torch.testing.assert_close(law.entropy(), entropy, atol=5e-3, rtol=0)


def test_a_world_of_its_actions_is_trained_on(ranges: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = importlib.util.spec_from_file_location("bare_loop", BARE_LOOP)
    assert spec is not None and spec.loader is not None
    bare_loop = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bare_loop)
    known = mirrorenv.spec("mirrorenv/ants-v0")
    throwing = replace(known, id="outside/throwing-v0", entry_point=f"{__name__}:Throwing")
    monkeypatch.setitem(WORLDS, throwing.id, throwing)  # it is gone afterwards
    small = LearningSettings(episodes_per_iteration=8, minibatch_episodes=4, epochs=1)
    settings = PopulationSettings(hidden=8, observer={"hidden": 8})
    rows = bare_loop.train("outside/throwing-v0", settings=settings, learning=small)
    for row in (next(rows), next(rows)):
        assert all(math.isfinite(value) for value in row.values())


@pytest.mark.parametrize("head", HEADS)
def test_every_head_reads_it(head: str, ranges: Any) -> None:
    shape = PopulationShape(num_agents=3, observation_size=2, actions=layout_of(SPACE))
    experience = some_experience(population(head=head, shape=shape))
    assert experience.actions.shape[-1] == 2 and np.abs(experience.actions).max() < 1


def test_it_survives_a_checkpoint_and_where_it_is_unknown_the_remedy_is_named(
    ranges: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shape = PopulationShape(num_agents=3, observation_size=2, actions=layout_of(SPACE))
    assert PopulationShape.model_validate_json(shape.model_dump_json()) == shape
    save_population(tmp_path / "c", Population(shape, PopulationSettings()), {"world": "w"})
    assert load_population(tmp_path / "c")[0].shape == shape
    without = {kind: form for kind, form in known_layouts().items() if kind != "ranges"}
    monkeypatch.setattr(registry, "_LAYOUTS", without)
    with pytest.raises(CheckpointError, match=r"has the kind 'ranges'.*import"):
        load_population(tmp_path / "c")


def test_a_kind_is_taken_once_and_must_be_there() -> None:
    class Other(ActionLayout):
        kind: Literal["choice"] = "choice"

    class Unnamed(ActionLayout):
        pass

    with pytest.raises(ConfigError, match="'choice' is that of Choice"):
        register_layout(Other)
    with pytest.raises(ConfigError, match="Unnamed has no kind"):
        register_layout(Unnamed)


def test_wrong_data_of_a_form_is_refused_with_its_place() -> None:
    with pytest.raises(ValidationError, match="choice: choices"):
        PopulationShape(num_agents=2, observation_size=1, actions={"kind": "choice", "choices": 0})
