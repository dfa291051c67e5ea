"""A head may be shown a part of a trajectory: what it is not shown cannot move its evidence."""

from __future__ import annotations

import pytest
import torch

from mirrorenv.errors import ConfigError
from mirrorenv.population.observers import HEADS, LineupTensors, check_observers
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import ObserverSettings, PopulationSettings

from .small import AGENTS, DISCRETE, loud, some_episodes

LEARNING_HEADS = [head for head in HEADS if not head.startswith("likelihood")]
PARTS = ("both", "observations", "actions")


def reader(head: str, reads: str) -> Population:
    observer = ObserverSettings(head=head, hidden=8, reads=reads)
    made = Population(DISCRETE, PopulationSettings(hidden=8, observer=observer))
    loud(made.observers)
    return made


def lineup(made: Population, seen: int, done: int) -> LineupTensors:
    """Observations of one seed, actions of another."""
    observations, actions = some_episodes(seed=seen)[0], some_episodes(seed=done)[1]
    order = torch.arange(AGENTS).expand(len(actions), 1, -1)
    return lineup_tensors(made, observations, actions, torch.ones(actions.shape), order)


@pytest.mark.parametrize("reads", PARTS)
@pytest.mark.parametrize("head", LEARNING_HEADS)
@torch.no_grad()
def test_evidence_moves_with_what_is_read_and_with_nothing_else(head: str, reads: str) -> None:
    made = reader(head, reads)
    first = made.evidence(lineup(made, 0, 0))
    other_actions, other_observations = (
        made.evidence(lineup(made, 0, 1)),
        made.evidence(lineup(made, 1, 0)),
    )
    assert torch.equal(first, other_actions) == (reads == "observations")
    assert torch.equal(first, other_observations) == (reads == "actions")


@pytest.mark.parametrize("reads", PARTS)
@torch.no_grad()
def test_observers_of_neighbours_are_shown_the_same_part(reads: str) -> None:
    made = reader("additive", reads)
    (observations, actions), (others, deeds) = some_episodes(seed=0), some_episodes(seed=1)
    mask = torch.ones(actions.shape)
    authors = torch.stack([torch.tensor([j, (j + 1) % AGENTS]) for j in range(AGENTS)]).expand(
        len(actions), -1, -1
    )

    def read(seen: torch.Tensor, done: torch.Tensor) -> torch.Tensor:
        return made.evidence(lineup_tensors(made, seen, done, mask, authors, authors))

    first = read(observations, actions)
    assert torch.equal(first, read(observations, deeds)) == (reads == "observations")
    assert torch.equal(first, read(others, actions)) == (reads == "actions")


@pytest.mark.parametrize("reads", ["observations", "actions"])
@pytest.mark.parametrize(
    "observer",
    [{"head": "likelihood"}, {"head": "likelihood_gru"}, {"trunk": "shared"}, {"trunk": "stopped"}],
)
def test_a_head_that_reads_with_a_policy_needs_the_whole_trajectory(
    reads: str, observer: dict[str, str]
) -> None:
    with pytest.raises(ConfigError, match=f"reads = '{reads}' needs"):
        check_observers(ObserverSettings.checked({"reads": reads, **observer}))
