"""What every observer head is: a reader of shuffled lineups that returns evidence after every step.

Shapes: B batch, T time, K lineup slots, J observers (one for each agent), N agents, D observation,
A action, F features, H hidden.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mirrorenv.errors import unknown_name
from mirrorenv.population.settings import ObserverSettings, PopulationShape

__all__ = [
    "HEADS",
    "Head",
    "LineupTensors",
    "accumulate",
    "build_head",
    "hold",
    "register_head",
    "row_log_belief",
]


class LineupTensors(NamedTuple):
    """Shuffled lineups as an observer reads them. Nothing here says who is who.

    With a leading axis J, (J, B, T, K, ...), every observer is shown a lineup of its own (heads
    with `own_lineups`).
    """

    observations: Tensor
    """(B, T, K, D) float32, what slot k's author saw before acting."""
    actions: Tensor
    """(B, T, K, A) float32, one-hot or continuous."""
    mask: Tensor
    """(B, T, K) float32, 1 where the step happened."""

    def features(self) -> Tensor:
        """Observation and action side by side, (B, T, K, F)."""
        return torch.cat([self.observations, self.actions], -1)


class Head(nn.Module):
    """J heads of N classes, one for each agent.

    A head must be equivariant in the slots: permuting the lineup permutes its evidence and changes
    nothing else. This is what allows one shuffle to serve all observers in training (tested for
    every registered head).

    Attributes:
        joint: whether the evidence is meant to be decoded over whole permutations (marginals)
            rather than row by row.
        whole_lineup: whether `evidence` is worthless unless all slots are shown at once.
        needs_own: whether `evidence` is given what each observer's own policy would have done.
        reads_hidden: whether `evidence` is given the agents' trunk outputs instead of raw
            observations.
        own_lineups: whether each observer may be shown a lineup of its own (a neighbourhood, say).
    """

    joint = False
    whole_lineup = False
    needs_own = False
    own_lineups = False

    def __init__(
        self, shape: PopulationShape, settings: ObserverSettings, trunk_width: int
    ) -> None:
        super().__init__()
        self.num_agents = shape.num_agents
        self.reads_hidden = settings.trunk != "separate"
        self.seen_features = trunk_width if self.reads_hidden else shape.observation_size
        self.features = self.seen_features + shape.action_features

    def evidence(
        self, lineup: LineupTensors, hidden: Tensor | None = None, own: Tensor | None = None
    ) -> Tensor:
        """Evidence of every observer after every step.

        Args:
            lineup: the shuffled lineups.
            hidden: (J, T, B*K, H) outputs of each observer's policy trunk on each trajectory, if
                `reads_hidden`.
            own: (B, T, J, K) log probability that observer j's own policy, its memory replayed on
                slot k's observations, gives slot k's action at each step, without gradient; if
                `needs_own`.

        Returns:
            (B, T, J, K, N) float32: total evidence after step t that slot k was made by agent n, in
            nats up to a constant per row.
        """
        raise NotImplementedError

    def loss(self, evidence: Tensor, authors: Tensor, mask: Tensor) -> Tensor:
        """Cross-entropy in nats, mean over observers, slots and prefixes.

        Args:
            evidence: (B, T, J, K, N), as returned by `evidence`.
            authors: (B, K) int64, the author of each slot.
            mask: (B, T, K) float32.
        """
        batch, time, observers, slots, _ = evidence.shape
        target = authors.expand(observers, 1, time, batch, slots)
        # (J, T, B, K)
        log_belief = _agents_first(evidence).log_softmax(1).gather(1, target).squeeze(1)
        weight = mask.transpose(0, 1)
        return -(log_belief * weight).sum() / (weight.sum() * observers).clamp_min(1.0)

    def _rows(self, lineup: LineupTensors, hidden: Tensor | None) -> Tensor:
        """Per-step inputs: (T*B*K, F) read alike by all heads, or (J, T*B*K, F) when each reads
        with its own trunk."""
        if lineup.mask.dim() == 4:  # (J, B, T, K): lineups of their own
            return lineup.features().transpose(1, 2).reshape(self.num_agents, -1, self.features)
        if hidden is None:
            return lineup.features().transpose(0, 1).reshape(-1, self.features)
        actions = lineup.actions.transpose(0, 1).reshape(1, -1, lineup.actions.shape[-1])
        heads = self.num_agents
        # (J, T*B*K, H); one trunk serves all when it is shared
        rows = hidden.flatten(1, 2).expand(heads, -1, -1)
        return torch.cat([rows, actions.expand(heads, -1, -1)], -1)


def row_log_belief(evidence: Tensor) -> Tensor:
    """Log belief of every slot by itself, (B, T, J, K, N) -> the same shape: log-softmax over the
    agents."""
    return _agents_first(evidence).log_softmax(1).permute(3, 2, 0, 4, 1)


def _agents_first(evidence: Tensor) -> Tensor:
    """(B, T, J, K, N) -> (J, N, T, B, K), the order in which `AdditiveHead` leaves it in memory.

    N is small, and on a CPU PyTorch reduces a short last axis several times slower than an inner
    one.
    """
    return evidence.permute(2, 4, 1, 0, 3)


def accumulate(steps: Tensor, mask: Tensor) -> Tensor:
    """Sum evidence over time: steps (J, T, B, K, N) and mask ([J,] B, T, K) -> (B, T, J, K, N),
    held after the last."""
    return (steps * mask.transpose(-3, -2).unsqueeze(-1)).cumsum(1).permute(2, 1, 0, 3, 4)


def hold(outputs: Tensor, mask: Tensor) -> Tensor:
    """Evidence as it was at each slot's last step that happened: arguments and result as
    `accumulate`."""
    last = (mask.cumsum(1) - 1).long()  # (B, T, K); an agent's steps are contiguous from 0
    index = last.clamp_min(0).transpose(0, 1)[None, ..., None].expand_as(outputs)  # (J, T, B, K, N)
    held = outputs.gather(1, index) * (last >= 0).transpose(0, 1).unsqueeze(-1)
    return held.permute(2, 1, 0, 3, 4)


HeadFactory = Callable[[PopulationShape, ObserverSettings, int, torch.Generator], Head]
HEADS: dict[str, HeadFactory] = {}


def register_head(name: str) -> Callable[[HeadFactory], HeadFactory]:
    """Class decorator: make a head available under `population.observer.head = name`."""

    def add(factory: HeadFactory) -> HeadFactory:
        HEADS[name] = factory
        return factory

    return add


def build_head(
    shape: PopulationShape, settings: ObserverSettings, trunk_width: int, generator: torch.Generator
) -> Head:
    """The head named in the settings.

    Raises:
        UnknownNameError: if no head of that name is registered.
    """
    if settings.head not in HEADS:
        raise unknown_name("observer head", settings.head, HEADS)
    return HEADS[settings.head](shape, settings, trunk_width, generator)
