"""Recognition: observers read shuffled lineups and are taught the names.

Shapes: B episodes, T time, P prefixes, N agents, J observers, K lineup slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mirrorenv.mirror.arrays import Floats32
from mirrorenv.population.experience import Experience
from mirrorenv.population.fused_losses import name_loss
from mirrorenv.population.objectives.base import (
    Batch,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    ObjectiveSettings,
)
from mirrorenv.population.observers import Head
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import ObserverSettings
from mirrorenv.population.train_batch import Lots, mirror_pay

__all__ = ["Reading", "Recognition", "observer_loss", "read_minibatch"]


class Recognition(Objective):
    """The mirror: observers learn the names, and what they believe is paid.

    Args:
        population: whose observers.
        grad_norm: largest gradient norm of the observers.
    """

    pays = True
    discounted = False
    reads_output = False

    def __init__(self, population: Population, grad_norm: float) -> None:
        observer = population.settings.observer
        settings = ObjectiveSettings(
            name="mirror", learning_rate=observer.learning_rate, grad_norm=grad_norm
        )
        super().__init__(settings, Host({}), torch.Generator())
        self.label = "recognition"
        self._observers = (population.observers,)  # the population's, not a part of this

    def parts(self) -> dict[str, tuple[nn.Module | Iterable[nn.Parameter], float]]:
        """See `Objective.parts`: the observers' own weights."""
        return {"observer": (self._observers[0], self.settings.learning_rate)}

    def loss(
        self, population: Population | None, output: HiddenStates, batch: Batch
    ) -> tuple[Tensor, Metrics]:
        """See `Objective.loss`: what `Head.loss` says, in nats."""
        assert population is not None
        reading = read_minibatch(population, batch, population.settings.observer, self.draws)
        return observer_loss(population, reading)

    def pay(self, population: Population, experience: Experience, lots: Lots) -> Floats32:
        """See `Objective.pay`: log N + log belief in the true author, as credit and timing say."""
        return mirror_pay(population, experience, lots)

    def reseed(self, seed: int) -> None:
        """See `Objective.reseed`: the seed itself, as in every recorded run."""
        self.draws.manual_seed(seed)


class Reading(NamedTuple):
    """What observers made of a minibatch, with what they are to be taught.

    J = 1 where all observers read one lineup.
    """

    evidence: Tensor
    """(B, P, N, K', C) evidence after the chosen prefixes, on the chosen slots, by candidate."""
    target: Tensor
    """(B, J, K') int64, the candidate that is right for each slot."""
    mask: Tensor
    """(B, P, J, K') float32, 1 where the slot's step happened."""


def read_minibatch(
    population: Population,
    batch: Mapping[str, Tensor],
    settings: ObserverSettings,
    generator: torch.Generator,
) -> Reading:
    """Show the minibatch's lineups to every observer, or random slots and prefixes of them if so
    set.

    Args:
        population: whose observers read.
        batch: `observations`, `actions`, `mask` in agent order; `permutation` and `labels` (B, J,
            K), the agent in each slot and the name to be taught for it.
        settings: how many slots and prefixes.
        generator: source of their choice.
    """
    authors = batch["permutation"]
    labels = batch["labels"]
    # Where some agents are left out, those to choose from are the names to be taught, in the order
    # of the slots: column k is right for slot k. Observers know nothing of the columns' order, and
    # false names work like true ones.
    left_out = authors.shape[1] > 1
    slots = torch.arange(authors.shape[2], device=authors.device)
    target = slots.expand_as(labels) if left_out else labels
    some = 0 < settings.slots_per_update < len(slots)
    readable = not left_out or population.fast  # plain: neighbourhoods are read whole
    if some and readable and not population.observers.whole_lineup:
        chosen = torch.randperm(len(slots), generator=generator)[: settings.slots_per_update]
        authors = authors[..., chosen]
        target = target[..., chosen]
    lineup = lineup_tensors(
        population,
        batch["observations"],
        batch["actions"],
        batch["mask"],
        authors,
        labels if left_out else None,
    )
    evidence = population.evidence(lineup)
    mask = lineup.slot_mask()
    time = mask.shape[1]
    if 0 < settings.prefixes_per_update < time:
        order = torch.randperm(time, generator=generator)
        prefixes = order[: settings.prefixes_per_update].sort().values
        return Reading(evidence[:, prefixes], target, mask[:, prefixes])
    return Reading(evidence, target, mask)


def observer_loss(population: Population, reading: Reading) -> tuple[Tensor, dict[str, Tensor]]:
    """The observers' own loss in nats, and the share of slots named right over all prefixes."""
    observers = population.observers
    shared = reading.mask.shape[2] == 1
    if population.fast and shared and type(observers).loss is Head.loss:
        loss, accuracy = name_loss(*_by_trajectory(reading))
        return loss, {"observer_loss": loss.detach(), "observer_accuracy": accuracy}
    loss = observers.loss(*reading)
    with torch.no_grad():
        if population.fast:
            right = _is_best(reading.evidence, reading.target).float()
        else:
            right = (reading.evidence.argmax(-1) == reading.target[:, None]).float()
        weight = reading.mask.expand_as(right)
        accuracy = (right * weight).sum() / weight.sum().clamp_min(1.0)
    return loss, {"observer_loss": loss.detach(), "observer_accuracy": accuracy}


def _by_trajectory(reading: Reading) -> tuple[Tensor, Tensor, Tensor]:
    """What all observers made of one lineup as `name_loss` takes it: (N, C, P, B*K'), (B*K',),
    (P, B*K'), in the order of memory."""
    evidence = reading.evidence.permute(2, 4, 1, 0, 3).flatten(3)
    return evidence, reading.target.flatten(), reading.mask.transpose(0, 1).flatten(1)


def _is_best(evidence: Tensor, target: Tensor) -> Tensor:
    """Whether no candidate has more evidence than the right one: (B, P, N, K', C) and (B, J, K') ->
    (B, P, N, K') bool.

    The largest value of each row, and not where it stands: along an outer axis, which the
    candidates' is in memory, PyTorch finds that 300 times as fast on a CPU.
    """
    columns = evidence.permute(2, 4, 1, 0, 3)  # (N, C, P, B, K')
    index = target.transpose(0, 1)[:, None, None].expand(len(columns), 1, *columns.shape[2:])
    right = columns.gather(1, index).squeeze(1) >= columns.amax(1)  # (N, P, B, K')
    return right.permute(2, 1, 0, 3)
