"""A reward for movement where a network moves least: change in the smallest gradients.

Of the parameters whose gradients have been smallest on average, how much did the gradient's size
change since the update before? Identities follow a running average, so that they do not jump from
update to update; change is relative and clipped; without change the reward is zero. It says nothing
of what an agent did in a step and is the same for all steps of an iteration: gradient noise alone
earns it, which is the first control of whoever uses it.

Shapes: P parameters, N agents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import Floats32
from mirrorenv.population.experience import Experience
from mirrorenv.population.objectives.base import (
    Batch,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    ObjectiveSettings,
    register_objective,
)
from mirrorenv.population.population import Population
from mirrorenv.population.train_batch import Lots

__all__ = ["LeastChanged", "LeastChangedSettings", "relative_change"]

_MOST = 256  # parameters of an actor that are followed


class LeastChangedSettings(ObjectiveSettings):
    """Which gradients count, and how much they may."""

    share: float = Field(default=0.05, gt=0, le=1)
    """Of the parameters: those with the smallest average gradient."""
    keep: float = Field(default=0.99, ge=0, lt=1)
    """What the running average keeps in each update."""
    most: float = Field(default=1.0, gt=0)
    """Largest change that is paid."""


def relative_change(now: Tensor, before: Tensor, most: float) -> Tensor:
    """|now - before| over the mean of their sizes, element by element; 0 where both are 0.

    Args:
        now: any shape.
        before: the same shape.
        most: what larger changes count as; 2 is the largest that there is.
    """
    middle = 0.5 * (now.abs() + before.abs())
    change = (now - before).abs() / middle.clamp_min(torch.finfo(now.dtype).tiny)
    return torch.where(middle > 0, change, 0.0).clamp(max=most)


@register_objective("least_changed")
class LeastChanged(Objective):
    """Pays every agent for change in its smallest gradients.

    List it in `population.auxiliaries` as well, so that what it has seen travels with checkpoints
    and to whoever plays; its weight there changes nothing.

    Args:
        settings: see `LeastChangedSettings`.
        host: a population.
        generator: not used.

    Raises:
        ConfigError: if the host has one agent only.
    """

    Settings = LeastChangedSettings
    pays = True
    reads_output = False
    settings: LeastChangedSettings
    average: Tensor
    before: Tensor
    change: Tensor
    updates: Tensor

    def __init__(self, settings: ObjectiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        if host.shape is None:
            raise ConfigError("least_changed is a reward among agents: its host is a population")
        agents = host.num_agents
        self.register_buffer("average", torch.zeros(_MOST, agents))
        self.register_buffer("before", torch.zeros(_MOST, agents))
        self.register_buffer("change", torch.zeros(agents))
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))

    def parts(self) -> dict[str, tuple[nn.Module | Iterable[nn.Parameter], float]]:
        """See `Objective.parts`: it learns nothing."""
        return {}

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Objective.loss`: zero."""
        return torch.zeros((), device=batch["mask"].device), {"change": self.change.mean()}

    def after_gradients(self, gradients: Mapping[str, Tensor]) -> None:
        """See `Objective.after_gradients`: gradients are looked at and left as they are."""
        names = sorted(name for name in gradients if name.startswith("actor."))[:_MOST]
        if not names:
            return
        agents = self.host.num_agents
        now = torch.stack([_sizes(gradients[name], agents) for name in names])  # (P, N)
        count = len(names)
        first = self.updates == 0  # nothing has changed yet; the host does not look
        kept = self.settings.keep * self.average[:count] + (1 - self.settings.keep) * now
        self.average[:count] = torch.where(first, now, kept)
        least = max(1, round(self.settings.share * count))
        places = self.average[:count].argsort(dim=0, stable=True)[:least]  # (P', N)
        moved = relative_change(now, self.before[:count], self.settings.most)
        self.change.copy_(torch.where(first, self.change, moved.gather(0, places).mean(0)))
        self.before[:count] = now
        self.updates += 1

    def pay(self, population: Population, experience: Experience, lots: Lots) -> Floats32:
        """See `Objective.pay`: the last change, spread over the episode."""
        steps = experience.mask.shape[1]
        each = self.change.cpu().numpy() / steps  # (N,)
        return np.where(experience.mask, each, 0.0).astype(np.float32)


def _sizes(gradient: Tensor, agents: int) -> Tensor:
    """Norm of each agent's part: (N, ...) -> (N,); one for all where weights are shared."""
    each = len(gradient) == agents
    rows = gradient.reshape(agents if each else 1, -1)
    sizes: Tensor = torch.linalg.vector_norm(rows, dim=1).expand(agents)
    return sizes
