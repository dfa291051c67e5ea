"""Adam (Kingma and Ba 2015, arXiv 1412.6980) as populations are trained with.

The numbers are those of `torch.optim.Adam` to the bit, and so is the state that checkpoints keep
(`tests/population/test_adam.py`). Unlike PyTorch's, the first optimiser of a process does not load
PyTorch's compiler, which takes seconds, and each operation is one call for all tensors.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Adam", "FusedAdam"]

_BETAS = (0.9, 0.999)
_EPS = 1e-5
# what torch.optim.Adam writes beside the step size, so that either reads the other's state
_OTHERS: dict[str, Any] = {
    "betas": _BETAS,
    "eps": _EPS,
    "weight_decay": 0,
    "amsgrad": False,
    "maximize": False,
    "foreach": None,
    "capturable": False,
    "differentiable": False,
    "fused": None,
    "decoupled_weight_decay": False,
}


@dataclass
class _Moments:
    """What is kept of one parameter: steps taken, and both moments of its gradient."""

    steps: int
    mean: Tensor
    square: Tensor


class Adam:
    """Adam without weight decay.

    Args:
        groups: parameters and the step size of each group of them.
        eps: what the square root of the second moment is increased by.
    """

    def __init__(
        self, groups: Sequence[tuple[Iterable[Tensor], float]], *, eps: float = _EPS
    ) -> None:
        self._eps = eps
        self._groups = [(list(parameters), rate) for parameters, rate in groups]
        self._kept: dict[Tensor, _Moments] = {}

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._parameters():
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        for parameters, rate in self._groups:
            by_steps: dict[int, list[Tensor]] = {}
            for parameter in parameters:
                if parameter.grad is not None:
                    kept = self._of(parameter)
                    kept.steps += 1
                    by_steps.setdefault(kept.steps, []).append(parameter)
            for steps, several in by_steps.items():
                self._move(several, rate, steps)

    def state_dict(self) -> dict[str, Any]:
        """As `torch.optim.Adam` writes it."""
        state = {}
        for number, parameter in enumerate(self._parameters()):
            if kept := self._kept.get(parameter):
                state[number] = {
                    "step": torch.tensor(float(kept.steps)),
                    "exp_avg": kept.mean,
                    "exp_avg_sq": kept.square,
                }
        groups = []
        first = 0
        for parameters, rate in self._groups:
            numbers = list(range(first, first + len(parameters)))
            groups.append({"lr": rate, **_OTHERS, "eps": self._eps, "params": numbers})
            first += len(parameters)
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of this class or of `torch.optim.Adam`; step sizes stay as set."""
        every = self._parameters()
        self._kept = {}
        for number, kept in state["state"].items():
            parameter = every[int(number)]
            self._kept[parameter] = _Moments(
                int(kept["step"]),
                _copy(kept["exp_avg"], parameter),
                _copy(kept["exp_avg_sq"], parameter),
            )

    def _parameters(self) -> list[Tensor]:
        return [parameter for parameters, _ in self._groups for parameter in parameters]

    def _of(self, parameter: Tensor) -> _Moments:
        if parameter not in self._kept:
            self._kept[parameter] = _Moments(
                0, torch.zeros_like(parameter), torch.zeros_like(parameter)
            )
        return self._kept[parameter]

    def _move(self, parameters: list[Tensor], rate: float, steps: int) -> None:
        """The operations of `torch.optim.Adam` in their order, each for all parameters at once."""
        gradients = [one.grad for one in parameters if one.grad is not None]
        means = [self._kept[one].mean for one in parameters]
        squares = [self._kept[one].square for one in parameters]
        first, second = _BETAS
        torch._foreach_lerp_(means, gradients, 1 - first)
        torch._foreach_mul_(squares, second)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - second)
        scales = torch._foreach_sqrt(squares)
        torch._foreach_div_(scales, (1 - second**steps) ** 0.5)
        torch._foreach_add_(scales, self._eps)
        torch._foreach_addcdiv_(parameters, means, scales, -(rate / (1 - first**steps)))


def _copy(values: Any, like: Tensor) -> Tensor:
    return torch.as_tensor(values).to(like.device, like.dtype, copy=True)


class FusedAdam:
    """Adam for a device: a group's step is two kernels, which a graph can hold, and the host
    knows nothing of it.

    Args:
        groups: parameters and the step size of each group of them.
        eps: what the square root of the second moment is increased by.
    """

    def __init__(
        self, groups: Sequence[tuple[Iterable[Tensor], float]], *, eps: float = _EPS
    ) -> None:
        self._eps = eps
        self._groups = [(list(parameters), rate) for parameters, rate in groups]
        self._kept = {
            one: (torch.zeros_like(one), torch.zeros_like(one), one.new_zeros(()))
            for parameters, _ in self._groups
            for one in parameters
        }

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self._kept:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move every parameter that has a gradient."""
        first, second = _BETAS
        for parameters, rate in self._groups:
            moved = [one for one in parameters if one.grad is not None]
            if not moved:
                continue
            means, squares, steps = zip(*(self._kept[one] for one in moved), strict=True)
            torch._foreach_add_(steps, 1.0)
            torch._fused_adam_(
                moved,
                [one.grad for one in moved if one.grad is not None],
                list(means),
                list(squares),
                [],
                list(steps),
                lr=rate,
                beta1=first,
                beta2=second,
                weight_decay=0.0,
                eps=self._eps,
                amsgrad=False,
                maximize=False,
            )
