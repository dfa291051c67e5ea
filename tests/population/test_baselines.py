"""Observers that are not trained with the population: what they can and cannot see, against closed
forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from mirrorenv.errors import ShapeError
from mirrorenv.mirror import Belief, EpisodeBatch
from mirrorenv.population.actions import Choice, Vector
from mirrorenv.population.layers import StackedLinear, StackedMLP
from mirrorenv.population.observers.baselines import (
    BASELINES,
    ActionHistogram,
    FirstObservation,
    ObservationClassifier,
)
from mirrorenv.population.observers.baselines.eoi import Learner, eoi_loss, eoi_slope

AGENTS, CHOICES = 3, 4
QUICK: dict[str, dict[str, Any]] = {"eoi": {"updates": 200, "rows": 128, "learning_rate": 1e-2}}


def episodes(
    batch: int = 60,
    time: int = 8,
    *,
    start: float = 0.0,
    place: float = 0.0,
    habit: float = 0.0,
    seed: int = 0,
) -> EpisodeBatch:
    """Noise, in which the author shows in the first observation, in later ones, or in the actions,
    as much as asked."""
    rng = np.random.default_rng(seed)
    names = np.arange(AGENTS)
    seen = rng.normal(size=(batch, time, AGENTS, 2))
    seen[:, 0, :, 0] += start * names
    seen[:, 1:, :, 0] += place * names
    done = np.where(
        rng.random((batch, time, AGENTS)) < habit,
        names,
        rng.integers(CHOICES, size=(batch, time, AGENTS)),
    )
    return EpisodeBatch(
        observations=seen.astype(np.float32),
        actions=done,
        rewards=np.zeros(done.shape, np.float32),
        mask=np.ones(done.shape, bool),
    )


def top1(name: str, **what: float) -> float:
    observer = BASELINES[name](**QUICK.get(name, {}))
    observer.fit(episodes(seed=0, **what), Choice(choices=CHOICES))
    evidence = observer.evidence(episodes(seed=1, **what))
    return float((evidence.argmax(-1) == np.arange(AGENTS)).mean())


SIGNS = {"start": 8.0, "place": 8.0, "habit": 0.9}
SEES = {
    "chance": set(),
    "first_observation": {"start"},
    "action_histogram": {"habit"},
    "eoi": {"start", "place"},
}


@pytest.mark.parametrize("sign", SIGNS)
@pytest.mark.parametrize("name", BASELINES)
def test_each_sees_what_it_looks_at_and_nothing_else(name: str, sign: str) -> None:
    found = top1(name, **{sign: SIGNS[sign]})
    if sign in SEES[name]:
        # one telling step among eight
        assert found > (0.6 if (name, sign) == ("eoi", "start") else 0.9)
    else:
        assert abs(found - 1 / AGENTS) < 0.12


@pytest.mark.parametrize("name", BASELINES)
def test_evidence_follows_the_trajectory_and_not_its_place(name: str) -> None:
    observer = BASELINES[name](**QUICK.get(name, {}))
    observer.fit(episodes(place=2.0, habit=0.3), Choice(choices=CHOICES))
    record, order = episodes(batch=5, place=2.0, habit=0.3, seed=2), np.array([2, 0, 1])
    moved = EpisodeBatch(
        observations=record.observations[:, :, order],
        actions=record.actions[:, :, order],
        rewards=record.rewards,
        mask=record.mask,
    )
    assert observer.evidence(record).shape == (5, AGENTS, AGENTS)
    assert observer.evidence(record).dtype == np.float64
    np.testing.assert_allclose(
        observer.evidence(moved), observer.evidence(record)[:, order], atol=1e-5
    )


@pytest.mark.parametrize("name", BASELINES)
def test_steps_that_never_happened_are_not_read(name: str) -> None:
    record = episodes(batch=30, place=2.0, habit=0.3)
    mask = record.mask.copy()
    mask[:, 5:, 0] = mask[:, 2:, 1] = False
    junk = EpisodeBatch(
        observations=np.where(mask[..., None], record.observations, 1e6).astype(np.float32),
        actions=np.where(mask, record.actions, CHOICES - 1),
        rewards=record.rewards,
        mask=mask,
    )
    found = []
    for each in (EpisodeBatch(record.observations, record.actions, record.rewards, mask), junk):
        observer = BASELINES[name](**QUICK.get(name, {}))
        observer.fit(each, Choice(choices=CHOICES))
        found.append(observer.evidence(each))
    np.testing.assert_allclose(found[0], found[1], atol=1e-5)


def test_the_action_histogram_is_naive_bayes_with_one_action_counted_in_advance() -> None:
    past, now = episodes(habit=0.4), episodes(batch=4, habit=0.4, seed=3)
    observer = ActionHistogram()
    observer.fit(past, Choice(choices=CHOICES))
    evidence = observer.evidence(now)
    for b, k, n in np.ndindex(evidence.shape):
        counts = np.bincount(past.actions[:, :, n].ravel(), minlength=CHOICES) + 1
        expected = sum(np.log(counts[a] / counts.sum()) for a in now.actions[b, :, k])
        assert evidence[b, k, n] == pytest.approx(expected)


def test_continuous_actions_are_counted_by_a_gaussian_for_each_agent() -> None:
    rng = np.random.default_rng(0)

    def moves(batch: int) -> EpisodeBatch:
        done = (
            rng.normal([0.0, 0.5, -0.5], [0.1, 0.3, 0.1], size=(batch, 6, 2, 3))
            .swapaxes(2, 3)
            .astype(np.float32)
        )
        lead = done.shape[:3]
        seen = np.zeros((*lead, 1), np.float32)
        return EpisodeBatch(
            observations=seen,
            actions=done,
            rewards=np.zeros(lead, np.float32),
            mask=np.ones(lead, bool),
        )

    past, now = moves(200), moves(50)
    observer = ActionHistogram()
    observer.fit(past, Vector(size=past.actions.shape[-1]))
    evidence = observer.evidence(now)
    assert (evidence.argmax(-1) == np.arange(3)).mean() > 0.95
    mine = past.actions[:, :, 1].reshape(-1, 2).astype(np.float64)
    distribution = stats.norm(mine.mean(0), mine.std(0))
    assert evidence[0, 2, 1] == pytest.approx(
        distribution.logpdf(now.actions[0, :, 2]).sum(), rel=1e-4
    )


def test_the_first_glance_is_honest_about_how_little_it_knows() -> None:
    observer = FirstObservation()
    observer.fit(episodes(batch=400), Choice(choices=CHOICES))
    belief = Belief(observer.evidence(episodes(batch=400, seed=1))).independent()
    assert np.abs(belief - 1 / AGENTS).max() < 0.2


@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.0, 0.0), (0.0, 0.2), (0.3, 0.1)])
def test_eois_loss_is_the_published_one(beta_1: float, beta_2: float) -> None:
    rng = np.random.default_rng(0)
    logits, nearby, authors = (
        rng.normal(size=(6, 3)),
        rng.normal(size=(6, 3)),
        rng.integers(3, size=6),
    )
    p, near = (np.exp(x) / np.exp(x).sum(1, keepdims=True) for x in (logits, nearby))

    def cross_entropy(y: np.ndarray, q: np.ndarray) -> float:
        return float(-(y * np.log(q)).sum(1).mean())

    expected = (
        cross_entropy(np.eye(3)[authors], p)
        + beta_1 * cross_entropy(near, p)
        + beta_2 * cross_entropy(p, p)
    )
    found = eoi_loss(*(torch.from_numpy(x) for x in (logits, nearby, authors)), beta_1, beta_2)
    assert found.item() == pytest.approx(expected)


def test_eois_nearby_observation_is_a_fixed_target_and_its_entropy_term_sharpens() -> None:
    logits = torch.tensor([[0.3, 0.0, -0.1]], requires_grad=True)
    nearby = torch.tensor([[1.0, 0.0, 0.0]], requires_grad=True)
    entropy_only = eoi_loss(logits, nearby, torch.tensor([1]), 0.5, 1.0) - eoi_loss(
        logits, nearby, torch.tensor([1]), 0.5, 0.0
    )
    gradient, none = torch.autograd.grad(entropy_only, [logits, nearby], allow_unused=True)
    assert none is None
    assert gradient[0, 0] < 0  # descending the loss raises the largest logit


def test_eoi_is_the_same_for_the_same_seed_and_leaves_the_global_state_alone() -> None:
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    found = []
    for seed in (0, 0, 1):
        observer = ObservationClassifier(updates=5, rows=32, seed=seed, beta_1=0.1)
        observer.fit(episodes(place=1.0), Choice(choices=CHOICES))
        found.append(observer.evidence(episodes(batch=3, place=1.0)))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])
    assert torch.equal(before[0], torch.random.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("name", BASELINES)
def test_asking_before_fitting_is_answered(name: str) -> None:
    with pytest.raises(ShapeError, match="fit"):
        BASELINES[name]().evidence(episodes(batch=2))


@pytest.mark.parametrize("beta_1", [0.0, 0.7])
def test_eois_written_out_gradients_are_those_of_autograd_to_the_bit(beta_1: float) -> None:
    generator = torch.Generator().manual_seed(0)
    trunk = StackedMLP(1, 3, 16, generator)
    last = StackedLinear(1, 16, 4, 0.01, generator)
    weights = [
        weight for layer in (trunk.first, trunk.second, last) for weight in layer.parameters()
    ]
    rows = torch.randn(1, 60, 3, generator=generator)
    nearby = torch.randn(60, 4, generator=generator)
    authors = torch.randint(4, (60,), generator=generator)
    eoi_loss(last.forward(trunk.forward(rows))[0], nearby, authors, beta_1, 0.2).backward()
    wanted = [weight.grad.clone() for weight in weights]
    learner = Learner(trunk.first, trunk.second, last, 1e-3)
    logits = learner.forward(rows)
    learner.update(eoi_slope(logits, nearby, authors, beta_1, 0.2))
    for expected, weight in zip(wanted, weights, strict=True):
        assert weight.grad is not None and torch.equal(expected, weight.grad)
