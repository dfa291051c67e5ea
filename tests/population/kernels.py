"""What a piece of work asks of a device: kernels to launch, and moments at which the host waits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

# what gives the host a number, or a shape that depends on numbers
_WAITS = {
    "aten._local_scalar_dense",
    "aten.nonzero",
    "aten.masked_select",
    "aten.equal",
    "aten._unique2",
    "aten.unique_dim",
}


class Launched(TorchDispatchMode):
    """Counts, while it is active, operations that are no mere views.

    Attributes:
        kernels: how many.
        waits: names of those that the host waits for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernels = 0
        self.waits: list[str] = []

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        name = str(func).rpartition(".")[0]
        if name in _WAITS:
            self.waits.append(name)
        alias = [one.alias_info for one in func._schema.returns]
        view = any(one is not None and not one.is_write for one in alias)
        self.kernels += not view and "empty" not in name and name != "aten.detach"
        return func(*args, **(kwargs or {}))


def minibatch(
    shape: Any, device: str, *, size: int = 5, time: int = 6, fed: int = 0
) -> dict[str, torch.Tensor]:
    """Columns of a train batch that hold nothing but zeros."""
    agents = shape.num_agents

    def column(*trailing: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros(size, time, *trailing, dtype=dtype, device=device)

    names = ("mask", "log_probability", "advantage", "environment_target", "mirror_target")
    batch = {name: column(agents) for name in (*names, "rewards")}
    whole = torch.int64 if shape.actions.whole else torch.float32
    batch["observations"] = column(agents, shape.observation_size)
    batch["actions"] = column(agents, *shape.actions.shape, dtype=whole)
    for name in ("permutation", "labels"):
        batch[name] = torch.zeros(size, 1, agents, dtype=torch.int64, device=device)
    if fed:
        batch["fed"] = column(agents, fed)
    return batch
