"""Objectives as a user writes them, outside the package: an auxiliary, a reward, and the tenants
that the protocol was made for.

Shapes: B episodes, T time, N agents, D observation, H hidden, K codes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from mirrorenv.population.experience import Experience
from mirrorenv.population.objectives import (
    Batch,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    ObjectiveSettings,
    all_reduced,
)
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationShape
from mirrorenv.population.train_batch import Lots


class LayerSettings(ObjectiveSettings):
    """Of whatever reads one layer."""

    layer: str = "trunk"
    """Which hidden layer."""


class NextHidden(Objective):
    """An auxiliary: predict the next hidden state of a layer, linearly."""

    Settings = LayerSettings

    def __init__(self, settings: LayerSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.layer = settings.layer
        width = host.width(self.layer)
        self.weight_matrix = nn.Parameter(0.1 * torch.randn(width, width, generator=generator))

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        hidden = output.hidden[self.layer]  # (B, T, N, H)
        error = (hidden[:, :-1] @ self.weight_matrix - hidden[:, 1:].detach()).square().mean(-1)
        happened = batch["mask"][:, 1:]
        loss = (error * happened).sum() / happened.sum().clamp_min(1.0)
        return loss, {"error": loss.detach()}


class Movement(Objective):
    """A reward: each step pays how far the observation has moved."""

    pays = True
    reads_output = False

    def __init__(self, settings: ObjectiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.scale = nn.Parameter(torch.ones(()))

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        loss = (self.scale - batch["observations"].abs().mean()).square()
        return loss, {"scale": self.scale.detach().clone()}

    def pay(self, population: Population, experience: Experience, lots: Lots) -> Any:
        steps = np.abs(np.diff(experience.observations, axis=1)).sum(-1)
        paid = np.zeros(experience.mask.shape, np.float32)
        paid[:, :-1] = np.where(experience.mask[:, 1:], steps, 0.0)
        return paid


class CodebookSettings(LayerSettings):
    """Of a codebook."""

    codes: int = Field(default=4, ge=2)
    """K."""
    follow: float = Field(default=0.9, ge=0, lt=1)
    """Share of a code that stays in each update."""


class Codebook(Objective):
    """Tenant 1: codes that follow the means of what they stand for (an EMA codebook)."""

    Settings = CodebookSettings
    codes: Tensor

    def __init__(self, settings: CodebookSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.layer, self.follow = settings.layer, settings.follow
        width = host.width(self.layer)
        self.register_buffer("codes", torch.randn(settings.codes, width, generator=generator))
        self.head = nn.Linear(width, settings.codes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def nearest(self, hidden: Tensor) -> Tensor:
        """(..., H) -> (...) int64."""
        return (
            torch.cdist(hidden.reshape(-1, hidden.shape[-1]), self.codes)
            .argmin(-1)
            .view(hidden.shape[:-1])
        )

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        hidden = output.hidden[self.layer]
        target = self.nearest(hidden.detach())[:, 1:]
        logits = self.head(hidden[:, :-1])
        happened = batch["mask"][:, 1:] > 0
        loss = nn.functional.cross_entropy(logits[happened], target[happened])
        return loss, {"cross_entropy": loss.detach()}

    def after_update(self, output: HiddenStates, batch: Batch) -> None:
        rows = output.hidden[self.layer][batch["mask"] > 0]  # (R, H)
        assert not rows.requires_grad
        which = nn.functional.one_hot(self.nearest(rows), len(self.codes)).float()  # (R, K)
        sums, counts = all_reduced(which.T @ rows), all_reduced(which.sum(0))
        means = sums / counts.clamp_min(1.0).unsqueeze(1)
        new = torch.where(counts.unsqueeze(1) > 0, means, self.codes)
        self.codes.lerp_(new, 1.0 - self.follow)


class FedCode(Codebook):
    """Tenant 2: the code of this step is fed beside the next observation."""

    @classmethod
    def feed_width(cls, settings: ObjectiveSettings, shape: PopulationShape) -> int:
        assert isinstance(settings, CodebookSettings)
        return settings.codes

    def feed(self, output: HiddenStates) -> Tensor:
        code = self.nearest(output.hidden[self.layer])  # (B, N)
        return nn.functional.one_hot(code, len(self.codes)).float()


class HindsightTable(Objective):
    """Tenant 3: a table of what was earned after each action, filled without gradient from whole
    episodes."""

    reads_output = False
    table: Tensor

    def __init__(self, settings: ObjectiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.register_buffer("table", torch.zeros(2, max(1, host.action_features)))

    def parts(self) -> dict[str, Any]:
        return {}

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        known = (self.table[1] > 0).float().mean()
        return torch.zeros(()), {"known": known}

    def learn(self, experience: Batch) -> None:
        to_go = experience["rewards"].flip(1).cumsum(1).flip(1)
        live = experience["mask"] > 0
        action = experience["actions"][live]
        ones = torch.ones_like(to_go[live])
        seen = torch.zeros_like(self.table)
        seen[0].index_add_(0, action, to_go[live])
        seen[1].index_add_(0, action, ones)
        self.table += all_reduced(seen)


class LeastChanged(Objective):
    """Tenant 4: measures how much the gradient changes between updates, and pays for little."""

    pays = True
    reads_output = False
    before: Tensor
    change: Tensor

    def __init__(self, settings: ObjectiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.register_buffer("before", torch.zeros(8))
        self.register_buffer("change", torch.zeros(()))

    def parts(self) -> dict[str, Any]:
        return {}

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        return torch.zeros(()), {"change": self.change.clone()}

    def after_gradients(self, gradients: Mapping[str, Tensor]) -> None:
        now = torch.cat([g.flatten()[:1] for _, g in sorted(gradients.items())])[:8]
        self.change.copy_((now - self.before[: len(now)]).norm())
        self.before[: len(now)] = now

    def pay(self, population: Population, experience: Experience, lots: Lots) -> Any:
        return np.where(experience.mask, -float(self.change), 0.0).astype(np.float32)
