"""Heads that read neighbourhoods say about each trajectory what they would say in the whole
lineup."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mirrorenv.errors import ConfigError
from mirrorenv.mirror import (
    EpisodeBatch,
    Neighbourhood,
    nearest_agents,
    neighbourhood_evidence,
    neighbourhood_permutations,
)
from mirrorenv.population import reading
from mirrorenv.population.observers import HEADS
from mirrorenv.population.population import lineup_tensors
from tests.population.small import DISCRETE, lineup_of, loud, population, some_episodes

SHAPE = DISCRETE.model_copy(update={"num_agents": 5})
CAN = ("additive", "gru")


def neighbourhood(batch: int) -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    gaps = np.random.default_rng(0).random((batch, 5, 5))
    whom = nearest_agents(gaps, 2, run=0, episodes=np.arange(batch))
    order = neighbourhood_permutations(whom, run=0, episodes=np.arange(batch))
    return whom, order, torch.from_numpy(np.take_along_axis(whom, order, axis=2))


@pytest.mark.parametrize("head", CAN)
def test_a_neighbourhood_is_rows_and_columns_of_the_whole(head: str) -> None:
    model = population(head=head, shape=SHAPE)
    loud(model.observers)
    observations, actions = some_episodes(batch=4, time=6, shape=SHAPE)
    mask = (
        (torch.arange(6)[None, :, None] < torch.tensor([6, 3, 5, 1, 4])).float().expand(4, -1, -1)
    )
    whom, order, authors = neighbourhood(4)
    lineup = lineup_tensors(model, observations, actions, mask, authors, torch.from_numpy(whom))
    near = model.evidence(lineup)
    # (B, T, J, N, N), in agent order
    whole = model.evidence(lineup_of(model, observations, actions, mask))
    for t in (0, 3, 5):
        expected = neighbourhood_evidence(whole[:, t].detach().double().numpy(), whom)
        expected = np.take_along_axis(expected, order[..., None], axis=2)
        np.testing.assert_allclose(near[:, t].detach().numpy(), expected, atol=1e-4)
    loss = model.observers.loss(near, torch.from_numpy(order), torch.ones(near.shape[:4]))
    log_belief = near.detach().log_softmax(-1).numpy()
    right = np.take_along_axis(
        log_belief, np.broadcast_to(order[:, None, ..., None], (*near.shape[:4], 1)), axis=4
    )
    assert loss.item() == pytest.approx(-right.mean(), rel=1e-5)
    loss.backward()
    assert all(parameter.grad is not None for parameter in model.observers.parameters())


@pytest.mark.parametrize("head", sorted(HEADS))
def test_heads_that_cannot_are_refused(head: str) -> None:
    observations, actions = some_episodes(batch=2, time=3, shape=SHAPE)
    whom, _, authors = neighbourhood(2)

    def read(**made: str) -> torch.Tensor:
        model = population(head=head, shape=SHAPE, **made)
        mask = torch.ones(2, 3, 5)
        whole = lineup_tensors(model, observations, actions, mask, authors, torch.from_numpy(whom))
        return model.evidence(whole)

    if head in CAN:
        assert read().shape == (2, 3, 5, 3, 3)
        with pytest.raises(ConfigError, match="separate"):
            read(reads="stopped")
    else:
        with pytest.raises(ConfigError, match="cannot read neighbourhoods"):
            read()


@pytest.mark.parametrize("head", CAN)
def test_a_head_that_names_candidates_says_what_one_that_names_everybody_does(head: str) -> None:
    model = population(head=head, shape=SHAPE)
    loud(model.observers)
    observations, actions = some_episodes(batch=3, time=5, shape=SHAPE)
    whom, _, authors = neighbourhood(3)
    candidates = torch.from_numpy(whom[:, :, ::-1].copy())  # in any order
    lineup = lineup_tensors(model, observations, actions, torch.ones(3, 5, 5), authors, candidates)
    named = model.evidence(lineup)
    every = model.observers.evidence(lineup._replace(candidates=None))  # (B, T, J, K, N)
    columns = candidates[:, None, :, None, :].expand(*named.shape)
    torch.testing.assert_close(named, every.gather(4, columns), atol=1e-5, rtol=1e-5)
    gradients = []
    for evidence in (named, every.gather(4, columns)):
        model.zero_grad()
        evidence.square().sum().backward()
        gradients.append([one.grad.clone() for one in model.observers.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("chosen", [None, [3, 0]])
def test_observers_are_read_alike_whoever_reads_beside_them(monkeypatch, chosen) -> None:
    model = population(head="additive", shape=SHAPE)
    loud(model.observers)
    observations, actions = some_episodes(batch=3, time=5, shape=SHAPE)
    record = EpisodeBatch(
        observations=observations.numpy(),
        actions=actions.numpy(),
        rewards=np.zeros((3, 5, 5), np.float32),
        mask=np.ones((3, 5, 5), bool),
    )
    order = np.stack([np.random.default_rng(b).permutation(5) for b in range(3)])
    lineups = Neighbourhood.everybody(order[:, None])
    observers = None if chosen is None else np.array(chosen)
    together = reading.author_log_belief(model, record, lineups, observers)
    monkeypatch.setattr(reading, "CHUNK", 1)
    one_by_one = reading.author_log_belief(model, record, lineups, observers)
    np.testing.assert_allclose(one_by_one, together, atol=1e-6)
