"""What objectives that look inward predict with and are given: heads of all agents, actions, and
targets that are controls.

Shapes: B episodes, T time, N agents, D observation, X features, R rows.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.population.layers import StackedLinear
from mirrorenv.population.objectives.base import Batch, Host
from mirrorenv.population.objectives.fused_inward import Reads

__all__ = ["CausalPool", "StackedHead", "action_features", "random_features", "shuffled"]


class StackedHead(nn.Module):
    """One linear map for each agent, or one tanh layer before it; zero outputs at the start.

    Args:
        stack: N.
        features: inputs of each.
        hidden: units of the layer between; 0 for none.
        outputs: outputs of each.
        generator: source of the initial weights.
    """

    def __init__(
        self, stack: int, features: int, hidden: int, outputs: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.first = StackedLinear(stack, features, hidden, 2**0.5, generator) if hidden else None
        self.output = StackedLinear(stack, hidden or features, outputs, 0.01, generator)

    def forward(self, rows: Tensor) -> Tensor:
        """(N, R, features) -> (N, R, outputs)."""
        if self.first is not None:
            rows = torch.tanh(self.first.forward(rows))
        return self.output.forward(rows)

    def before_output(self, reads: Reads) -> Reads:
        """What the last map reads: everything, where there is no layer before it."""
        if self.first is None:
            return reads
        hidden, told = reads
        if told is not None:
            hidden = torch.cat([hidden[:, : told.shape[1]], told], -1)
        return Reads(torch.tanh(self.first.forward(hidden)), None)


def action_features(host: Host, batch: Batch) -> Tensor:
    """Actions of a minibatch as features, (B, T, N, A).

    Raises:
        ConfigError: if the host does not say how actions are read, or the batch holds none.
    """
    if host.shape is None or "actions" not in batch:
        raise ConfigError("this host gives no actions: set action to false")
    return host.shape.actions.features(batch["actions"])


def random_features(observations: Tensor, projection: Tensor) -> Tensor:
    """ReLU of a fixed random map of what was seen and a constant: (B, T, N, D), (D + 1, X) ->
    (B, T, N, X)."""
    one = observations.new_ones(*observations.shape[:-1], 1)
    return torch.relu(torch.cat([observations, one], -1) @ projection)


def shuffled(target: Tensor, live: Tensor, draws: torch.Generator) -> Tensor:
    """Every agent's targets in a random order of its steps that count.

    Args:
        target: (B, T, N, X).
        live: (B, T, N), the steps that count; the others stay among themselves.
        draws: source of the order.
    """
    agents = target.shape[2]
    counts = live.reshape(-1, agents) > 0  # (R, N)
    rows = len(counts)
    chance = torch.rand(rows, agents, generator=draws).to(target.device)
    place = torch.arange(rows, device=target.device, dtype=torch.float32).unsqueeze(1)
    late = (~counts).float() * 2 * rows
    source = (chance + late).argsort(0)  # (R, N), those that count first
    goal = (place + late).argsort(0)
    order = torch.empty_like(source).scatter_(0, goal, source)
    flat = target.reshape(rows, agents, -1)
    index = order.unsqueeze(-1).expand_as(flat)
    return flat.gather(0, index).view_as(target)


class CausalPool(nn.Module):
    """Attention pooling over this and earlier steps: what each step is worth is learned, and none
    reads a later one.

    Args:
        stack: N.
        width: H.
        generator: source of the initial weights.
    """

    def __init__(self, stack: int, width: int, generator: torch.Generator) -> None:
        super().__init__()
        self.query = nn.Parameter(0.1 * torch.randn(stack, width, generator=generator))

    def forward(self, hidden: Tensor) -> Tensor:
        """(B, T, N, H) -> (B, T, N, H)."""
        scores = (hidden * self.query).sum(-1).permute(0, 2, 1)  # (B, N, T)
        time = scores.shape[-1]
        later = torch.ones(time, time, dtype=torch.bool, device=hidden.device).triu(1)
        share = scores.unsqueeze(2).masked_fill(later, -torch.inf).softmax(-1)  # (B, N, T, T)
        return (share @ hidden.transpose(1, 2)).transpose(1, 2)
