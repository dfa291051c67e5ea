"""A few steps of training a head by itself, and what it has learned.

Shapes: B batch, T time, K slots, J observers, N agents.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mirrorenv.mirror import permutation_marginals
from mirrorenv.population.actions import Choice
from mirrorenv.population.observers import Head, LineupTensors, build_head
from mirrorenv.population.settings import ObserverSettings, PopulationShape


class Tables(NamedTuple):
    """Memoryless agents: (N, S, A) log probabilities of each action in each state, all states
    equally likely."""

    log_p: Tensor

    def shape(self) -> PopulationShape:
        agents, states, actions = self.log_p.shape
        return PopulationShape(
            num_agents=agents, observation_size=states, actions=Choice(choices=actions)
        )

    def play(
        self, episodes: int, time: int, generator: torch.Generator
    ) -> tuple[LineupTensors, Tensor, Tensor]:
        """Shuffled lineups, the true authors (B, K), and (B, T, K, N) what every table thinks of
        every step."""
        agents, states, actions = self.log_p.shape
        authors = torch.stack(
            [torch.randperm(agents, generator=generator) for _ in range(episodes)]
        )  # (B, K)
        seen = torch.randint(states, (episodes, time, agents), generator=generator)
        distribution = self.log_p[authors[:, None, :].expand_as(seen), seen].exp()  # (B, T, K, A)
        done = torch.multinomial(distribution.flatten(0, 2), 1, generator=generator).view_as(seen)
        one_hot = torch.nn.functional.one_hot
        lineup = LineupTensors(
            one_hot(seen, states).float(), one_hot(done, actions).float(), torch.ones(seen.shape)
        )
        return lineup, authors, self.log_p.permute(1, 2, 0)[seen, done]


def teach(
    name: str, agents: Tables, *, time: int, updates: int, episodes: int = 32, seed: int = 0
) -> Head:
    """Train a head on fresh episodes for so many minibatches."""
    generator = torch.Generator().manual_seed(seed)
    head = build_head(agents.shape(), ObserverSettings(head=name, hidden=32), 32, generator)
    optimizer = torch.optim.Adam(head.parameters(), lr=1e-2)
    for _ in range(updates):
        lineup, authors, log_p = agents.play(episodes, time, generator)
        evidence = head.evidence(lineup, own=log_p.transpose(2, 3))
        loss = head.loss(evidence, authors[:, None], lineup.slot_mask())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return head


def information(
    head: Head, agents: Tables, *, time: int, episodes: int = 400
) -> tuple[float, float, float]:
    """On new episodes: information in nats per trajectory, top-1, and the information of the exact
    limit.

    A joint head is decoded, and compared with the limit, over permutations; any other row by row.
    """
    lineup, authors, log_p = agents.play(episodes, time, torch.Generator().manual_seed(12345))
    with torch.no_grad():
        # (B, J, K, N)
        evidence = head.evidence(lineup, own=log_p.transpose(2, 3))[:, -1].double().numpy()
    limit = log_p.double().sum(1).numpy()[:, None]  # (B, 1, K, N)
    beliefs = []
    for given in (evidence, limit):
        belief = (
            permutation_marginals(given)
            if head.joint
            else torch.from_numpy(given).softmax(-1).numpy()
        )
        beliefs.append(np.take_along_axis(belief, authors.numpy()[:, None, :, None], -1)[..., 0])
    right = evidence.argmax(-1) == authors.numpy()[:, None]
    nats = [np.log(evidence.shape[-1]) + np.log(belief).mean() for belief in beliefs]
    return float(nats[0]), float(right.mean()), float(nats[1])
