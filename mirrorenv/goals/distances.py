"""What wandering taught about ways: how far every goal is by way of every next node.

A table of the nearest seen so far (the kernel `table` of this room, for many agents at once and on
the device), with one number for each choice and not only the best choice, since a preference among
equally good ones is what makes an agent an individual.

Shapes: B episodes, T time, N agents, V nodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

__all__ = ["FAR", "Paths", "Ways", "paths_of"]

FAR = 1e6
"""The distance of what was never reached, in steps."""


class Paths(NamedTuple):
    """Where agents were: R = B N rows."""

    nodes: Tensor
    """(R, T + 1) int64, before every step and after the last."""
    choices: Tensor
    """(R, T) int64, the node each step was to lead to."""
    mask: Tensor
    """(R, T) bool, steps whose outcome is known."""


def paths_of(experience: Mapping[str, Tensor], num_nodes: int) -> Paths:
    """Paths from the columns of an iteration's episodes.

    Args:
        experience: `observations` (B, T, N, D) that begin with the own node and the own goal as
            one-hot; `actions`, `rewards` and `mask` (B, T, N).
        num_nodes: V.
    """
    seen = experience["observations"]
    nodes = seen[..., :num_nodes].argmax(-1)  # (B, T, N)
    goal = seen[..., num_nodes : 2 * num_nodes].argmax(-1)
    actions = experience["actions"]
    live = experience["mask"].bool()
    later = torch.roll(live, -1, dims=1)
    later[:, -1] = False
    after = torch.roll(nodes, -1, dims=1)
    # who is paid for its last step reached its goal; where another last step led is not known
    arrived = live & ~later & (experience["rewards"] > 0) & (actions == goal)
    after = torch.where(later, after, torch.where(arrived, goal, nodes))
    known = live & (later | arrived)
    rows = [part.transpose(1, 2).flatten(0, 1) for part in (nodes, after, actions, known)]
    start, end, choices, mask = rows
    return Paths(torch.cat([start[:, :1], end], 1), choices, mask)


class Ways(nn.Module):
    """The table, as buffers: it travels with weights and checkpoints.

    Args:
        num_nodes: V.
        stitch: whether ways of different walks are joined: a temporal difference, repeated until
            nothing changes. Otherwise only whole stretches of walks count.
    """

    far: Tensor
    tried: Tensor

    def __init__(self, num_nodes: int, stitch: bool = True) -> None:
        super().__init__()
        self.num_nodes = num_nodes
        self.stitch = stitch
        # (V node, V goal, V next) fewest steps seen
        self.register_buffer("far", torch.full((num_nodes,) * 3, FAR))
        # (V, V) bool, whether going from one to the other was tried
        self.register_buffer("tried", torch.zeros(num_nodes, num_nodes, dtype=torch.bool))

    def distance(self) -> Tensor:
        """(V, V) fewest steps known from every node to every goal; `FAR` if none is known."""
        found = self.far.amin(-1)
        return found.masked_fill(torch.eye(len(found), dtype=torch.bool, device=found.device), 0.0)

    def excess(self) -> Tensor:
        """(V node, V goal, V next) steps that a choice costs more than the best one known; 0 where
        no way to the goal is known."""
        best = self.far.amin(-1, keepdim=True)
        return torch.where(best < FAR, self.far - best, torch.zeros_like(self.far))

    @torch.no_grad()
    def learn(self, paths: Paths) -> None:
        """Keep what is nearer than all before: each later node of a path is a goal that was
        reached."""
        nodes, choices, mask = paths
        moved = mask & (nodes[:, 1:] == choices) & (nodes[:, :-1] != choices)
        at = nodes[:, :-1]
        self.tried[at[mask], choices[mask]] = True
        time = choices.shape[1]
        size = self.num_nodes
        flat = self.far.view(-1)
        joined = torch.ones_like(mask)
        for gap in range(1, time + 1):  # steps between a node and the goal it had in hindsight
            stretch = time - gap + 1
            joined = joined[:, :stretch] & mask[:, gap - 1 :]
            taught = joined & moved[:, :stretch]
            if not taught.any():
                break
            goal = nodes[:, gap:]
            key = (at[:, :stretch] * size + goal) * size + choices[:, :stretch]
            taught = taught & (goal != at[:, :stretch])
            steps = torch.full_like(key[taught], gap, dtype=flat.dtype)
            flat.scatter_reduce_(0, key[taught], steps, "amin")
        _share_nearest(self.far, self.tried)
        if self.stitch:
            self._stitch()

    def _stitch(self) -> None:
        """far(s, g, a) = 1 + far(a, g) for every step s to a that was made, until all agree."""
        stepped = torch.diagonal(self.far, dim1=1, dim2=2) == 1.0  # (V node, V next)
        for _ in range(self.num_nodes):
            onward = 1.0 + self.distance().T  # (V goal, V next)
            offered = torch.where(stepped[:, None, :], onward[None], torch.full_like(self.far, FAR))
            nearer = torch.minimum(self.far, offered)
            if torch.equal(nearer, self.far):
                return
            self.far.copy_(nearer)


def _share_nearest(far: Tensor, tried: Tensor) -> None:
    """The nearest of all learners, where there are several; each of them calls this."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(far, torch.distributed.ReduceOp.MIN)
        both = tried.to(torch.int32)
        torch.distributed.all_reduce(both, torch.distributed.ReduceOp.MAX)
        tried.copy_(both.bool())
