"""Agents that were recorded, and observers that learn to read them.

Not a benchmark itself: the studies and suites of observers share it. A `Recording` holds episodes
and what every policy thinks of every step; a `Reader` is a head with whatever it reads with;
`trained_reader` teaches one on past episodes and `score` says what its evidence is worth beside the
exact limit.

Shapes: B episodes, T time, J observers, K slots, N agents, S states, A actions.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mirrorenv.envs.worlds.dirichlet import Dirichlet, DirichletAgents
from mirrorenv.mirror import (
    Belief,
    EpisodeBatch,
    Score,
    episode_information,
    lineup_permutations,
    score_belief,
)
from mirrorenv.population.actions import Choice
from mirrorenv.population.observers import LineupTensors, build_head
from mirrorenv.population.population import Population
from mirrorenv.population.settings import ObserverSettings, PopulationShape

Floats = NDArray[np.float64]
Decoding = Literal["independent", "marginals"]
DECODINGS: dict[str, Decoding] = {"alone": "independent", "lineup": "marginals"}
DIRICHLET_ALPHA = 8.0


@dataclass(frozen=True)
class Recording:
    """Episodes in author order, and what every policy thinks of every step."""

    shape: PopulationShape
    episodes: EpisodeBatch
    log_p: NDArray[np.float32]
    """(B, T, K, N) log pi_n(a | h) on trajectory k."""
    population: Population | None = None
    """Who acted, for heads that read with their own agent's trunk."""

    def part(self, rows: slice) -> Recording:
        """Some of the episodes."""
        return Recording(self.shape, self.episodes.select(rows), self.log_p[rows], self.population)

    def lineups(self, shuffles: NDArray[np.int64]) -> tuple[LineupTensors, Tensor]:
        """Shuffled lineups, and (B, T, J, K) what observer j's own policy thinks of slot k's
        step."""

        def shuffle(x: NDArray[Any]) -> Tensor:
            index = shuffles.reshape(len(shuffles), 1, -1, *[1] * (x.ndim - 3))
            return torch.from_numpy(np.take_along_axis(x, index, axis=2).astype(np.float32))

        actions = np.eye(self.shape.action_features, dtype=np.float32)[self.episodes.actions]
        seen = self.episodes.observations
        lineup = LineupTensors(shuffle(seen), shuffle(actions), shuffle(self.episodes.mask))
        return lineup, shuffle(self.log_p).transpose(2, 3)


def dirichlet_case(seed: int, episodes: int) -> Recording:
    """Tabular random agents that answer states drawn by chance."""
    world = Dirichlet(num_agents=4, horizon=20)
    # (N, S, A)
    table = DirichletAgents(world, alpha=DIRICHLET_ALPHA, seeds=[seed]).log_probabilities[0]
    agents, states, actions = table.shape
    rng = np.random.default_rng([seed, 1])
    seen = rng.integers(states, size=(episodes, world.horizon, agents))
    odds = np.exp(table).cumsum(-1)[np.arange(agents), seen]  # (B, T, N, A)
    done = (rng.random((*seen.shape, 1)) > odds[..., :-1]).sum(-1)
    shape = PopulationShape(
        num_agents=agents, observation_size=states, actions=Choice(choices=actions)
    )
    batch = EpisodeBatch(
        observations=np.eye(states, dtype=np.float32)[seen],
        actions=done,
        rewards=np.zeros(seen.shape, np.float32),
        mask=np.ones(seen.shape, bool),
    )
    return Recording(shape, batch, table.transpose(1, 2, 0)[seen, done].astype(np.float32))


Trunk = Literal["separate", "stopped", "shared"]


class Reader:
    """A head, and what it reads with: weights of its own, or its own agent's trunk.

    The agents are recorded, so nothing here changes a policy: `stopped` reads with the trunks as
    they are, `shared` with a copy of them that the head trains further.
    """

    def __init__(
        self, name: str, record: Recording, generator: torch.Generator, trunk: Trunk = "separate"
    ) -> None:
        self.observers = build_head(
            record.shape, ObserverSettings(head=name, trunk=trunk), TRUNK_WIDTH, generator
        )
        self.actor = None
        if trunk != "separate":
            assert record.population is not None
            self.actor = copy.deepcopy(record.population.actor)
            self.actor.requires_grad_(False).trunk.requires_grad_(trunk == "shared")

    def parameters(self) -> list[nn.Parameter]:
        """What is trained."""
        trunk = [] if self.actor is None else list(self.actor.trunk.parameters())
        return [*self.observers.parameters(), *(one for one in trunk if one.requires_grad)]

    def weights(self) -> list[Tensor]:
        """A copy of what is trained."""
        return [one.detach().clone() for one in self.parameters()]

    def restore(self, weights: list[Tensor]) -> None:
        """Back to a copy."""
        with torch.no_grad():
            for one, held in zip(self.parameters(), weights, strict=True):
                one.copy_(held)

    def evidence(self, lineup: LineupTensors, own: Tensor) -> Tensor:
        """See `Head.evidence`."""
        hidden = None if self.actor is None else self.actor.read(lineup.observations)
        return self.observers.evidence(lineup, hidden=hidden, own=own)


TRUNK_WIDTH = 32


def trained_reader(
    name: str,
    past: Recording,
    seed: int,
    epochs: int,
    *,
    trunk: Trunk = "separate",
    patience: int = 4,
    start: Reader | None = None,
) -> Reader:
    """A head trained on nine tenths of the past with fresh shuffles, as it was when the last tenth
    liked it best.

    Args:
        name: of the head.
        past: labelled episodes, at least two.
        seed: of initial weights, shuffles and minibatches.
        epochs: passes at most.
        trunk: what it reads with.
        patience: passes without improvement after which it stops.
        start: trained on from here, in place; a new one if not given.
    """
    agents = past.shape.num_agents
    generator = torch.Generator().manual_seed(seed)
    reader = start or Reader(name, past, generator, trunk)
    optimizer = torch.optim.Adam(reader.parameters(), lr=3e-3)
    held_back = max(1, len(past.episodes) // 10)
    check = past.part(slice(0, held_back))
    teach = past.part(slice(held_back, None))
    best = math.inf
    best_weights = reader.weights()
    bad = 0
    for epoch in range(epochs):
        order = torch.randperm(len(teach.episodes), generator=generator)
        lineup, own = teach.lineups(shuffles := _shuffles(seed, epoch, len(teach.episodes), agents))
        for rows in torch.split(order, 64):
            some = LineupTensors(*(x[rows] for x in lineup[:3]))
            target = torch.from_numpy(shuffles)[rows, None]  # (B, 1, K)
            evidence = reader.evidence(some, own[rows])
            loss = reader.observers.loss(evidence, target, some.slot_mask())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        with torch.no_grad():
            lineup, own = check.lineups(shuffles := _shuffles(seed, -1, held_back, agents))
            target = torch.from_numpy(shuffles)[:, None]  # (B, 1, K)
            evidence = reader.evidence(lineup, own)
            now = float(reader.observers.loss(evidence, target, lineup.slot_mask()))
        bad = 0 if now < best else bad + 1
        if now < best:
            best = now
            best_weights = reader.weights()
        if bad == patience:
            break
    reader.restore(best_weights)
    return reader


def reader_evidence(reader: Reader, record: Recording) -> NDArray[np.float64]:
    """(B, J, K, N) at the end of each episode, slots back in author order."""
    shuffles = _shuffles(0, -2, len(record.episodes), record.shape.num_agents)
    lineup, own = record.lineups(shuffles)
    parts = []
    with torch.no_grad():
        for rows in torch.split(torch.arange(len(shuffles)), 100):
            some = LineupTensors(*(x[rows] for x in lineup[:3]))
            parts.append(reader.evidence(some, own[rows])[:, -1].double())
    slot_of = np.argsort(shuffles, axis=1)[:, None, :, None]
    return np.take_along_axis(torch.cat(parts).numpy(), slot_of, axis=2)


def _shuffles(seed: int, epoch: int, episodes: int, agents: int) -> NDArray[np.int64]:
    return lineup_permutations(f"observers {seed} {epoch}", np.arange(episodes), "training", agents)


def score(evidence: NDArray[np.float64], limit: Belief) -> dict[str, Score]:
    """Evidence (B, J, K, N) in author order, decoded both ways."""
    truth = np.broadcast_to(np.arange(evidence.shape[-1]), evidence.shape[:-1])
    scores = {}
    for name, decode in DECODINGS.items():
        nats = episode_information(limit.log_belief(decode), truth[:, :1])
        scores[name] = score_belief(Belief(evidence), truth, decode=decode, limit_information=nats)
    return scores
