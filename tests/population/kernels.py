"""A minibatch of nothing, for what is to be learned from it on a device without numbers."""

from __future__ import annotations

from typing import Any

import torch


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
