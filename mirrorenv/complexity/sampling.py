"""Stochastic gradient Langevin dynamics for many chains of many models at once.

The chains sample `p(w) ~ exp(-n_beta L(w) - gamma / 2 |w - w*|^2)` around a centre w* (Welling
and Teh 2011; localised as in Lau et al., "The local learning coefficient", AISTATS 2025)::

    w <- w - eps / 2 (n_beta grad L(w) + gamma (w - w*)) + sqrt(eps) xi

With `preconditioned` every coordinate has a step of its own, eps / (delta + sqrt(v)), v the
running mean of squared drifts (RMSProp; Li et al., "Preconditioned stochastic gradient Langevin
dynamics", AAAI 2016). Their v goes on moving while it is sampled, and without their correction term
the chains then sample something else: on a quadratic with curvatures 0.01, 1 and 100 the estimate
was 2.2 where 1.5 is right. So v is a mean over a model's chains, learned in burn-in and then fixed;
with fixed steps nothing needs correcting.

Shape legend: M models, C chains of each, P parameters, T draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from mirrorenv.errors import ConfigError

__all__ = ["ChainSettings", "Chains", "Loss", "run_chains"]

Loss = Callable[[Tensor], Tensor]
"""(M, C, P) weights -> (M, C) losses, each from its own weights only."""


@dataclass(frozen=True)
class ChainSettings:
    """How the chains move.

    Attributes:
        n_beta: number of samples times inverse temperature, above 0. Watanabe's is n / log n.
        gamma: pull towards the centre, zero or greater.
        step_size: eps, above 0.
        chains: C, at least 2, or there is no standard error.
        burn_in: steps before the first draw; at least 100 with `preconditioned`.
        draws: T, at least 4.
        thin: steps from one draw to the next, 1 or more: where the loss over all the data is dear.
        preconditioned: whether every coordinate has a step of its own (RMSProp).
        decay: of the running mean of squared drifts.
        delta: smallest root mean square drift that counts.
    """

    n_beta: float
    gamma: float = 1.0
    step_size: float = 1e-4
    chains: int = 8
    burn_in: int = 200
    draws: int = 800
    thin: int = 1
    preconditioned: bool = False
    decay: float = 0.99
    delta: float = 1e-1

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            ConfigError: naming the first value that is out of range.
        """
        fine = {
            "n_beta": self.n_beta > 0,
            "gamma": self.gamma >= 0,
            "step_size": self.step_size > 0,
            "chains": self.chains >= 2,
            "burn_in": self.burn_in
            >= (100 if self.preconditioned else 0),  # steps are learned there
            "draws": self.draws >= 4,
            "thin": self.thin >= 1,
            "decay": 0 < self.decay < 1,
            "delta": self.delta > 0,
        }
        for name, holds in fine.items():
            if not holds:
                raise ConfigError(f"ChainSettings: {name} = {getattr(self, name)} is out of range")


@dataclass(frozen=True)
class Chains:
    """What the chains met after burn-in."""

    losses: Tensor
    """(M, C, T) the loss before each move."""
    displacement: Tensor
    """(M, C, P) mean of w - w* over the draws."""


def run_chains(
    loss: Loss,
    centre: Tensor,
    settings: ChainSettings,
    generator: torch.Generator,
    *,
    trained_on: Loss | None = None,
) -> Chains:
    """Run all chains of all models.

    Args:
        loss: what is averaged; deterministic (the full data), or the estimate is biased.
        centre: (M, P) the models' weights w*.
        settings: how the chains move.
        generator: source of the noise, on the device of the centre.
        trained_on: what the drift is the gradient of, if not `loss`: minibatches, say.

    Raises:
        ConfigError: if the chains left the numbers, as they do where the step is too large.
    """
    start = centre.detach().unsqueeze(1)  # (M, 1, P)
    weights = start.expand(-1, settings.chains, -1).clone()  # (M, C, P)
    mean_square = torch.zeros_like(start)
    displacement = torch.zeros_like(weights)
    losses = []
    for step in range(settings.burn_in + settings.draws * settings.thin):
        value, slope = _value_and_slope(trained_on or loss, weights)
        if step >= settings.burn_in and (step - settings.burn_in) % settings.thin == 0:
            if trained_on is not None:
                value = loss(weights).detach()
            losses.append(value)
            displacement += (weights - start) / settings.draws
        drift = settings.n_beta * slope + settings.gamma * (weights - start)  # (M, C, P)
        noise = torch.empty_like(weights).normal_(generator=generator)
        if settings.preconditioned:
            if step < settings.burn_in:
                mean_square.lerp_(drift.square().mean(1, keepdim=True), 1 - settings.decay)
            steps = settings.step_size / (settings.delta + mean_square.sqrt())  # (M, 1, P)
            weights = weights - 0.5 * steps * drift + steps.sqrt() * noise
        else:
            size = settings.step_size
            weights = weights - 0.5 * size * drift + size**0.5 * noise
    found = torch.stack(losses, dim=-1)  # (M, C, T)
    if not torch.isfinite(found).all():
        raise ConfigError(
            f"the chains diverged: a loss is not finite. Make step_size = {settings.step_size} "
            "smaller, or gamma larger"
        )
    return Chains(found, displacement)


def _value_and_slope(loss: Loss, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Losses (M, C) and their gradients (M, C, P), each chain's own."""
    at = weights.detach().requires_grad_(True)
    value = loss(at)
    (slope,) = torch.autograd.grad(value.sum(), at)
    return value.detach(), slope
