"""What happens to objectives in one update: losses summed, gradients clipped, an optimiser for all.

The RLlib learner, the bare loop and the Stable-Baselines3 face call these functions, through
`Population` or, for a host that is none, directly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn

from mirrorenv.errors import TrainingError
from mirrorenv.population.adam import Adam
from mirrorenv.population.objectives.base import Batch, HiddenStates, Metrics, Objective

if TYPE_CHECKING:
    from mirrorenv.population.population import Population

__all__ = [
    "after_update",
    "all_reduced",
    "check_gradients",
    "clip_gradients",
    "detached",
    "in_order",
    "learn_from",
    "optimiser_groups",
    "optimiser_of",
    "parts_of",
    "sum_of_losses",
]

Objectives = Mapping[str, Objective]
Output = TypeVar("Output")


def sum_of_losses(
    objectives: Objectives, population: Population | None, output: HiddenStates, batch: Batch
) -> tuple[Tensor, Metrics]:
    """The weighted sum of all losses, in the order of the objectives, and all metrics.

    An objective of weight 0 is a probe: it reads a detached output, and its loss counts in full,
    since nothing but its own parameters can learn from it.

    Args:
        objectives: by label; metrics of those that are auxiliaries begin with it.
        population: the host, if it is one.
        output: the host on the minibatch.
        batch: the columns of the minibatch.
    """
    metrics: Metrics = {}
    total: Tensor | None = None
    for objective in objectives.values():
        seen = output if objective.weight else detached(output)
        loss, found = objective.loss(population, seen, batch)
        metrics |= {objective.prefix + name: value for name, value in found.items()}
        if objective.weight not in (0.0, 1.0):
            loss = objective.weight * loss
        total = loss if total is None else total + loss
    if total is None:
        raise TrainingError("there is nothing to learn from: no objective was set")
    return total, metrics


def in_order(metrics: Mapping[str, float], objectives: Objectives) -> dict[str, float]:
    """The same metrics in an order that is always the same: by name, those of auxiliaries last,
    each auxiliary's headline before its others."""
    first = {one.prefix + one.headline for one in objectives.values() if one.headline}

    def place(name: str) -> tuple[bool, str, bool, str]:
        label, slash, _ = name.partition("/")
        return bool(slash), label if slash else "", name not in first, name

    return {name: metrics[name] for name in sorted(metrics, key=place)}


def detached(output: Output) -> Output:
    """The same output without any gradient: tensors, mappings, named tuples and plain objects of
    tensors."""
    found: Any = output
    if isinstance(found, Tensor):
        found = found.detach()
    elif isinstance(found, Mapping):
        found = {name: detached(value) for name, value in found.items()}
    elif isinstance(found, tuple):
        parts = [detached(value) for value in found]
        found = type(found)(*parts) if hasattr(found, "_fields") else tuple(parts)
    elif hasattr(found, "__dict__"):
        found = copy(found)
        vars(found).update(detached(dict(vars(found))))
    return found  # type: ignore[no-any-return]


# -- gradients -------------------------------------------------------------------------------------


def parts_of(objective: Objective) -> dict[str, tuple[list[nn.Parameter], float]]:
    """What an objective optimises, as lists; parts without a parameter are left out."""
    found = {}
    for name, (what, rate) in objective.parts().items():
        parameters = list(what.parameters() if isinstance(what, nn.Module) else what)
        if parameters:
            found[name] = (parameters, rate)
    return found


def optimiser_groups(objectives: Objectives) -> dict[str, tuple[list[nn.Parameter], float]]:
    """Parameters and step size of every part of every objective, by the part's name.

    Raises:
        TrainingError: if two objectives want to optimise a part of one name.
    """
    groups: dict[str, tuple[list[nn.Parameter], float]] = {}
    for objective in objectives.values():
        parts = parts_of(objective)
        if both := sorted(set(groups) & set(parts)):
            raise TrainingError(f"two objectives optimise '{both[0]}': name one of them otherwise")
        groups |= parts
    return groups


def optimiser_of(objectives: Objectives) -> Adam:
    """One Adam with a group for every part."""
    return Adam(list(optimiser_groups(objectives).values()))


def clip_gradients(
    objectives: Objectives, host: nn.Module, *, norms: dict[str, Tensor] | None = None
) -> None:
    """Let every objective see the host's gradients, then clip each part by itself, so that no one's
    size throttles another.

    Args:
        objectives: whose parts are clipped, each to its objective's `grad_norm`.
        host: whose gradients the objectives are shown.
        norms: filled with the gradients' norms by name, in place of looking at them: on a device,
            to look is to wait. Whoever gives it calls `check_gradients` when there is time.

    Raises:
        TrainingError: if a gradient is not finite.
    """
    found: dict[str, Tensor] = {} if norms is None else norms
    overriding = _that_override(objectives, "after_gradients")
    curious = [one for one in overriding if one.wants_gradients()]
    if curious:
        gradients = {
            name: parameter.grad
            for name, parameter in host.named_parameters()
            if parameter.grad is not None
        }
        with torch.no_grad():
            for objective in curious:
                objective.after_gradients(gradients)
    clip: Callable[[list[nn.Parameter], float], Tensor] = nn.utils.clip_grad_norm_
    if norms is not None:
        clip = _clip_unseen
    elif getattr(host, "fast", False):
        clip = _clip_together
    for objective in objectives.values():
        apart = [
            (one, index) for one, index in objective.separately_clipped() if one.grad is not None
        ]
        held = [_gradient(one)[index].clone() for one, index in apart]
        for parameter, index in apart:
            _gradient(parameter)[index] = 0.0
        for name, (parameters, _) in parts_of(objective).items():
            found[name] = clip(parameters, objective.grad_norm)
        if held:
            norm = nn.utils.get_total_norm(held)
            found[f"{objective.label} (unpaid)"] = norm
            scale = (objective.grad_norm / (norm + 1e-6)).clamp(max=1.0)
            for (parameter, index), gradient in zip(apart, held, strict=True):
                _gradient(parameter)[index] = gradient * scale
    if norms is None:
        check_gradients(found)


def check_gradients(norms: Mapping[str, Tensor]) -> None:
    """Whether all of these norms of gradients are finite.

    Args:
        norms: by name, scalars or (..., ) of several minibatches.

    Raises:
        TrainingError: for the first that is not.
    """
    for name, norm in norms.items():
        if not bool(torch.isfinite(norm).all()):
            raise TrainingError(
                f"the {name}'s gradient is not finite: look for NaN or infinity in the world"
            )


def _clip_together(parameters: list[nn.Parameter], most: float) -> Tensor:
    """`clip_grad_norm_` with one call for all tensors; nothing is scaled that need not be."""
    gradients = [one.grad for one in parameters if one.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm: Tensor = torch.stack(torch._foreach_norm(gradients)).square().sum().sqrt()
    if float(norm) > most:
        torch._foreach_mul_(gradients, most / (float(norm) + 1e-6))
    return norm


def _clip_unseen(parameters: list[nn.Parameter], most: float) -> Tensor:
    """`clip_grad_norm_` with one call for all tensors, none of which the host looks at."""
    gradients = [one.grad for one in parameters if one.grad is not None]
    if not gradients:
        return torch.zeros((), device=parameters[0].device)
    norm: Tensor = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
    torch._foreach_mul_(gradients, (norm + 1e-6).reciprocal_().mul_(most).clamp_(max=1.0))
    return norm


def _gradient(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad


# -- outside the loss ------------------------------------------------------------------------------


@torch.no_grad()
def after_update(objectives: Objectives, output: HiddenStates, batch: Batch) -> None:
    """See `Objective.after_update`, here of all objectives, which are given detached outputs."""
    for objective in _that_override(objectives, "after_update"):
        objective.after_update(detached(output), batch)


@torch.no_grad()
def learn_from(objectives: Objectives, experience: Batch) -> None:
    """Show every objective the iteration's episodes; see `Objective.learn`."""
    for objective in objectives.values():
        objective.learn(experience)


def _that_override(objectives: Objectives, method: str) -> list[Objective]:
    """The objectives that have this method of their own."""
    ours = getattr(Objective, method)
    return [one for one in objectives.values() if getattr(type(one), method) is not ours]


def all_reduced(sums: Tensor) -> Tensor:
    """The sum of a tensor over all learners; the tensor itself where there is one.

    Every learner has to call it, in the same order.
    """
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        sums = sums.clone()
        torch.distributed.all_reduce(sums)
    return sums
