"""Whole episodes played by a population, and what the mirror makes of them.

Shapes: B episodes, T time, N agents, K lineup slots, J observers, D observation, A action.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mirrorenv.envs.base import ArrayWorld, image_of
from mirrorenv.envs.episodes import Moment, moments
from mirrorenv.errors import ShapeError, TrainingError, WorldError
from mirrorenv.mirror.arrays import AnyArray, Floats32, Ints64
from mirrorenv.mirror.trajectory import RECORDED, EpisodeBatch
from mirrorenv.population.acting import PopulationPolicy
from mirrorenv.population.actions import layout_of
from mirrorenv.population.actors.base import ActorOutput
from mirrorenv.population.objectives.feeding import FED
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationShape

__all__ = [
    "HELD_OUT_EPISODES",
    "Experience",
    "experience_of",
    "play",
    "population_shape",
    "to_world",
    "world_seeds",
]

HELD_OUT_EPISODES = 1 << 31
"""Episode ids from here on are never trained on."""


@dataclass(frozen=True, eq=False)
class Experience(EpisodeBatch):
    """Episodes that a population played: the record, and in columns what its policies thought.

    Observations are flattened, (B, T, N, D) float32, or uint8 where the world
    shows images; actions as the policies chose them, (B, T, N)
    int64 or (B, T, N, A) float32 in (-1, 1). Besides the columns below there is `fed`, (B, T, N,
    F), what an auxiliary fed agents beside their observations, if one did.
    """

    @property
    def log_probability(self) -> Floats32:
        """(B, T, N), of the action under the policy that took it."""
        return self.column("log_probability")

    @property
    def environment_value(self) -> Floats32:
        """(B, T, N), the environment critic before each step."""
        return self.column("environment_value")

    @property
    def mirror_value(self) -> Floats32:
        """(B, T, N), the mirror critic before each step."""
        return self.column("mirror_value")

    @property
    def last_value(self) -> Floats32:
        """(B, N), the environment critic after an agent's last step if it was cut off, 0 if it
        ended."""
        return self.column("last_value")

    @property
    def last_mirror_value(self) -> Floats32:
        """(B, N), the mirror critic as in `last_value`, for rewards that are discounted."""
        return self.column("last_mirror_value")

    @property
    def episode(self) -> Ints64:
        """(B,) ids of the episodes within their run; held-out episodes carry them."""
        return self.column("episode")

    @property
    def env_steps(self) -> int:
        """Joint steps that happened."""
        return int(self.mask.any(axis=2).sum())


def population_shape(world: ArrayWorld) -> PopulationShape:
    """What a world fixes about its population.

    Raises:
        WorldError: if there is one agent only, or its action space is neither Discrete nor a
            bounded one-dimensional Box.
    """
    if len(world.agents) < 2:
        raise WorldError(
            f"{type(world.unwrapped).__name__} has one agent, and a lineup of one names it: "
            "num_agents must be at least 2"
        )
    size = int(np.prod(world.observation_space.shape or ()))
    try:
        layout = layout_of(world.action_space)
    except WorldError as error:
        raise WorldError(f"{type(world.unwrapped).__name__}: {error}") from error
    return PopulationShape(
        num_agents=len(world.agents),
        observation_size=size,
        actions=layout,
        mask_from=world.mask_from,
        image=world.image_shape or image_of(world.observation_space.shape or ()),
    )


def world_seeds(run: int, episodes: NDArray[np.int64]) -> NDArray[np.uint64]:
    """The seed of each episode's world, (B,): distinct for every (run, episode), whoever plays
    it."""
    return (np.uint64(run % 2**31) << np.uint64(32)) + episodes.astype(np.uint64)


@torch.no_grad()
def play(
    world: ArrayWorld, population: Population, seeds: NDArray[Any], generator: torch.Generator
) -> Experience:
    """Play one episode for each seed.

    Args:
        world: a batch of B = len(seeds) worlds.
        population: who acts.
        seeds: (B,) world seeds.
        generator: source of the agents' random choices.

    Raises:
        TrainingError: if an observation, an action or a reward is not finite.
    """
    policy = PopulationPolicy(population, generator)
    lead = (len(seeds), population.shape.num_agents)
    last_value = np.zeros(lead, np.float32)
    last_mirror_value = np.zeros(lead, np.float32)
    columns: dict[str, AnyArray] = {}
    for moment in moments(world, policy, world.reset(seeds)):
        for name, column in _columns(policy, moment).items():
            if name not in columns:  # once for the whole episode, so that it is there only once
                shape = (column.shape[0], world.horizon, *column.shape[1:])
                columns[name] = np.zeros(shape, column.dtype)
            columns[name][:, moment.t] = column
        # value of the state the episode was cut off in; the memory is advanced in a copy only
        cut = moment.ended & ~moment.step.terminated
        if cut.any():
            seen = policy.rows(moment.step.observations)
            after, _ = population.actor.step(seen, moment.state.memory)
            last_value = np.where(cut, after.environment_value.numpy(), last_value)
            last_mirror_value = np.where(cut, after.mirror_value.numpy(), last_mirror_value)
    observations, actions, rewards, mask = (columns.pop(name) for name in RECORDED)
    ends = {"last_value": last_value, "last_mirror_value": last_mirror_value}
    return experience_of(world, observations, actions, rewards, mask, columns | ends)


def experience_of(
    world: ArrayWorld,
    observations: AnyArray,
    actions: AnyArray,
    rewards: AnyArray,
    mask: AnyArray,
    columns: dict[str, AnyArray],
) -> Experience:
    """What was played, once it is known to be finite.

    Args:
        world: who showed and paid it, for the message.
        observations: (B, T, N, D) float32 or uint8.
        actions: (B, T, N, ...) as the population's layout holds them.
        rewards: (B, T, N) float32.
        mask: (B, T, N) bool.
        columns: whatever else, (B, ...) each.

    Raises:
        TrainingError: if an observation, an action or a reward is not finite.
    """
    try:
        return Experience(observations, actions, rewards, mask, columns)
    except ShapeError as error:
        raise TrainingError(
            f"{type(world.unwrapped).__name__}: {error}; does the world show or pay NaN or "
            "infinity?"
        ) from error


def _columns(policy: PopulationPolicy, moment: Moment) -> dict[str, NDArray[Any]]:
    """What is kept of one step, (B, N, ...) each, under the names of `Experience`."""
    output: ActorOutput = moment.state.output
    actions: torch.Tensor = moment.state.actions
    kept = {
        "observations": policy.flat(moment.observations),
        "actions": actions.numpy(),
        "log_probability": output.distribution.log_probability(actions).numpy(),
        "environment_value": output.environment_value.numpy(),
        "mirror_value": output.mirror_value.numpy(),
        "rewards": np.where(moment.live, moment.step.rewards, 0.0).astype(np.float32),
        "mask": moment.live,
    }
    if FED in output.hidden:
        kept["fed"] = output.hidden[FED].numpy()
    return kept


def to_world(actions: torch.Tensor, shape: PopulationShape) -> NDArray[Any]:
    """Choices as they are; vectors from (-1, 1) to the world's bounds."""
    return shape.actions.to_world(actions.numpy())
