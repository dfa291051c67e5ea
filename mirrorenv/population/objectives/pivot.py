"""Weights that stay as they were while the rest learns: a still point, and its controls.

A share of the actors' weights, drawn by a seed, is frozen, or moves only in one of several updates.
What is frozen keeps its first value to the bit. Whether that makes agents recognise their past
selves is a question for a study; this is the switch.

Shapes: those of each parameter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from mirrorenv.population.objectives.base import (
    Batch,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    ObjectiveSettings,
    register_objective,
    stream_seed,
)
from mirrorenv.population.population import Population

__all__ = ["Pivot", "PivotSettings"]


class PivotSettings(ObjectiveSettings):
    """Which weights, and how still they are."""

    share: float = Field(default=0.5, ge=0, le=1)
    """f, of the actors' weights; 0 is the control."""
    every: int = Field(default=0, ge=0)
    """0: frozen. Else slow: they see the gradient of one update in so many."""
    seed: int = Field(default=0, ge=0)
    """Which of them."""


@register_objective("pivot")
class Pivot(Objective):
    """Takes the gradients of a share of the actors' weights away.

    Args:
        settings: see `PivotSettings`.
        host: what it is attached to.
        generator: not used: the choice follows from the settings alone.
    """

    Settings = PivotSettings
    reads_output = False
    settings: PivotSettings
    updates: Tensor

    def __init__(self, settings: ObjectiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.register_buffer("updates", torch.zeros((), dtype=torch.int64))
        self._still: dict[str, Tensor] = {}

    def parts(self) -> dict[str, tuple[nn.Module | Iterable[nn.Parameter], float]]:
        """See `Objective.parts`: it learns nothing."""
        return {}

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Objective.loss`: zero."""
        return torch.zeros((), device=batch["mask"].device), {}

    def after_gradients(self, gradients: Mapping[str, Tensor]) -> None:
        """See `Objective.after_gradients`: zero where weights are to stay."""
        self.updates += 1
        if self.settings.every and int(self.updates) % self.settings.every == 0:
            return
        for name, gradient in gradients.items():
            if name.startswith("actor."):
                gradient.masked_fill_(self.still(name, gradient), 0.0)

    def still(self, name: str, like: Tensor) -> Tensor:
        """Which entries of a parameter stay: (shape of the parameter) bool, by name and seed."""
        if name not in self._still:
            own = torch.Generator().manual_seed(stream_seed(self.settings.seed, name))
            drawn = torch.rand(like.shape, generator=own)
            self._still[name] = (drawn < self.settings.share).to(like.device)
        return self._still[name]
