"""A trained population as players of :class:`~mirrorenv.envs.adapters.mirror_test.MirrorTest`.

Its own heads give the evidence.

Our trainer takes the wrapper off, because its observers read every lineup anyway (and learn from
the names, which is cheaper than learning from one payment an episode). Here what it trained is put
back into the game, and earns its score. It has a loop of its own: the game is one PettingZoo
environment and no batch of arrays, and its last step asks for evidence in place of an action, which
:func:`mirrorenv.envs.episodes.moments` does not know.

Shape legend: E episodes, T time, K lineup slots, J observers, N agents, D observation, A action.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mirrorenv.envs.adapters.mirror_test import EVIDENCE_BOUND, RECOGNISING, MirrorTest
from mirrorenv.envs.adapters.third_party_facts import translators
from mirrorenv.errors import ShapeError
from mirrorenv.population.experience import to_world
from mirrorenv.population.observers import LineupTensors
from mirrorenv.population.population import Population

__all__ = ["MirrorTestRecord", "play_mirror_test"]


class MirrorTestRecord(NamedTuple):
    """What a population earned in whole episodes; columns in the order of `possible_agents`."""

    returns: NDArray[np.float64]
    """(E, N), everything paid, the environment's reward included."""
    recognition: NDArray[np.float64]
    """(E, N), the score of each agent's own evidence, unweighted; zero at chance."""
    top1: NDArray[np.float64]
    """(E, N), share of its lineup that each agent named right."""


@torch.no_grad()
def play_mirror_test(population: Population, env: MirrorTest, seeds: list[int]) -> MirrorTestRecord:
    """Play one episode for each seed; the actors act, each agent's own head answers.

    Args:
        population: trained in the environment without the wrapper, or with it (our trainer takes it
            off).
        env: the game. Its agents' actions are Discrete or a Box, as the population's are.
        seeds: (E,) seeds; an episode follows from its seed.

    Raises:
        ShapeError: if the population does not fit the environment, or the lineup shows less than
            its heads read.
    """
    agents = env.possible_agents
    shape = population.shape
    readers, writers, _ = translators(env.without_recognition, agents, False, env.name)
    shown = env.observation_space(agents[0]).spaces
    if not {"lineup_observations", "lineup_actions"} <= shown.keys():
        raise ShapeError(
            f"{env.name}: the heads read observations and actions; make the wrapper with "
            "show='both'"
        )
    wanted = (shape.num_agents, shape.observation_size, shape.action_features)
    widths = ((shown[f"lineup_{part}"].shape or (0,))[-1] for part in ("observations", "actions"))
    if (len(agents), *widths) != wanted:
        raise ShapeError(
            f"{env.name}: the population expects (agents, observation, action features) {wanted}"
        )
    rows = []
    for seed in seeds:
        observations, infos = env.reset(seed=seed)
        generator = torch.Generator().manual_seed(seed)
        state = population.actor.initial_state(1)
        now = np.zeros((len(agents), *readers[0].space.shape), np.float32)
        returns = np.zeros(len(agents))
        while env.agents:
            if observations[agents[0]]["phase"] == RECOGNISING:
                lineups = [observations[agent] for agent in agents]
                answers = [
                    {"evidence": _evidence(population, one, j)} for j, one in enumerate(lineups)
                ]
            else:
                for i, agent in enumerate(agents):
                    now[i] = observations[agent]["observation"]
                output, state = population.actor.step(
                    torch.from_numpy(now.reshape(1, len(agents), -1)), state
                )
                chosen = to_world(output.distribution.sample(generator), shape)[0]
                answers = [
                    {"act": writer.write(action)}
                    for writer, action in zip(writers, chosen, strict=True)
                ]
            observations, rewards, _, _, infos = env.step(dict(zip(agents, answers, strict=True)))
            returns += [rewards[agent] for agent in agents]
        found = [infos[agent]["mirror"] for agent in agents]
        rows.append(
            (returns, [one["recognition"] for one in found], [one["top1"] for one in found])
        )
    return MirrorTestRecord(*(np.array(column) for column in zip(*rows, strict=True)))


def _evidence(population: Population, shown: dict[str, Any], observer: int) -> NDArray[np.float32]:
    """(K, N) of one observer about the lineup in its observation, moved into the wrapper's
    bounds."""
    observations, actions, mask = (
        torch.from_numpy(np.moveaxis(shown[f"lineup_{part}"], 0, 1)[None].copy())  # (1, T, K, ...)
        for part in ("observations", "actions", "mask")
    )
    evidence = population.evidence(LineupTensors(observations, actions, mask))[
        0, -1, observer
    ].numpy()  # (K, N)
    shifted = evidence - evidence.max(axis=1, keepdims=True) + EVIDENCE_BOUND
    return np.asarray(np.maximum(shifted, -EVIDENCE_BOUND), np.float32)
