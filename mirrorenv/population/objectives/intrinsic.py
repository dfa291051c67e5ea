"""What every intrinsic reward beside the mirror is: a model that learns with the population, and
what it pays.

All of them pay at every step, discounted and bootstrapped like the environment's reward, as in the
papers; the mirror reward alone is never discounted. All of them are divided by the horizon, so that
a whole episode is worth as much as in the mirror test (log N for a perfect name) and one weight
means the same for each.

Shapes: B episodes, T time, N agents, D observation, R rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mirrorenv.errors import unknown_name
from mirrorenv.population.experience import Experience
from mirrorenv.population.layers import StackedLinear, StackedMLP
from mirrorenv.population.population import Population
from mirrorenv.population.settings import ObserverSettings, PopulationShape

__all__ = [
    "REWARDS",
    "AuthorClassifier",
    "IntrinsicReward",
    "Network",
    "build_reward",
    "check_reward_name",
    "live_rows",
    "register_reward",
]

Floats = NDArray[np.float32]


class IntrinsicReward(nn.Module):
    """A reward that the population pays itself, in place of the mirror reward.

    Its model is central and sees every agent's steps with their names, unlike an observer. It is
    trained by Adam with the observers' step size, on the same minibatches.

    Args:
        shape: what the world fixes.
        settings: hidden units of the model.
        generator: source of its initial weights.
    """

    def __init__(
        self, shape: PopulationShape, settings: ObserverSettings, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.num_agents = shape.num_agents

    def loss(self, population: Population, batch: Mapping[str, Tensor]) -> Tensor:
        """The model's loss, a mean over steps.

        Args:
            population: knows how actions are encoded.
            batch: `observations` (B, T, N, D), `actions` (B, T, N[, A]) and `mask` (B, T, N), in
                agent order.
        """
        raise NotImplementedError

    def pay(self, population: Population, experience: Experience) -> Floats:
        """What every agent is paid at every step, (B, T, N) float32, zero where the mask is False.

        Args:
            population: who acted, with the weights it acted with.
            experience: B episodes.
        """
        with torch.no_grad():
            steps = self.steps(population, experience)
        paid: Floats = np.where(experience.mask, steps / experience.mask.shape[1], 0.0).astype(
            np.float32
        )
        return paid

    def steps(self, population: Population, experience: Experience) -> NDArray[np.floating]:
        """The formula of the paper at every step, (B, T, N); not divided by anything, anything
        where masked."""
        raise NotImplementedError


class Network(nn.Module):
    """One tanh network with two hidden layers, (..., F) -> (..., outputs); small at the start."""

    def __init__(
        self, features: int, hidden: int, outputs: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.trunk = StackedMLP(1, max(features, 1), hidden, generator)
        self.output = StackedLinear(1, hidden, outputs, 0.01, generator)

    def forward(self, rows: Tensor) -> Tensor:
        """(..., F) -> (..., outputs)."""
        if not rows.shape[-1]:  # a world without sight
            rows = rows.new_zeros(*rows.shape[:-1], 1)
        outputs: Tensor = self.output(
            self.trunk(rows.reshape(1, math.prod(rows.shape[:-1]), rows.shape[-1]))
        )
        return outputs.view(*rows.shape[:-1], outputs.shape[-1])


class AuthorClassifier(Network):
    """Logits of the author given a single observation, (..., D) -> (..., N). It sees no action and
    no history."""

    def __init__(
        self, shape: PopulationShape, settings: ObserverSettings, generator: torch.Generator
    ) -> None:
        super().__init__(shape.observation_size, settings.hidden, shape.num_agents, generator)

    def log_own(self, observations: Tensor) -> Tensor:
        """(B, T, N, D) -> (B, T, N), log q(i | o_i): how sure it is of the true author at every
        step."""
        log_q = self.forward(observations).log_softmax(-1)
        return torch.diagonal(log_q, dim1=-2, dim2=-1)


def live_rows(batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Observations (R, D) of the steps that happened, and whose they are (R,) int64."""
    mask = batch["mask"] > 0
    authors = torch.arange(mask.shape[-1], device=mask.device).expand_as(mask)
    return batch["observations"][mask], authors[mask]


RewardFactory = Callable[[PopulationShape, ObserverSettings, torch.Generator], IntrinsicReward]
REWARDS: dict[str, RewardFactory] = {}


def register_reward(name: str) -> Callable[[RewardFactory], RewardFactory]:
    """Class decorator: make a reward available under `mirror.reward = name`."""

    def add(factory: RewardFactory) -> RewardFactory:
        REWARDS[name] = factory
        return factory

    return add


def check_reward_name(name: str) -> None:
    """Whether `mirror.reward` can be this.

    Raises:
        UnknownNameError: if no reward of that name is registered.
    """
    if name != "mirror" and name not in REWARDS:
        raise unknown_name("reward", name, ["mirror", *REWARDS])


def build_reward(
    name: str, shape: PopulationShape, settings: ObserverSettings, seed: int = 0
) -> IntrinsicReward | None:
    """The reward of that name; None for the mirror, which is what the observers believe and no
    model of its own.

    Args:
        name: from `mirror.reward`.
        shape: what the world fixes.
        settings: hidden units.
        seed: of the model's initial weights; the global random state is not touched.

    Raises:
        UnknownNameError: if no reward of that name is registered.
    """
    check_reward_name(name)
    if name == "mirror":
        return None
    return REWARDS[name](shape, settings, torch.Generator().manual_seed(seed))
