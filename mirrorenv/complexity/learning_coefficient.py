"""The local learning coefficient: how singular a minimum is, from chains that sample around it.

`lambda(w*) = n_beta (E[L(w)] - L(w*))` with w from chains held near w* (Lau, Furman, Wang,
Murfet, Wei, "The local learning coefficient: a singularity-aware complexity measure", AISTATS
2025; the mean statistic is Watanabe's WBIC, JMLR 2013). It depends on gamma and on the temperature
(`n_beta`): compare values of one setting only, and look at a sweep before believing one.

A value is no number where it is negative, where the gradient at w* is not small (w* is then no
minimum, and the drift away from it is counted as if it were volume), or where the chains have not
settled: there `value` is None and `reason` says why. What was measured stays in `estimate`.

Shape legend: M models, C chains of each, P parameters, T draws.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mirrorenv.complexity.sampling import Chains, ChainSettings, Loss, run_chains

__all__ = ["LearningCoefficient", "learning_coefficients", "sweep"]

DRIFT_SHARE = 0.1
"""How much of the estimate may come from the slope at the centre."""
PLATEAU_Z = 4.0
"""Standard errors by which the two halves of the draws may differ."""


@dataclass(frozen=True)
class LearningCoefficient:
    """The coefficient of one model, with what is needed to believe it."""

    value: float | None
    """The coefficient, or None where it is refused."""
    reason: str
    """Why it is refused; empty if it is not."""
    estimate: float
    """What the chains gave, whether or not it is believed."""
    error: float
    """Standard error of the estimate, over chains."""
    start_loss: float
    """L(w*)."""
    chain_loss: float
    """E[L(w)]: near the loss of a coin, the chains have left the minimum."""
    gradient_norm: float
    """|grad L(w*)|."""
    drift: float
    """n_beta grad L(w*) . E[w - w*]: the part of the estimate that is slope and not volume."""
    settings: ChainSettings
    """How the chains moved."""

    def __str__(self) -> str:
        """The value with its standard error and the mean chain loss beside it."""
        if self.value is None:
            return f"refused: {self.reason}"
        return f"{self.value:.3f} +- {self.error:.3f} (chains at loss {self.chain_loss:.4g})"


def learning_coefficients(
    loss: Loss,
    centre: Tensor,
    settings: ChainSettings,
    generator: torch.Generator,
    *,
    trained_on: Loss | None = None,
    worst_loss: float | None = None,
) -> list[LearningCoefficient]:
    """The local learning coefficient of each of M models.

    Args:
        loss: (M, C, P) -> (M, C), over all the data. Never the loss of an auxiliary that w* was
            trained on beside it, unless w* is a minimum of this loss, too.
        centre: (M, P) weights w*.
        settings: how the chains move.
        generator: source of the noise.
        trained_on: minibatch losses for the drift, if `loss` is too dear for every step.
        worst_loss: a loss that chains around a minimum do not reach (log of the number of classes,
            say); a mean above half way there is refused.

    Returns:
        one coefficient for each model.
    """
    at = centre.detach().unsqueeze(1).requires_grad_(True)  # (M, 1, P)
    start = loss(at)  # (M, 1)
    (slope,) = torch.autograd.grad(start.sum(), at)
    chains = run_chains(loss, centre, settings, generator, trained_on=trained_on)
    return [
        _judge(model, start.detach(), slope, chains, settings, worst_loss)
        for model in range(len(centre))
    ]


def _judge(
    model: int,
    start: Tensor,
    slope: Tensor,
    chains: Chains,
    settings: ChainSettings,
    worst_loss: float | None,
) -> LearningCoefficient:
    losses = chains.losses[model].double()  # (C, T)
    first = float(start[model, 0])
    by_chain = settings.n_beta * (losses.mean(1) - first)  # (C,)
    estimate = float(by_chain.mean())
    error = float(by_chain.std() / len(by_chain) ** 0.5)
    gone = chains.displacement[model].double().mean(0)  # (P,)
    drift = settings.n_beta * float((slope[model, 0].double() * gone).sum())
    found = LearningCoefficient(
        value=estimate,
        reason="",
        estimate=estimate,
        error=error,
        start_loss=first,
        chain_loss=float(losses.mean()),
        gradient_norm=float(slope[model, 0].norm()),
        drift=drift,
        settings=settings,
    )
    reason = _refusal(found, losses, worst_loss)
    return replace(found, value=None, reason=reason) if reason else found


def _refusal(found: LearningCoefficient, losses: Tensor, worst_loss: float | None) -> str:
    """Why a value is not to be believed; empty if it is."""
    if found.estimate < 0:
        return f"negative ({found.estimate:.3f}), which no learning coefficient is"
    if abs(found.drift) > DRIFT_SHARE * found.estimate + 2 * found.error:
        return (
            f"the gradient at the centre is not small (norm {found.gradient_norm:.3g}): "
            f"{found.drift:.3f} of {found.estimate:.3f} is slope"
        )
    half = losses.shape[1] // 2
    change = losses[:, half:].mean(1) - losses[:, :half].mean(1)  # (C,)
    spread = float(change.std() / len(change) ** 0.5)
    if abs(float(change.mean())) > PLATEAU_Z * spread:
        return (
            f"the chains have not settled: the second half of the draws lies "
            f"{float(change.mean()):+.3g} from the first; more burn_in, or a smaller step_size"
        )
    if worst_loss is not None and found.chain_loss > (found.start_loss + worst_loss) / 2:
        return f"the chains left the minimum: mean loss {found.chain_loss:.3g} of {worst_loss:.3g}"
    return ""


def sweep(
    loss: Loss,
    centre: Tensor,
    settings: ChainSettings,
    *,
    gammas: Iterable[float],
    n_betas: Iterable[float],
    seed: int = 0,
) -> list[LearningCoefficient]:
    """The coefficients of one setting after another, gamma by gamma, temperature by temperature.

    Args:
        loss: as for :func:`learning_coefficients`.
        centre: (M, P).
        settings: of everything that is not swept.
        gammas: pulls.
        n_betas: temperatures.
        seed: of the noise; every setting starts from it.

    Returns:
        M coefficients for every pair, in the order gamma, temperature, model; each knows its
        settings.
    """
    temperatures = list(n_betas)
    found = []
    for gamma in gammas:
        for n_beta in temperatures:
            generator = torch.Generator(centre.device).manual_seed(seed)
            moved = replace(settings, gamma=gamma, n_beta=n_beta)
            found += learning_coefficients(loss, centre, moved, generator)
    return found
