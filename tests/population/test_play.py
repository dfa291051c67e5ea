"""Whole episodes by a population: masks, last values, scaling of actions, repeatability.

Shapes: B batch, T time, N agents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from mirrorenv.envs import make_batch
from mirrorenv.envs.base import ArrayWorld, Step
from mirrorenv.errors import WorldError
from mirrorenv.population.experience import play, population_shape, world_seeds
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationSettings


class Countdown(ArrayWorld):
    """Agent 0 ends at step 2, agent 1 is cut off at step 4, agent 2 at the horizon; the observation
    is the step."""

    def __init__(self, num_envs: int = 2, horizon: int = 6, space: Any = None) -> None:
        self.agents, self.num_envs, self.horizon = ("a", "b", "c"), num_envs, horizon
        self.observation_space = spaces.Box(0.0, 10.0, (1,))
        self.action_space = space or spaces.Discrete(2)
        self.received: list[np.ndarray] = []

    def reset(self, seeds: Any) -> np.ndarray:
        self.t = 0
        return self._observe()

    def step(self, actions: Any) -> Step:
        self.received.append(np.array(actions))
        self.t += 1
        ended = np.tile([self.t >= 2, False, False], (self.num_envs, 1))
        cut = np.tile([False, self.t >= 4, self.t >= self.horizon], (self.num_envs, 1))
        return Step(self._observe(), np.ones((self.num_envs, 3), np.float32), ended, cut)

    def _observe(self) -> np.ndarray:
        return np.full((self.num_envs, 3, 1), float(self.t), np.float32)


def ready(world: ArrayWorld, trunk: str = "gru", seed: int = 0) -> Population:
    return Population(
        population_shape(world), PopulationSettings(actor=trunk, initial_gain=1.0), seed
    )


def test_every_agent_is_recorded_until_its_own_end() -> None:
    world = Countdown()
    record = play(world, ready(world), np.arange(2), torch.Generator().manual_seed(0))
    assert record.mask.sum(1).tolist() == [[2, 4, 6]] * 2
    np.testing.assert_array_equal(record.rewards, record.mask.astype(np.float32))
    assert record.env_steps == 12
    np.testing.assert_array_equal(record.observations[0, :, 2, 0], np.arange(6))


@pytest.mark.parametrize("trunk", ["mlp", "gru"])
def test_only_who_was_cut_off_has_a_value_to_come(trunk: str) -> None:
    world = Countdown()
    model = ready(world, trunk)
    record = play(world, model, np.arange(2), torch.Generator().manual_seed(0))
    assert not record.last_value[:, 0].any()
    longer = torch.arange(7, dtype=torch.float32).view(1, 7, 1, 1).expand(2, 7, 3, 1)
    with torch.no_grad():
        value = model.actor.sequence(longer).environment_value
    np.testing.assert_allclose(record.last_value[:, 1], value[:, 4, 1], atol=1e-5)
    np.testing.assert_allclose(record.last_value[:, 2], value[:, 6, 2], atol=1e-5)
    np.testing.assert_allclose(record.environment_value[:, :4, 1], value[:, :4, 1], atol=1e-5)


def test_an_early_end_of_all_is_padded_to_the_horizon() -> None:
    class Short(Countdown):
        def step(self, actions: Any) -> Step:
            return (
                super().step(actions)._replace(terminated=np.full((self.num_envs, 3), self.t >= 3))
            )

    world = Short()
    record = play(world, ready(world), np.arange(2), torch.Generator().manual_seed(0))
    assert record.mask.shape == (2, 6, 3) and record.observations.shape == (2, 6, 3, 1)
    assert record.mask.sum(1).tolist() == [[3, 3, 3]] * 2
    assert not record.observations[:, 3:].any() and not record.log_probability[:, 3:].any()
    assert len(world.received) == 3


def test_recorded_probabilities_are_those_of_the_policies() -> None:
    world = make_batch("mirrorenv/ants-v0", num_envs=6)
    model = ready(world)
    record = play(world, model, np.arange(6), torch.Generator().manual_seed(0))
    with torch.no_grad():
        output = model.actor.sequence(torch.from_numpy(record.observations))
        log_p = output.distribution.log_probability(torch.from_numpy(record.actions))
    np.testing.assert_allclose(record.log_probability, log_p, atol=1e-4)
    np.testing.assert_allclose(record.mirror_value, output.mirror_value, atol=1e-4)


def test_continuous_actions_are_recorded_in_minus_one_to_one_and_played_within_bounds() -> None:
    world = Countdown(space=spaces.Box(2.0, 6.0, (2,)))
    record = play(world, ready(world), np.arange(2), torch.Generator().manual_seed(0))
    assert record.actions.shape == (2, 6, 3, 2) and np.abs(record.actions).max() < 1.0
    played = np.stack(world.received, 1)
    assert played.min() >= 2.0 and played.max() <= 6.0
    np.testing.assert_allclose(played, 4.0 + 2.0 * record.actions, atol=1e-5)


def test_the_same_seeds_give_the_same_episodes_and_leave_the_global_state_alone() -> None:
    world = make_batch("mirrorenv/ants-v0", num_envs=4)
    before = torch.random.get_rng_state()
    records = [
        play(world, ready(world), np.arange(4), torch.Generator().manual_seed(s)) for s in (0, 0, 1)
    ]
    np.testing.assert_array_equal(records[0].actions, records[1].actions)
    assert not np.array_equal(records[0].actions, records[2].actions)
    assert torch.equal(before, torch.random.get_rng_state())


def test_world_seeds_are_distinct_for_every_run_and_episode() -> None:
    episodes = np.arange(50, dtype=np.int64)
    seeds = np.concatenate([world_seeds(run, episodes) for run in (0, 1, 2**20)])
    assert len(np.unique(seeds)) == 150


@pytest.mark.parametrize(
    "space",
    [
        spaces.MultiDiscrete([2, 2], start=[0, 1]),
        spaces.Box(-np.inf, np.inf, (2,)),
        spaces.Discrete(3, start=1),
        spaces.Text(3),
    ],
)
def test_an_action_space_nobody_can_act_in_is_refused_by_name(space: Any) -> None:
    with pytest.raises(WorldError, match="Countdown"):
        population_shape(Countdown(space=space))
