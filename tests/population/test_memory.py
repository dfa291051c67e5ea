"""What is large is there once, no larger than it was shown: images of an iteration."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from gymnasium import spaces

from mirrorenv.envs import UniformPolicy, play_episodes
from mirrorenv.envs.base import ClockedWorld
from mirrorenv.population import Population, population_shape
from mirrorenv.population.episodes import sample_episodes
from mirrorenv.population.experience import Experience
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.neighbourhood import neighbourhoods_of
from mirrorenv.population.reading import (
    observer_evidence,
    play_held_out,
    policy_log_probabilities,
)
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings
from mirrorenv.population.train_batch import limit_author_log_belief
from mirrorenv.rllib import in_process
from mirrorenv.rllib.settings import RunSettings

SIDE = (84, 84, 3)
EPISODES = 4
HORIZON = 16


class Pictures(ClockedWorld):
    """Agents that see images, another in every step, episode and place, and choose one of two."""

    def __init__(self, num_envs: int, dtype: type, side: tuple[int, ...] = SIDE) -> None:
        super().__init__(
            num_envs=num_envs,
            num_agents=2,
            horizon=HORIZON,
            observation_space=spaces.Box(0, 255, side, dtype),
            action_space=spaces.Discrete(2),
        )
        self.first = np.zeros((num_envs, 2), np.int64)  # (B, N)

    def _start(self) -> None:
        self.first = self.random.integers(200, (2,))

    def _advance(self, actions, live):
        return (self.first + actions) / 200, None

    def _observe(self):
        space = self.observation_space
        brightness = (self.first + self.clock[:, None]).astype(space.dtype)  # (B, N)
        lit = np.empty((self.num_envs, self.num_agents, *space.shape), space.dtype)
        lit.reshape(*brightness.shape, -1)[:] = brightness[:, :, None]
        return lit


def settings_of(update: str) -> RunSettings:
    """An iteration of a few episodes, learned from in two epochs."""
    learning = {"episodes_per_iteration": EPISODES, "minibatch_episodes": 2, "epochs": 2}
    return RunSettings(
        world="mirrorenv/ants-v0",  # replaced by pictures
        learning={**learning, "update": update},
        population={"hidden": 4, "observer": {"hidden": 4}},
    )


@pytest.mark.parametrize("update", ["plain", "fast"])
def test_images_stay_uint8_up_to_the_minibatch_and_teach_what_floats_teach(
    update: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = []
    for dtype in (np.uint8, np.float32):
        world = Pictures(EPISODES, dtype, (6, 5, 3))
        assert play_episodes(world, UniformPolicy(world), range(9)).observations.dtype == dtype
        monkeypatch.setattr(in_process, "make_batch", lambda *_, world=world, **__: world)
        held: list[np.dtype] = []
        sample = in_process.sample_episodes
        read: set[torch.dtype] = set()
        chosen = in_process.minibatches

        def watched(*given, sample=sample, held=held, **named):
            columns = sample(*given, **named)
            held.append(columns["observations"].dtype)
            return columns

        def seen(*given, chosen=chosen, read=read, held=held):
            assert given[0]["observations"].numpy().dtype == held[-1]
            for minibatch in chosen(*given):
                read.add(minibatch["observations"].dtype)
                yield minibatch

        with monkeypatch.context() as patch:
            patch.setattr(in_process, "sample_episodes", watched)
            patch.setattr(in_process, "minibatches", seen)
            run = in_process.InProcess(settings_of(update), population_shape(world))
            for _ in range(2):
                run.iterate()
        assert held == [np.dtype(dtype)] * 2
        assert read == {torch.float32}
        record = play_held_out(run.population, world, seed=1)
        assert record.observations.dtype == dtype
        weights.append([*run.population.state_dict().values(), held_out_figures(run, record)])
    for ours, theirs in zip(*weights, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def held_out_figures(run: in_process.InProcess, record: Experience) -> torch.Tensor:
    """What evaluations rest on, as one row of numbers."""
    lineups = neighbourhoods_of(run.population, record, run=0, episodes=record.episode)
    found = [
        observer_evidence(run.population, record, lineups),
        policy_log_probabilities(run.population, record),
        limit_author_log_belief(run.population, record),
    ]
    return torch.cat([torch.from_numpy(one).double().flatten() for one in found])


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("update", ["plain", "fast"])
def test_the_images_of_an_iteration_are_in_memory_once(update: str, dtype: type) -> None:
    world = Pictures(EPISODES, dtype)
    population = Population(
        population_shape(world), PopulationSettings(hidden=4, observer={"hidden": 4}), 0
    )
    mirror = MirrorSettings()
    learning = LearningSettings(episodes_per_iteration=EPISODES, update=update)
    set_objectives(population, mirror, learning)
    step = (
        EPISODES * 2 * int(np.prod(SIDE)) * np.dtype(dtype).itemsize
    )  # bytes of what a step shows
    torch.zeros(1)
    tracemalloc.start()
    try:
        columns = sample_episodes(
            world,
            population,
            mirror,
            learning,
            run=0,
            episodes=np.arange(EPISODES),
            iteration=0,
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    column = columns["observations"]
    assert column.nbytes == HORIZON * step
    # beside the column: what the world shows, keeps and showed before, and masks of an episode
    assert most < column.nbytes + 6 * step
