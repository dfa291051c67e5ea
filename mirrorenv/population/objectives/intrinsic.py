"""What every reward beside the mirror is: an objective whose model learns with the population, and
what it pays.

All of them pay at every step, discounted and bootstrapped like the environment's reward, as in the
papers; the mirror reward alone is never discounted. All of them are divided by the horizon, so that
a whole episode is worth as much as in the mirror test (log N for a perfect name) and one weight
means the same for each.

Shapes: B episodes, T time, N agents, D observation, R rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import Floats32
from mirrorenv.population.experience import Experience
from mirrorenv.population.layers import StackedLinear, StackedMLP
from mirrorenv.population.objectives.base import (
    Batch,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    ObjectiveSettings,
)
from mirrorenv.population.population import Population
from mirrorenv.population.settings import ObserverSettings, PopulationShape
from mirrorenv.population.train_batch import Lots

__all__ = [
    "AuthorClassifier",
    "IntrinsicReward",
    "Network",
    "live_rows",
    "mean_of",
    "register_reward",
]


class IntrinsicReward(Objective):
    """A reward that the population pays itself, in place of the mirror reward.

    Its model is central and sees every agent's steps with their names, unlike an observer. It is
    trained by Adam with the observers' step size, on the same minibatches. A subclass gives
    `model_loss` and `steps`.

    Args:
        settings: of the objective.
        host: a population; its observers' sizes and step size are the model's.
        generator: source of the model's initial weights.

    Raises:
        ConfigError: if the host is no population.
    """

    pays = True
    reads_output = False

    def __init__(self, settings: ObjectiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        if host.shape is None:
            raise ConfigError(f"{settings.name} is a reward among agents: its host is a population")
        self.shape = host.shape
        self.num_agents = host.num_agents

    def parts(self) -> dict[str, tuple[nn.Module | Iterable[nn.Parameter], float]]:
        """See `Objective.parts`."""
        return {"reward": (self, self.host.observer.learning_rate)}

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Objective.loss`."""
        assert population is not None
        loss = self.model_loss(population, batch)
        return loss, {"reward_loss": loss.detach()}

    def model_loss(self, population: Population, batch: Batch) -> Tensor:
        """The model's loss, a mean over steps.

        Args:
            population: knows how actions are encoded.
            batch: `observations` (B, T, N, D), `actions` (B, T, N[, A]) and `mask` (B, T, N), in
                agent order.
        """
        raise NotImplementedError

    def pay(self, population: Population, experience: Experience, lots: Lots) -> Floats32:
        """See `Objective.pay`: `steps` over the horizon."""
        with torch.no_grad():
            steps = self.steps(population, experience)
        paid: Floats32 = np.where(experience.mask, steps / experience.mask.shape[1], 0.0).astype(
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


def live_rows(batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor, Tensor | None]:
    """Observations (R, D) of the steps that happened, whose they are (R,) int64, and what each
    counts for: None, all alike.

    On other devices than the CPU, to count the steps that happened would be to wait for them. There
    these are all steps, and (R,) float32 is 0 for those that did not happen.
    """
    mask = batch["mask"] > 0
    authors = torch.arange(mask.shape[-1], device=mask.device).expand_as(mask)
    if mask.device.type == "cpu":
        return batch["observations"][mask], authors[mask], None
    seen = batch["observations"].flatten(0, 2)
    return seen, authors.flatten(), batch["mask"].flatten().to(seen.dtype)


def mean_of(losses: Tensor, weight: Tensor) -> Tensor:
    """Mean over the rows that count: (R,) and (R,) -> a scalar."""
    return (losses * weight).sum() / weight.sum().clamp_min(1.0)


def register_reward(name: str) -> NoReturn:
    """Refused: rewards are objectives.

    Raises:
        ConfigError: with what to write in its place.
    """
    raise ConfigError(
        f"register_reward({name!r}) is now register_objective({name!r}) of "
        "mirrorenv.population.objectives: subclass IntrinsicReward there, take (settings, host, "
        "generator), and give model_loss(population, batch) and steps(population, experience)"
    )
