"""An agent chooses how much its own objectives weigh.

The idea is in dant2021/mindstates' motivation, an agent that modifies its own objective. Here each
agent chooses one of a few weights for each objective in every iteration, and prefers what it earned
more with than it is used to: a gradient bandit (Sutton and Barto 2018, section 2.8).

Shapes: N agents, M objectives, L weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field, JsonValue
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.population.objectives.base import (
    Batch,
    Hidden,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    ObjectiveSettings,
    build_objective,
    objective_class,
    objective_settings,
    register_objective,
)
from mirrorenv.population.objectives.inward import Inward
from mirrorenv.population.objectives.rows import felt
from mirrorenv.population.objectives.updates import all_reduced
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationShape

__all__ = ["Adaptive", "AdaptiveSettings"]


class AdaptiveSettings(ObjectiveSettings):
    """Of a choice among weights."""

    of: tuple[dict[str, JsonValue], ...] = Field(min_length=1)
    """The objectives that are weighed, written as in `population.auxiliaries`."""
    weights: tuple[float, ...] = Field(default=(0.0, 0.3, 1.0), min_length=2)
    """What an agent may choose, for each objective by itself."""
    choice: Literal["agent", "fixed", "random"] = "agent"
    """Who chooses: the agent, by what it earns; no one, the mean of the weights holds; or chance,
    again in each iteration."""
    step: float = Field(default=0.3, gt=0)
    """Step size of the preferences, per standard deviation of what was earned."""


@register_objective("adaptive")
class Adaptive(Objective):
    """Objectives whose gradient reaches each agent as far as it has chosen. Their own parameters
    learn in full.

    What an agent earns is the world's reward of its episodes; where that is always the same, its
    preferences stay where they are.

    Logged: the mean weight of each objective, and `undecided`, the entropy of the choices in nats.
    """

    Settings: ClassVar[type[ObjectiveSettings]] = AdaptiveSettings
    headline = "undecided"
    weights: Tensor
    preferences: Tensor
    chosen: Tensor
    earned: Tensor

    def __init__(self, settings: AdaptiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.own = settings
        made: dict[str, Objective] = {}
        for number, given in enumerate(settings.of):
            place = f"{settings.name}.of[{number}]"
            seed = int(torch.randint(2**31, (), generator=generator))
            label = f"{str(given.get('name', '')).rpartition(':')[2]}-{number}"
            made[label] = build_objective(given, host, seed=seed, label=label, place=place)
            _check(made[label], place)
        self.inner = nn.ModuleDict(made)
        agents = host.num_agents
        count = len(made)
        levels = len(settings.weights)
        self.register_buffer("weights", torch.tensor(settings.weights))
        self.register_buffer("preferences", torch.zeros(agents, count, levels))
        self.register_buffer("chosen", torch.zeros(agents, count, dtype=torch.int64))
        # mean and mean square of what each agent earned, and iterations seen
        self.register_buffer("earned", torch.zeros(3, agents))

    def named_inner(self) -> Iterator[tuple[str, Objective]]:
        """The objectives that are weighed, by label."""
        for label, one in self.inner.items():
            assert isinstance(one, Objective)
            yield label, one

    def strengths(self) -> Tensor:
        """What every objective weighs for every agent now, (N, M)."""
        if self.own.choice == "fixed":
            return self.weights.mean().expand_as(self.chosen)
        return self.weights[self.chosen]

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Objective.loss`: the sum of the inner losses."""
        strengths = self.strengths()
        total = torch.zeros(())
        metrics: Metrics = {"undecided": self._entropy()}
        for number, (label, one) in enumerate(self.named_inner()):
            mine = strengths[:, number : number + 1]  # (N, 1)
            seen = Hidden({name: felt(layer, mine) for name, layer in output.hidden.items()})
            loss, found = one.loss(population, seen, batch)
            total = total + one.weight * loss if one.weight else total + loss
            metrics[f"weight_{label}"] = mine.mean()
            metrics |= {f"{label}_{name}": value for name, value in found.items()}
        return total, metrics

    def wants_gradients(self) -> bool:
        """See `Objective.wants_gradients`."""
        return any(one.wants_gradients() for _, one in self.named_inner())

    def after_gradients(self, gradients: Mapping[str, Tensor]) -> None:
        """See `Objective.after_gradients`."""
        for _, one in self.named_inner():
            one.after_gradients(gradients)

    def after_update(self, output: HiddenStates, batch: Batch) -> None:
        """See `Objective.after_update`."""
        for _, one in self.named_inner():
            one.after_update(output, batch)

    def reseed(self, seed: int) -> None:
        """See `Objective.reseed`."""
        super().reseed(seed)
        for _, one in self.named_inner():
            one.reseed(seed)

    @torch.no_grad()
    def learn(self, experience: Batch) -> None:
        """See `Objective.learn`: judge the last choice by what was earned with it, and choose."""
        for _, one in self.named_inner():
            one.learn(experience)
        if self.own.choice == "fixed":
            return
        if self.own.choice == "agent" and "rewards" in experience:
            self._judge(experience["rewards"] * (experience["mask"] > 0))
        probabilities = self.preferences.softmax(-1).flatten(0, 1).cpu()  # (N*M, L)
        drawn = torch.multinomial(probabilities, 1, generator=self.draws)
        self.chosen.copy_(drawn.view_as(self.chosen))

    def _judge(self, rewards: Tensor) -> None:
        """Prefer what was chosen as far as more was earned than usual; rewards (B, T, N)."""
        episodes = all_reduced(torch.tensor(float(len(rewards))))
        now = all_reduced(rewards.sum((0, 1))) / episodes  # (N,)
        mean, square, seen = self.earned
        if seen[0] > 0:
            spread = (square - mean.square()).clamp_min(0.0).sqrt()
            better = ((now - mean) / (spread + 1e-6)).clamp(-2.0, 2.0)
            better = torch.where(spread > 1e-6, better, torch.zeros_like(better))
            picked = nn.functional.one_hot(self.chosen, len(self.weights))  # (N, M, L)
            change = picked - self.preferences.softmax(-1)
            self.preferences += self.own.step * better[:, None, None] * change
        keep = 0.0 if seen[0] == 0 else 0.8
        mean.lerp_(now, 1.0 - keep)
        square.lerp_(now.square(), 1.0 - keep)
        seen += 1

    def _entropy(self) -> Tensor:
        probabilities = self.preferences.softmax(-1)  # (N, M, L)
        entropy: Tensor = torch.special.entr(probabilities).sum(-1).mean()
        return entropy

    @classmethod
    def feed_width(cls, settings: ObjectiveSettings, shape: PopulationShape) -> int:
        """See `Objective.feed_width`: nothing.

        Raises:
            ConfigError: if one of the objectives feeds something back.
        """
        assert isinstance(settings, AdaptiveSettings)
        for number, given in enumerate(settings.of):
            place = f"{settings.name}.of[{number}]"
            inner = objective_settings(given, place)
            if objective_class(inner.name).feed_width(inner, shape):
                raise ConfigError(
                    f"{place}: {inner.name} feeds something back, whose weight cannot be chosen: "
                    "list it in population.auxiliaries itself"
                )
        return 0


def _check(one: Objective, place: str) -> None:
    """Refuse what a weight for each agent cannot reach."""
    target = getattr(one.settings, "target", "")
    shared = isinstance(one, Inward) and one.inward.share is not None
    if isinstance(one, Adaptive) or target == "weight_decay" or shared:
        raise ConfigError(
            f"{place}: adaptive, target = weight_decay and share have no weight that an agent "
            "could choose: leave it out"
        )
