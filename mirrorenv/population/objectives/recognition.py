"""Recognition: observers read shuffled lineups and are taught the names.

Shapes: B episodes, T time, P prefixes, N agents, J observers, K lineup slots.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mirrorenv.population.neighbourhood import neighbourhood_loss, read_neighbourhood
from mirrorenv.population.objectives.base import (
    Batch,
    HiddenStates,
    Host,
    Metrics,
    Objective,
    ObjectiveSettings,
)
from mirrorenv.population.observers import LineupTensors
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import ObserverSettings

__all__ = ["Reading", "Recognition", "observer_loss", "read_minibatch"]


class Recognition(Objective):
    """The observers learn the names. What they believe is the mirror reward, which
    `mirrorenv.population.train_batch.mirror_rewards` pays.

    Args:
        population: whose observers.
        grad_norm: largest gradient norm of the observers.
    """

    reads_output = False

    def __init__(self, population: Population, grad_norm: float) -> None:
        observer = population.settings.observer
        settings = ObjectiveSettings(
            name="recognition", learning_rate=observer.learning_rate, grad_norm=grad_norm
        )
        super().__init__(settings, Host({}), torch.Generator())
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

    def reseed(self, seed: int) -> None:
        """See `Objective.reseed`: the seed itself, as in every recorded run."""
        self.draws.manual_seed(seed)


class Reading(NamedTuple):
    """What the heads made of a minibatch, with the names they are to be taught.

    Where every observer has lineups of its own, labels have an axis J and are columns of the
    evidence, not agents.
    """

    evidence: Tensor
    """(B, P, J, K', N) evidence after the chosen prefixes, on the chosen slots; (B, P, J, K, K)
    with neighbours."""
    labels: Tensor
    """(B, K') int64; (B, J, K) with neighbours."""
    mask: Tensor
    """(B, P, K') float32; (B, P, J, K) with neighbours."""


def read_minibatch(
    population: Population,
    batch: Mapping[str, Tensor],
    settings: ObserverSettings,
    generator: torch.Generator,
) -> Reading:
    """Show the minibatch's lineups to every observer, or random slots and prefixes of them if so
    set."""
    own = batch["labels"].dim() == 3
    reading = (
        _read_own(population, batch) if own else _read_all(population, batch, settings, generator)
    )
    time = reading.mask.shape[1]
    if 0 < settings.prefixes_per_update < time:
        prefixes = (
            torch.randperm(time, generator=generator)[: settings.prefixes_per_update].sort().values
        )
        return Reading(reading.evidence[:, prefixes], reading.labels, reading.mask[:, prefixes])
    return reading


def _read_all(
    population: Population,
    batch: Mapping[str, Tensor],
    settings: ObserverSettings,
    generator: torch.Generator,
) -> Reading:
    """One lineup of everybody for all observers."""
    lineup = lineup_tensors(
        population, batch["observations"], batch["actions"], batch["mask"], batch["permutation"]
    )
    labels = batch["labels"]
    slots = labels.shape[1]
    if 0 < settings.slots_per_update < slots and not population.observers.whole_lineup:
        chosen = torch.randperm(slots, generator=generator)[: settings.slots_per_update]
        lineup = LineupTensors(*(part[:, :, chosen] for part in lineup))
        labels = labels[:, chosen]
    return Reading(population.evidence(lineup), labels, lineup.mask)


def _read_own(population: Population, batch: Mapping[str, Tensor]) -> Reading:
    """A lineup of its neighbours for each observer.

    The candidates are the names to be taught, in the order of the slots, so column k is right for
    slot k. Heads know nothing of the columns' order, and false names work like true ones.
    """
    authors, mask = batch["permutation"], batch["mask"]  # (B, J, K), (B, T, N)
    data = (batch["observations"], batch["actions"], mask)
    evidence = read_neighbourhood(population, *data, authors, batch["labels"])  # (B, T, J, K, K)
    observers, slots = authors.shape[1:]
    happened = mask.to(torch.float32).gather(
        2, authors.flatten(1)[:, None].expand(-1, mask.shape[1], -1)
    )
    right = torch.arange(slots, device=authors.device).expand_as(authors)
    return Reading(evidence, right, happened.view(*mask.shape[:2], observers, slots))


def observer_loss(population: Population, reading: Reading) -> tuple[Tensor, dict[str, Tensor]]:
    """The heads' own loss in nats, and the share of slots named right over all prefixes."""
    own = reading.labels.dim() == 3
    loss = (neighbourhood_loss if own else population.observers.loss)(*reading)
    with torch.no_grad():
        labels = reading.labels[:, None] if own else reading.labels[:, None, None]
        right = (reading.evidence.argmax(-1) == labels).float()  # (B, P, J, K')
        weight = (reading.mask if own else reading.mask.unsqueeze(2)).expand_as(right)
        accuracy = (right * weight).sum() / weight.sum().clamp_min(1.0)
    return loss, {"observer_loss": loss.detach(), "observer_accuracy": accuracy}
