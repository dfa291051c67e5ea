"""What every observer head is: a reader of shuffled lineups that returns evidence after every step.

Shapes: B batch, T time, K lineup slots, J observers (one for each agent), N agents, D observation,
A action, F features, H hidden.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from mirrorenv.population.settings import ObserverSettings, PopulationShape

__all__ = [
    "Head",
    "LineupTensors",
    "accumulate",
    "hold",
    "row_log_belief",
]


class LineupTensors(NamedTuple):
    """Shuffled lineups as observers read them. Nothing here says who is who.

    One lineup for all observers, (B, T, K, ...), or with a leading axis one for each of them,
    (J, B, T, K, ...).
    """

    observations: Tensor
    """([J,] B, T, K, D) float32, what slot k's author saw before acting."""
    actions: Tensor
    """([J,] B, T, K, A) float32, as the population's layout encodes them."""
    mask: Tensor
    """([J,] B, T, K) float32, 1 where the step happened."""
    candidates: Tensor | None = None
    """(B, J, C) int64, the agents that each observer may name; None where these are all agents."""

    @property
    def shared(self) -> bool:
        """Whether all observers read one lineup."""
        return self.mask.dim() == 3

    def features(self) -> Tensor:
        """Observation and action side by side, ([J,] B, T, K, F)."""
        return torch.cat([self.observations, self.actions], -1)

    def of(self, observer: int) -> LineupTensors:
        """The lineup of one observer, (B, T, K, ...)."""
        return LineupTensors(
            self.observations[observer], self.actions[observer], self.mask[observer]
        )

    def slots(self, chosen: Tensor) -> LineupTensors:
        """Some slots only, those numbered `chosen` (K',) int64."""
        return self._replace(
            observations=self.observations[..., chosen, :],
            actions=self.actions[..., chosen, :],
            mask=self.mask[..., chosen],
        )

    def slot_mask(self) -> Tensor:
        """(B, T, J, K) float32, the mask with the observers where evidence has them; J = 1 if
        shared."""
        return self.mask.unsqueeze(2) if self.shared else self.mask.permute(1, 2, 0, 3)


class Head(nn.Module):
    """J trained observers of N classes, one of each for every agent.

    A subclass gives `evidence` for one lineup that all observers read. It must be equivariant in
    the slots: permuting the lineup permutes its evidence and changes nothing else. This is what
    allows one shuffle to serve all observers in training (tested for every registered head).

    Args:
        shape: what the world fixes.
        settings: what the user chose.
        trunk_width: H of the actors' trunk, for observers that read through it.
        generator: source of a subclass's initial weights; the base has none.

    Attributes:
        joint: whether the evidence is meant to be decoded over whole permutations (marginals)
            rather than row by row.
        whole_lineup: whether `evidence` is worthless unless all slots are shown at once.
        needs_own: whether `evidence` is given what each observer's own policy would have done.
        own_lineups: whether `evidence` also takes a lineup of its own for each observer, (J, B, T,
            K, ...), as neighbourhoods are.
        names_candidates: whether `evidence` of own lineups has a column for each of the observer's
            candidates, so that nothing is computed about all others. A head without it gives a
            column for each agent, and the candidates' are kept.
        stacked: whether every parameter and buffer has the observers as its first axis, and
            `evidence` takes their number from `num_observers`. Some observers are then read alone,
            without the others' work.
        fast: whether `evidence` may compute the same in other arithmetic while it is learned from
            (`learning.update`); a head that has none takes no notice.
        reads_hidden: whether `evidence` is given the agents' trunk outputs instead of raw
            observations.
    """

    joint = False
    whole_lineup = False
    needs_own = False
    own_lineups = False
    names_candidates = False
    stacked = False
    fast = False
    fusable = False
    """Whether the head has another arithmetic for `fast` at all."""
    state_width = 0
    """H of `states`; 0 where the head has none."""
    identity: Tensor
    """(J, N) float32, who each observer is, one-hot."""

    def __init__(
        self,
        shape: PopulationShape,
        settings: ObserverSettings,
        trunk_width: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.num_agents = shape.num_agents
        self.reads_hidden = settings.trunk != "separate"
        self.seen_features = trunk_width if self.reads_hidden else shape.observation_size
        self.features = self.seen_features + shape.action_features
        self.register_buffer("identity", torch.eye(shape.num_agents), persistent=False)

    @property
    def num_observers(self) -> int:
        """J: N, or fewer while some are read alone."""
        return len(self.identity)

    def evidence(
        self, lineup: LineupTensors, hidden: Tensor | None = None, own: Tensor | None = None
    ) -> Tensor:
        """Evidence of every observer after every step.

        Args:
            lineup: the shuffled lineups.
            hidden: (J, T, B*K, H) outputs of each observer's policy trunk on each trajectory, if
                `reads_hidden`; (1, T, B*K, H) where all agents share one trunk.
            own: (B, T, J, K) log probability that observer j's own policy, its memory replayed on
                slot k's observations, gives slot k's action at each step, without gradient; if
                `needs_own`.

        Returns:
            (B, T, J, K, N) float32: total evidence after step t that slot k was made by agent n, in
            nats up to a constant per row; (B, T, J, K, C) about the candidates, in their order,
            where each observer has some and the head `names_candidates`.
        """
        raise NotImplementedError

    def forward(
        self, lineup: LineupTensors, hidden: Tensor | None = None, own: Tensor | None = None
    ) -> Tensor:
        """See `evidence`, of which this is the name that `nn.Module` calls."""
        return self.evidence(lineup, hidden, own)

    def evidence_of(
        self,
        observers: slice | Tensor,
        lineup: LineupTensors,
        hidden: Tensor | None = None,
        own: Tensor | None = None,
    ) -> Tensor:
        """Evidence of some observers only.

        Args:
            observers: which, a slice or (J',) int64.
            lineup: one that all observers read.
            hidden: as for `evidence`, of all observers.
            own: as for `evidence`, of all observers.

        Returns:
            (B, T, J', K, N): the rows of `evidence`.
        """
        if not self.stacked:
            return self.evidence(lineup, hidden, own)[:, :, observers]
        tensors = (*self.named_parameters(), *self.named_buffers())
        chosen = {name: tensor[observers] for name, tensor in tensors}
        if hidden is not None and len(hidden) > 1:
            hidden = hidden[observers]
        if own is not None:
            own = own[:, :, observers]
        evidence: Tensor = functional_call(self, chosen, (lineup, hidden, own))
        return evidence

    def states(self, lineup: LineupTensors, hidden: Tensor | None = None) -> Tensor:
        """What every observer makes of every step before it names anybody: its last hidden layer,
        which objectives can be attached to.

        Args:
            lineup: one that all observers read.
            hidden: as for `evidence`.

        Returns:
            (J, T, B*K, H).
        """
        raise NotImplementedError

    def loss(self, evidence: Tensor, target: Tensor, mask: Tensor) -> Tensor:
        """Cross-entropy in nats, mean over observers, slots and prefixes.

        Args:
            evidence: (B, T, J, K, C), as returned by `Population.evidence`.
            target: (B, J, K) int64, the column that is right for each slot; J = 1 where all
                observers read one lineup.
            mask: (B, T, J, K) float32; J = 1 where all observers read one lineup.
        """
        log_belief = row_log_belief(evidence, shared=mask.shape[2] == 1)
        index = target[:, None, :, :, None].expand(*evidence.shape[:4], 1)
        if mask.shape[2] == 1:  # in the order of memory: J, T, B, K
            chosen = _agents_first(log_belief).gather(1, _agents_first(index)).squeeze(1)
            weight = mask.squeeze(2).transpose(0, 1)  # (T, B, K)
            total = (weight.sum() * len(chosen)).clamp_min(1.0)
        else:
            chosen = log_belief.gather(4, index).squeeze(4)  # (B, T, J, K)
            weight = mask
            total = weight.sum().clamp_min(1.0)
        return -(chosen * weight).sum() / total

    def _rows(self, lineup: LineupTensors, hidden: Tensor | None) -> Tensor:
        """Per-step inputs: (T*B*K, F) read alike by all observers, or (J, T*B*K, F) where each has
        lineups, or a trunk, of its own."""
        if not lineup.shared:
            return lineup.features().transpose(1, 2).reshape(self.num_observers, -1, self.features)
        if hidden is None:
            return lineup.features().transpose(0, 1).reshape(-1, self.features)
        actions = lineup.actions.transpose(0, 1).reshape(1, -1, lineup.actions.shape[-1])
        observers = self.num_observers
        # (J, T*B*K, H); one trunk serves all when it is shared
        rows = hidden.flatten(1, 2).expand(observers, -1, -1)
        return torch.cat([rows, actions.expand(observers, -1, -1)], -1)


def row_log_belief(evidence: Tensor, *, shared: bool = True) -> Tensor:
    """Log belief of every slot by itself: log-softmax over the last axis.

    Args:
        evidence: (B, T, J, K, C).
        shared: whether all observers read one lineup; then the faster layout for evidence of many
            observers on the same rows.

    Returns:
        (B, T, J, K, C) log probabilities.
    """
    if not shared:
        return evidence.log_softmax(-1)
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
