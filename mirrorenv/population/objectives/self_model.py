"""An agent predicts its own hidden states: self-modelling, and its controls.

Premakumar et al., "Unexpected benefits of self-modeling in neural systems", arXiv 2407.10188: one
linear map predicts the activations that it reads itself, which are not pulled towards the
prediction (stop-gradient). Predicting the next step given the action is the self-predictive
objective of Schwarzer et al. (SPR, ICLR 2021) and Ni et al. (arXiv 2401.08898).

Shapes: B episodes, T time, N agents, H hidden, F target features, R rows.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.population.objectives.base import (
    Batch,
    HiddenStates,
    Host,
    Metrics,
    ObjectiveSettings,
    register_objective,
)
from mirrorenv.population.objectives.fused_inward import (
    Reads,
    normalised_rows,
    plain_rows,
    predicted_error,
)
from mirrorenv.population.objectives.inward import (
    Inward,
    InwardSettings,
    live_pairs,
    masked_mean,
)
from mirrorenv.population.objectives.rows import by_agent, by_step, of_agents
from mirrorenv.population.objectives.targets import (
    StackedHead,
    action_features,
    random_features,
    shuffled,
)
from mirrorenv.population.population import Population

__all__ = ["SelfModel", "SelfModelSettings"]

PAPER: Mapping[str, Any] = {
    "targets": (),
    "ahead": 0,
    "head": "linear",
    "stop_gradient": True,
    "normalise": False,
}
"""The settings of arXiv 2407.10188, from its authors' code."""


class SelfModelSettings(InwardSettings):
    """Of a self-model."""

    preset: Literal["none", "paper"] = "none"
    """paper: same layer, same step, linear, stop-gradient, target as it is. What is given beside
    it counts."""
    target: Literal["layers", "random", "shuffled", "activation", "weight_decay"] = "layers"
    """What is predicted, or a control in its place: random (fixed random ReLU features of the
    observation), shuffled (the layers, of other steps), activation (nothing is predicted, the
    layer's mean square is the loss), weight_decay (half the squared weights of the host)."""
    targets: tuple[str, ...] = ()
    """Layers that are predicted, of whichever names the host has; none: the layer that is read."""
    ahead: int = Field(default=0, ge=0)
    """Steps between what is read and what is predicted; 0: the same step."""
    action: bool | None = None
    """Whether the head is told the action, where it predicts ahead; None: if there are actions."""
    head: Literal["linear", "mlp"] = "linear"
    """What predicts."""
    hidden: int = Field(default=64, ge=1)
    """Units of the mlp head."""
    stop_gradient: bool = True
    """Whether targets are detached. If not, they move towards their predictions."""
    ema: float | None = Field(default=None, ge=0, lt=1)
    """If given, targets come from a copy of the host that keeps this share of itself in every
    update."""
    normalise: bool = True
    """Whether targets are brought to mean 0 and variance 1 over their units (LayerNorm without
    parameters), so that the size of rewards does not set the size of the loss."""
    spread: float | None = Field(default=None, gt=0)
    """For weight_decay: if given, the decay is steered to this standard deviation of the host's
    weights (of all matrices), such as another arm's `weight_spread`."""

    @model_validator(mode="before")
    @classmethod
    def _preset(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("preset") == "paper":
            return {**PAPER, **values}
        return values

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.ema is not None and not self.stop_gradient:
            raise ValueError("a slow copy has no gradient: leave stop_gradient on, or ema out")
        if self.spread is not None and self.target != "weight_decay":
            raise ValueError("spread steers target = weight_decay, and nothing else")
        return self


@register_objective("self_model")
class SelfModel(Inward):
    """Mean squared error of predicting one's own hidden states, mean over steps, agents and units.

    Logged besides what all that look inward log: `unexplained`, the share of the target's variance
    that is not predicted, and `weight_spread`, the standard deviation of the host's weights.
    """

    Settings: ClassVar[type[ObjectiveSettings]] = SelfModelSettings
    headline = "unexplained"
    projection: Tensor
    decay: Tensor

    def __init__(self, settings: SelfModelSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.own = settings
        self.targets = settings.targets or (self.layer,)
        self.twin: nn.Module | None = None
        self._matrices: list[Tensor] | None = None
        self.reads_action = _reads_action(settings, host)
        self.register_buffer("decay", torch.ones(()))
        kind = settings.target
        if kind == "weight_decay":
            self._module()
        if kind in ("activation", "weight_decay"):
            return
        outputs = sum(host.width(name) for name in self.targets)
        reads = self.width + (host.action_features if self.reads_action else 0)
        size = settings.hidden if settings.head == "mlp" else 0
        self.head = StackedHead(host.num_agents, reads, size, outputs, generator)
        if kind == "random":
            self._see()
            projection = torch.randn(host.inputs + 1, outputs, generator=generator)
            self.register_buffer("projection", projection / math.sqrt(host.inputs + 1))
        if settings.ema is not None:
            if host.run is None:
                raise ConfigError(f"{settings.name}: ema needs a host that can be copied and run")
            self.twin = copy.deepcopy(self._module()).requires_grad_(False)

    def _module(self) -> nn.Module:
        if self.host.module is None:
            raise ConfigError(
                f"{self.settings.name}: ema and weight_decay need the host's module, which this "
                "host does not hand over"
            )
        return self.host.module

    def _see(self) -> None:
        if not self.host.inputs:
            raise ConfigError(
                f"{self.settings.name}: target = random is made of what the host sees, and this "
                "one lists no inputs"
            )

    def inward_loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Inward.inward_loss`."""
        kind = self.own.target
        hidden = output.hidden[self.layer]
        if kind == "activation":
            loss = masked_mean(hidden.square().mean(-1), (batch["mask"] > 0).float())
            return loss, {"error": loss.detach(), **self._spread()}
        if kind == "weight_decay":
            return self._weight_decay(hidden)
        ahead = self.own.ahead
        time = hidden.shape[1]
        if ahead >= time:
            raise ConfigError(
                f"{self.label}: ahead = {ahead}, and an episode has {time} steps: lower it"
            )
        live = live_pairs(batch["mask"], ahead)  # (B, T', N)
        fast = population is not None and population.fast
        if fast and kind == "layers" and self.own.stop_gradient:
            return self._fused(output, batch, live)
        target = self._target(output, batch)[:, ahead:]
        if kind == "shuffled":
            target = shuffled(target, live, self.draws)
        reads = hidden[:, : time - ahead]
        if self.reads_action:
            done = action_features(self.host, batch)[:, : time - ahead]
            reads = torch.cat([reads, done], -1)
        predicted = of_agents(self.head(by_agent(reads)), len(reads))  # (B, T', N, F)
        error = (predicted - target).square()
        loss = masked_mean(error.mean(-1), live)
        unexplained = _unexplained(error.detach(), target.detach(), live)
        return loss, {"unexplained": unexplained, "error": loss.detach(), **self._spread()}

    def _fused(self, output: HiddenStates, batch: Batch, live: Tensor) -> tuple[Tensor, Metrics]:
        """`inward_loss` with the map, the error and its gradient in one node, rows as they are in
        memory."""
        ahead = self.own.ahead
        time = live.shape[1]
        told = None
        if self.reads_action:
            told = by_step(action_features(self.host, batch)[:, :time])  # (N, T'*B, A)
        reads = self.head.before_output(Reads(by_step(output.hidden[self.layer]), told))
        parts = [by_step(part[:, ahead:]) for part in self._predicted_layers(output, batch)]
        layers = parts[0] if len(parts) == 1 else torch.cat(parts, -1)  # (N, T'*B, F)
        target = normalised_rows(layers) if self.own.normalise else plain_rows(layers)
        weight = by_step(live.unsqueeze(-1)).squeeze(-1)  # (N, T'*B)
        last = self.head.output
        loss = predicted_error(reads, last.weight, last.bias, target, weight)
        error = loss.detach()
        left = error * weight.sum().clamp_min(1.0) * target.rows.shape[-1]
        unexplained = left / target.variation(weight).clamp_min(1e-12)
        return loss, {"unexplained": unexplained, "error": error, **self._spread()}

    @torch.no_grad()
    def after_inward(self, output: HiddenStates, batch: Batch) -> None:
        """See `Inward.after_inward`: the slow copy follows, the decay is steered."""
        if self.twin is not None:
            assert self.own.ema is not None
            pairs = zip(self.twin.parameters(), self._module().parameters(), strict=True)
            for slow, fast in pairs:
                slow.lerp_(fast, 1.0 - self.own.ema)
        if self.own.spread is not None:
            ratio = weights_spread(self._module()) / self.own.spread
            self.decay.mul_(ratio.clamp(0.5, 2.0) ** 0.5).clamp_(1e-6, 1e4)

    def _target(self, output: HiddenStates, batch: Batch) -> Tensor:
        """What is to be predicted, of every step: (B, T, N, F)."""
        if self.own.target == "random":
            return self._normalised(random_features(batch["observations"], self.projection))
        return self._normalised(torch.cat(self._predicted_layers(output, batch), -1))

    def _predicted_layers(self, output: HiddenStates, batch: Batch) -> list[Tensor]:
        """The hidden states that are to be predicted, (B, T, N, H) each."""
        states = output
        if self.twin is not None:
            assert self.host.run is not None
            with torch.no_grad():
                states = self.host.run(self.twin, batch)
        parts = [states.hidden[name] for name in self.targets]
        return [part.detach() for part in parts] if self.own.stop_gradient else parts

    def _normalised(self, found: Tensor) -> Tensor:
        if self.own.normalise:
            found = nn.functional.layer_norm(found, found.shape[-1:])
        return found

    def _weight_decay(self, hidden: Tensor) -> tuple[Tensor, Metrics]:
        """Half the squared weights; nothing where it is not felt, since it reads no layer."""
        weights = [one for one in self._module().parameters() if one.dim() >= 2]
        square = torch.stack([one.square().sum() for one in weights]).sum()
        strength = self.decay * (0.0 if self.stopped or not self.weight else self.scale)
        loss = 0.5 * strength * (square if self.weight else square.detach())
        return loss, {"error": 0.5 * square.detach(), "decay": self.decay.clone(), **self._spread()}

    @torch.no_grad()
    def _spread(self) -> Metrics:
        if self.host.module is None:
            return {}
        if self._matrices is None:  # looking through a module takes longer than the figure
            self._matrices = _matrices_of(self.host.module)
        return {"weight_spread": _spread_of(self._matrices)}


@torch.no_grad()
def weights_spread(module: nn.Module) -> Tensor:
    """Standard deviation of all entries of all matrices of a module, about 0."""
    return _spread_of(_matrices_of(module))


def _matrices_of(module: nn.Module) -> list[Tensor]:
    return [one for one in module.parameters() if one.dim() >= 2]


def _spread_of(matrices: list[Tensor]) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(matrices)))
    return norm.div(sum(one.numel() for one in matrices) ** 0.5)


def _reads_action(settings: SelfModelSettings, host: Host) -> bool:
    """Whether the head is told the action.

    Raises:
        ConfigError: if it is to be, and cannot.
    """
    if settings.action and not host.action_features:
        raise ConfigError(f"{settings.name}: action = true, and its host takes no actions")
    if settings.action and not settings.ahead:
        raise ConfigError(
            f"{settings.name}: action = true, and ahead = 0: the action comes after this step's "
            "hidden state. Set ahead to 1"
        )
    wanted = settings.action if settings.action is not None else bool(settings.ahead)
    return wanted and host.action_features > 0


def _unexplained(error: Tensor, target: Tensor, live: Tensor) -> Tensor:
    """Share of the variance of targets (B, T, N, F) that errors leave, all agents together."""
    weight = live.unsqueeze(-1)
    count = weight.sum((0, 1)).clamp_min(1.0)  # (N, 1)
    mean = (target * weight).sum((0, 1)) / count  # (N, F)
    variance = ((target - mean).square() * weight).sum()
    return (error * weight).sum() / variance.clamp_min(1e-12)
