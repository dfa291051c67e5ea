"""Episodes to learn from: played step by step as everybody plays, or with the steps' work laid out
beforehand, where `learning.update = "fast"` and the actors' networks are known.

Then everything that does not depend on the world is done for the whole episode at once: chance is
drawn before it, log probabilities and values are read off after it. In between, a step is three
products into buffers that are there already. The law of the episodes is that of `play`; the draws
are others.

Shapes: B batch, T time, N agents, S stack, R rows of one network, H hidden, O outputs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.episodes import moments
from mirrorenv.mirror.arrays import AnyArray, Floats32, kept_dtype
from mirrorenv.population.actors.network import NetworkActor
from mirrorenv.population.columns import as_floats
from mirrorenv.population.experience import Experience, experience_of, play
from mirrorenv.population.population import Population

__all__ = ["LaidOut", "rollout"]


@torch.no_grad()
def rollout(
    world: ArrayWorld, population: Population, seeds: NDArray[Any], generator: torch.Generator
) -> Experience:
    """Play one episode for each seed, to learn from it.

    Args:
        world: a batch of B = len(seeds) worlds.
        population: who acts.
        seeds: (B,) world seeds.
        generator: source of the agents' random choices.

    Raises:
        TrainingError: if an observation, an action or a reward is not finite.
    """
    actor = population.actor
    if not (isinstance(actor, NetworkActor) and actor.fusable):
        return play(world, population, seeds, generator)
    policy = LaidOut(population, actor, world, generator)
    if policy.noise is None:  # a distribution that draws by itself
        return play(world, population, seeds, generator)
    lead = (len(seeds), world.horizon, population.shape.num_agents)
    rewards = np.zeros(lead, np.float32)
    mask = np.zeros(lead, bool)
    last_values = np.zeros((2, *lead[::2]), np.float32)
    played = 0
    for moment in moments(world, policy, world.reset(seeds)):
        np.multiply(moment.step.rewards, moment.live, out=rewards[:, moment.t], casting="same_kind")
        mask[:, moment.t] = moment.live
        played = moment.t + 1
        # value of the state the episode was cut off in
        cut = moment.ended & ~moment.step.terminated
        if cut.any():
            values = policy.values(moment.step.observations)
            last_values = np.where(cut, values, last_values)
    columns = policy.columns(played)
    columns |= {"last_value": last_values[0], "last_mirror_value": last_values[1]}
    return experience_of(world, policy.seen, policy.actions.numpy(), rewards, mask, columns)


class LaidOut:
    """A population as a pure policy that keeps a whole batch of episodes in its own buffers.

    Args:
        population: who acts.
        actor: its actors.
        world: B copies.
        generator: source of the agents' random choices.

    Attributes:
        noise: (T, B, N, ...) what chance adds to every choice; None if the distribution does not
            say.
        seen: (B, T, N, D) float32 or uint8, observations.
        actions: (B, T, N, ...) as the population's layout holds them.
    """

    def __init__(
        self,
        population: Population,
        actor: NetworkActor,
        world: ArrayWorld,
        generator: torch.Generator,
    ) -> None:
        self.actor = actor
        self.layout = population.shape.actions
        dtype = kept_dtype(world.observation_space.dtype)
        batch = world.num_envs
        time = world.horizon
        agents = population.shape.num_agents
        self._weights = actor.acting_weights()
        outputs = self.layout.policy_outputs + 2
        rows = batch * agents // actor.stack
        hidden = self._weights[0].shape[-1]
        self._first = torch.empty(actor.stack, rows, hidden)
        self._second = torch.empty(actor.stack, rows, hidden)
        self._outputs = torch.zeros(time, actor.stack, outputs, rows)
        nothing = torch.zeros(time, batch, agents, self.layout.policy_outputs)
        self.noise = actor.distribution(nothing).noise(generator)
        self.seen = np.zeros((batch, time, agents, population.shape.observation_size), dtype)
        whole = torch.int64 if self.layout.whole else torch.float32
        self.actions = torch.zeros(batch, time, agents, *self.layout.shape, dtype=whole)

    def initial_state(self, batch: int) -> None:
        """Nothing: what is kept is in the buffers."""

    def step(self, observations: AnyArray, state: None, t: int) -> tuple[AnyArray, None]:
        """One joint action; see `mirrorenv.envs.episodes.PurePolicy`.

        Args:
            observations: (B, N, *obs) float32 or uint8.
            state: nothing.
            t: steps done.
        """
        assert self.noise is not None
        self.seen[:, t] = observations.reshape(self.seen[:, t].shape)
        outputs = self._said(self.seen[:, t], self._outputs[t])  # (B, N, O)
        allowed = self.actor.allowed(torch.from_numpy(self.seen[:, t]))
        actions = self.actor.distribution(outputs[..., :-2], allowed).choose(self.noise[t])
        self.actions[:, t] = actions
        return self.layout.to_world(actions.numpy()), None

    def values(self, observations: AnyArray) -> Floats32:
        """(2, B, N), both critics on observations (B, N, *obs)."""
        seen = observations.reshape(self.seen[:, 0].shape)
        outputs = self._said(seen, torch.empty_like(self._outputs[0]))
        return outputs[..., -2:].movedim(-1, 0).numpy()

    def columns(self, played: int) -> dict[str, AnyArray]:
        """What the policies thought, (B, T, N) float32 each, zero from step `played` on."""
        by_step = self._outputs.permute(1, 0, 3, 2)  # (S, T, R, O)
        outputs = self.actor.unfold(by_step, len(self.seen))  # (B, T, N, O)
        allowed = self.actor.allowed(torch.from_numpy(self.seen))
        distribution = self.actor.distribution(outputs[..., :-2], allowed)
        found = {
            "log_probability": distribution.log_probability(self.actions),
            "environment_value": outputs[..., -2],
            "mirror_value": outputs[..., -1],
        }
        columns = {name: np.ascontiguousarray(one.numpy()) for name, one in found.items()}
        for column in columns.values():
            column[:, played:] = 0.0
        return columns

    def _said(self, seen: AnyArray, place: Tensor) -> Tensor:
        """Outputs (B, N, O) of policies and critics on observations (B, N, D), written to `place`,
        (S, O, R)."""
        weight_1, bias_1, weight_2, bias_2, weight, bias = self._weights
        shown = as_floats(torch.from_numpy(seen))
        rows = self.actor.fold(shown.unsqueeze(1)).squeeze(1)  # (S, R, F)
        first = torch.baddbmm(bias_1, rows, weight_1, out=self._first).sigmoid_()
        second = torch.baddbmm(bias_2, first, weight_2, out=self._second).sigmoid_()
        torch.baddbmm(bias, weight, second.transpose(1, 2), out=place)
        return self.actor.unfold(place.transpose(1, 2).unsqueeze(1), len(seen))[:, 0]
