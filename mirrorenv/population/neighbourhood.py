"""Observers that read neighbourhoods: each its own lineup of K trajectories instead of all N.

Shape legend: B batch, T time, N agents, J observers (J = N), K candidates and slots, D observation,
A action.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.errors import ConfigError
from mirrorenv.mirror import (
    MAX_EXACT_AGENTS,
    mean_distance,
    nearest_agents,
    neighbourhood_permutations,
    seen_by,
)
from mirrorenv.mirror.arrays import Floats32
from mirrorenv.population.experience import Experience, population_shape
from mirrorenv.population.observers import HEADS, LineupTensors
from mirrorenv.population.population import Population
from mirrorenv.population.settings import MirrorSettings, ObserverSettings, PopulationSettings

__all__ = [
    "Shown",
    "check_lineup_size",
    "check_mirror",
    "neighbourhood_loss",
    "own_evidence",
    "own_log_belief",
    "read_neighbourhood",
    "settle_neighbours",
    "shown_to",
]

_CHUNK = 1 << 24  # floats of evidence or hidden state held at once


# -- settings --------------------------------------------------------------------------------------


def settle_neighbours(
    settings: PopulationSettings, mirror: MirrorSettings, world: ArrayWorld
) -> PopulationSettings:
    """Check the settings of neighbourhoods against the world, and take from it where an agent is.

    Args:
        settings: as the user gave them.
        mirror: the reward that goes with them.
        world: its `place_columns` fill `observer.place` if the user named none.

    Returns:
        the settings, with a place wherever there are neighbours.

    Raises:
        ConfigError: if there is no place, the world has too few agents, or the head or the reward
            needs whole lineups.
    """
    observer = settings.observer
    if not observer.neighbours:
        return settings
    shape, name = population_shape(world), "population.observer.neighbours"
    most = min(shape.num_agents, MAX_EXACT_AGENTS) - 1
    if observer.neighbours > most:
        raise ConfigError(
            f"{name} = {observer.neighbours} is too many: it is at most N - 1 = "
            f"{shape.num_agents - 1}, and at most "
            f"{MAX_EXACT_AGENTS - 1}, since larger lineups have no exact limit. 0 shows everybody"
        )
    place = observer.place or world.place_columns
    if not place:
        raise ConfigError(
            f"{name} is set, but this world does not say where an agent is. Name the places in its "
            "flattened "
            f"observation of {shape.observation_size} numbers that do, for example "
            "population.observer.place=[0,1]"
        )
    if not 0 <= min(place) <= max(place) < shape.observation_size:
        raise ConfigError(
            f"population.observer.place = {list(place)}: the flattened observation has "
            f"{shape.observation_size} "
            "numbers, and the first is number 0"
        )
    own_lineups = observer.head not in HEADS or getattr(HEADS[observer.head], "own_lineups", False)
    if not own_lineups or observer.trunk != "separate":
        raise _cannot_read(settings)
    check_mirror(mirror)
    return settings.model_copy(update={"observer": observer.model_copy(update={"place": place})})


def check_lineup_size(agents: int, observer: ObserverSettings) -> None:
    """Whether lineups are small enough for the exact limit, beside which every evaluation stands.

    Args:
        agents: N.
        observer: who is shown how many.

    Raises:
        ConfigError: if everybody is shown and there are more than 16; it says how to show fewer.
    """
    if agents > MAX_EXACT_AGENTS and not observer.neighbours:
        raise ConfigError(
            f"{agents} agents, all shown to every observer: above {MAX_EXACT_AGENTS} there is no "
            "exact limit to "
            "measure against. Show each observer the agents nearest to it: "
            "population.observer.neighbours=8, at most "
            f"{MAX_EXACT_AGENTS - 1}"
        )


def check_mirror(mirror: MirrorSettings) -> None:
    """Whether this reward can be paid by observers of neighbourhoods.

    Raises:
        ConfigError: if it is made of beliefs about everybody.
    """
    for name, value, fine in (
        ("credit", mirror.credit, ("author", "team")),
        ("control", mirror.control, ("none", "shuffled_labels", "random_reward")),
        ("observers_per_author", mirror.observers_per_author, (0,)),
    ):
        if value not in fine:
            raise ConfigError(
                f"mirror.{name} = {value} needs observers that are shown everybody; with "
                f"population.observer.neighbours it can be {', '.join(map(str, fine))}"
            )


def _cannot_read(settings: PopulationSettings) -> ConfigError:
    return ConfigError(
        f"the head '{settings.observer.head}' with trunk '{settings.observer.trunk}' cannot read "
        "neighbourhoods; use "
        "head 'additive' or 'gru' with trunk 'separate'"
    )


# -- whom observers are shown ----------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """Whom every observer is shown in every episode."""

    candidates: NDArray[np.int64]
    """(B, J, K), ascending: itself and its nearest."""
    permutation: NDArray[np.int64]
    """(B, J, K), slot k of observer j shows its candidate number ``permutation[b, j, k]``."""
    distance: NDArray[np.float64]
    """(B, N, N) by which they were chosen."""

    @property
    def authors(self) -> NDArray[np.int64]:
        """(B, J, K), the agent that slot k shows."""
        return np.take_along_axis(self.candidates, self.permutation, axis=2)

    @property
    def seen(self) -> NDArray[np.bool_]:
        """(B, J, N), who was shown."""
        return seen_by(self.candidates)

    def steps(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(B, T, N) steps that happened, by agent -> (B, T, J, K), by candidate."""
        return np.take_along_axis(mask[:, :, None], self.candidates[:, None], axis=3)

    def by_agent(self, values: NDArray[Any]) -> NDArray[Any]:
        """(B, ..., J, K) about candidates -> (B, ..., J, N) about agents, 0 for those not shown."""
        batch, observers, size = self.candidates.shape
        between = values.ndim - 3
        index = self.candidates.reshape(batch, *[1] * between, observers, size)
        spread = np.zeros((*values.shape[:-1], observers), values.dtype)
        np.put_along_axis(spread, np.broadcast_to(index, values.shape), values, axis=-1)
        return spread

    def recognition_matrix(self, belief: NDArray[Any]) -> NDArray[np.float64]:
        """(J, N) mean of (B, J, K) beliefs in the true author, over the episodes that showed it;
        NaN if none did."""
        total, count = self.by_agent(belief).sum(0), self.seen.sum(0)
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def confusion(self, belief: NDArray[Any]) -> NDArray[np.float64]:
        """(N, N) mean of (B, J, K, K) beliefs by true author (rows), over the lineups that showed
        it."""
        agents = self.candidates.shape[1]
        total = np.zeros((agents, agents))
        rows, columns = np.broadcast_arrays(
            self.candidates[..., :, None], self.candidates[..., None, :]
        )
        np.add.at(total, (rows, columns), belief)
        mean: NDArray[np.float64] = total / self.seen.sum((0, 1))[:, None]
        return mean


def shown_to(
    population: Population, experience: Experience, *, run: int, episodes: NDArray[np.int64]
) -> Shown | None:
    """Whom each observer is shown: its nearest by the columns `observer.place`; None where all see
    everybody.

    Args:
        population: whose settings say how many neighbours, and where an agent is.
        experience: B episodes.
        run: seed of the run, by which lots are drawn and lineups shuffled.
        episodes: (B,) ids.
    """
    observer = population.settings.observer
    if not observer.neighbours:
        return None
    distance = mean_distance(experience.observations[..., list(observer.place)], experience.mask)
    candidates = nearest_agents(distance, observer.neighbours, run=run, episodes=episodes)
    return Shown(
        candidates, neighbourhood_permutations(candidates, run=run, episodes=episodes), distance
    )


# -- reading ---------------------------------------------------------------------------------------


def read_neighbourhood(
    population: Population,
    observations: Tensor,
    actions: Tensor,
    mask: Tensor,
    authors: Tensor,
    candidates: Tensor,
) -> Tensor:
    """What every observer makes of its own lineup after every step.

    Args:
        population: whose heads read; their kind has `own_lineups` and weights of its own.
        observations: (B, T, N, D) float32, in agent order.
        actions: (B, T, N) int64 or (B, T, N, A) float32.
        mask: (B, T, N) float32 or bool.
        authors: (B, J, K) int64, whose trajectory stands in each slot: the candidates in shuffled
            order.
        candidates: (B, J, K) int64, the agents to choose from, in the order of the result's last
            axis.

    Returns:
        (B, T, J, K, K) evidence that slot k was made by candidate c.

    Raises:
        ConfigError: if the head needs whole lineups, or reads with the policies' trunks.
    """
    head = population.observers
    if not head.own_lineups or head.reads_hidden:
        raise _cannot_read(population.settings)
    features = population.action_features(actions)
    slots = authors.shape[2]

    def shown(x: Tensor) -> Tensor:  # (B, T, N, X) -> (J, B, T, K, X)
        batch, time, _, width = x.shape
        index = authors.reshape(batch, 1, -1, 1).expand(-1, time, -1, width)
        return x.gather(2, index).view(batch, time, -1, slots, width).permute(2, 0, 1, 3, 4)

    seen = shown(mask.to(torch.float32).unsqueeze(-1)).squeeze(-1)
    lineup = population.shown(LineupTensors(shown(observations), shown(features), seen))
    evidence = head.evidence(lineup)  # (B, T, J, K, N)
    columns = candidates[:, None, :, None, :].expand(*evidence.shape[:4], slots)
    return evidence.gather(4, columns)


def neighbourhood_loss(evidence: Tensor, permutation: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy among the candidates in nats, mean over observers, slots and prefixes.

    Args:
        evidence: (B, T, J, K, K), from :func:`read_neighbourhood`.
        permutation: (B, J, K) int64, slot k shows candidate ``permutation[b, j, k]``.
        mask: (B, T, J, K) float32, 1 where the slot's step happened.
    """
    target = permutation[:, None, :, :, None].expand(*evidence.shape[:4], 1)
    log_belief = evidence.log_softmax(-1).gather(4, target).squeeze(4)  # (B, T, J, K)
    return -(log_belief * mask).sum() / mask.sum().clamp_min(1.0)


@torch.no_grad()
def own_evidence(population: Population, experience: Experience, shown: Shown) -> Floats32:
    """Show every observer its own shuffled lineups, then undo the shuffle.

    Returns:
        (B, T, J, K, K) float32 evidence after every step, slots and columns in the order of the
        candidates.
    """
    batch, time, agents = experience.mask.shape
    width = max(agents, population.settings.observer.hidden)
    size = max(1, _CHUNK // (time * shown.candidates.shape[1] * shown.candidates.shape[2] * width))
    arrays = (
        experience.observations,
        experience.actions,
        experience.mask,
        shown.authors,
        shown.candidates,
    )
    parts = []
    for start in range(0, batch, size):
        part = (
            torch.from_numpy(np.ascontiguousarray(array[start : start + size])) for array in arrays
        )
        # (b, J, K) the slot of each candidate
        slot_of = np.argsort(shown.permutation[start : start + size], axis=2)
        evidence = read_neighbourhood(population, *part).numpy()
        parts.append(np.take_along_axis(evidence, slot_of[:, None, :, :, None], axis=3))
    return np.concatenate(parts)


def own_log_belief(population: Population, experience: Experience, shown: Shown) -> Floats32:
    """Log belief of every observer in the true author of what it was shown, after every step.

    Returns:
        (B, T, J, N) float32, log q_j(n | tau_n up to and including step t); 0 for agents that were
        not shown.
    """
    evidence = torch.from_numpy(own_evidence(population, experience, shown))
    belief: Floats32 = shown.by_agent(evidence.log_softmax(-1).diagonal(dim1=3, dim2=4).numpy())
    return belief
