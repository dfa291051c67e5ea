"""From episodes to columns: what is paid, to whom, and what each control replaces."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from mirrorenv.errors import TrainingError
from mirrorenv.mirror import (
    Neighbourhood,
    lineup_permutations,
    mirror_reward,
    permutation_marginals,
)
from mirrorenv.population.experience import Experience
from mirrorenv.population.observers import HEADS
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.reading import author_log_belief
from mirrorenv.population.settings import LearningSettings, MirrorSettings
from mirrorenv.population.train_batch import (
    Columns,
    combine_advantages,
    limit_author_log_belief,
    train_batch,
)
from tests.population.small import AGENTS, loud, population, some_experience

CREDITS = ("author", "team", "observer", "self", "adversarial")


@pytest.fixture(scope="module")
def model() -> Population:
    made = population("gru", "separate", "separate")
    loud(made)
    return made


@pytest.fixture(scope="module")
def experience(model: Population) -> Experience:
    return some_experience(model)


def columns(model: Population, experience: Experience, *, seed: int = 0, **mirror: Any) -> Columns:
    return train_batch(
        model,
        experience,
        MirrorSettings(**mirror),
        LearningSettings(),
        run=7,
        episodes=np.arange(len(experience.mask)) + 100,
        rng=np.random.default_rng(seed),
    )


def paid(model: Population, experience: Experience, **mirror: Any) -> np.ndarray:
    """The mirror reward itself (B, T, N), undone from the advantages of a blind critic."""
    blind = experience.with_columns(mirror_value=np.zeros_like(experience.mirror_value))
    settings = LearningSettings(gae_lambda=0.0)
    made = train_batch(
        model,
        blind,
        MirrorSettings(**mirror),
        settings,
        run=7,
        episodes=np.arange(len(experience.mask)) + 100,
        rng=np.random.default_rng(0),
    )
    return made["mirror_advantage"]


@pytest.mark.parametrize("head", HEADS)
def test_beliefs_in_the_author_are_the_ones_read_off_an_unshuffled_lineup(head: str) -> None:
    made = population("mlp", "shared", "separate", head=head)
    loud(made)
    record = some_experience(made)
    shuffles = lineup_permutations(7, np.arange(len(record.mask)), "training", AGENTS)
    straight = np.tile(np.arange(AGENTS), (len(shuffles), 1, 1))  # (B, 1, K)
    unshuffled = Neighbourhood.everybody(straight)
    found = author_log_belief(made, record, Neighbourhood.everybody(shuffles[:, None]))
    assert found.shape == (*record.mask.shape[:2], AGENTS, AGENTS)
    np.testing.assert_allclose(found, author_log_belief(made, record, unshuffled), atol=1e-4)
    tensors = [torch.from_numpy(x) for x in (record.observations, record.actions, record.mask)]
    with torch.no_grad():
        evidence = made.evidence(
            lineup_tensors(made, *tensors, torch.from_numpy(straight))
        ).double()
    belief = (
        permutation_marginals(evidence.numpy())
        if made.observers.joint
        else evidence.softmax(-1).numpy()
    )
    np.testing.assert_allclose(found, np.log(np.diagonal(belief, axis1=3, axis2=4)), atol=1e-4)


@pytest.mark.parametrize("credit", CREDITS)
def test_dense_rewards_of_an_episode_sum_to_the_terminal_reward(
    model: Population, experience: Experience, credit: str
) -> None:
    teams = (0, 1, 1) if credit == "adversarial" else None
    dense = paid(model, experience, credit=credit, timing="dense", teams=teams)
    terminal = paid(model, experience, credit=credit, timing="terminal", teams=teams)
    np.testing.assert_allclose(dense.sum(1), terminal.sum(1), atol=1e-4)
    assert (np.count_nonzero(dense, axis=1) > 1).any() and (
        np.count_nonzero(terminal, axis=1) == 1
    ).all()
    assert not dense[~experience.mask].any()


def test_the_reward_is_the_mirrors_own_on_the_heads_beliefs(
    model: Population, experience: Experience
) -> None:
    made = columns(model, experience)
    belief = author_log_belief(model, experience, Neighbourhood.everybody(made["permutation"]))
    np.testing.assert_allclose(
        made["mirror_return"], mirror_reward(belief, experience.mask).sum(1), atol=1e-4
    )
    np.testing.assert_allclose(
        paid(model, experience), mirror_reward(belief, experience.mask), atol=1e-5
    )


def test_a_window_pays_only_inside_and_inside_the_episode(model: Population) -> None:
    record = some_experience(model, batch=40, time=12)
    inside = paid(model, record, timing="window", window=2)
    dense = paid(model, record, timing="dense")
    # two increments, and the rest of a shared credit at the end
    assert (np.count_nonzero(inside, axis=1) <= 3).all()
    assert (np.count_nonzero(inside, axis=(1, 2)) > 0).all()
    assert np.count_nonzero(inside) < np.count_nonzero(dense)


def test_columns_are_whole_episodes_in_author_order_with_shuffles_kept_apart(
    model: Population, experience: Experience
) -> None:
    made = columns(model, experience)
    np.testing.assert_array_equal(made["observations"], experience.observations)
    np.testing.assert_array_equal(
        made["permutation"][:, 0], lineup_permutations(7, np.arange(5) + 100, "training", AGENTS)
    )
    np.testing.assert_array_equal(made["labels"], made["permutation"])
    np.testing.assert_allclose(made["environment_return"], experience.rewards.sum(1), rtol=1e-5)


def test_shuffled_labels_are_one_false_naming_for_the_whole_batch(
    model: Population, experience: Experience
) -> None:
    truth = columns(model, experience)
    namings = set()
    for seed in range(8):
        made = columns(model, experience, seed=seed, control="shuffled_labels")
        naming = {
            (int(n), int(name))
            for n, name in zip(made["permutation"].flat, made["labels"].flat, strict=True)
        }
        assert len(naming) == AGENTS  # a function of the true author
        assert sorted(name for _, name in naming) == list(range(AGENTS))
        namings.add(tuple(sorted(naming)))
        # paid by the true names
        np.testing.assert_array_equal(made["mirror_advantage"], truth["mirror_advantage"])
    assert len(namings) > 2


def test_random_reward_is_noise_of_the_same_size(model: Population) -> None:
    record = some_experience(model, batch=200, time=20)
    true, noise = paid(model, record), paid(model, record, control="random_reward")
    assert noise[record.mask].std() == pytest.approx(true[record.mask].std(), rel=0.05)
    assert abs(noise[record.mask].mean()) < 0.05 * noise[record.mask].std()
    assert abs(np.corrcoef(true[record.mask], noise[record.mask])[0, 1]) < 0.05
    assert not noise[~record.mask].any()


def test_the_limit_in_place_of_learned_beliefs_is_the_posterior_given_the_whole_lineup(
    model: Population,
) -> None:
    record = some_experience(model)
    with torch.no_grad():
        log_p = model.actor.replay_log_probability(
            torch.from_numpy(record.observations), torch.from_numpy(record.actions)
        )
    live = log_p.double().numpy() * record.mask[..., None]
    after = 4
    marginals = permutation_marginals(live[:, : after + 1].sum(1))  # (B, K, N)
    found = limit_author_log_belief(model, record)
    assert found.shape == (*record.mask.shape[:2], 1, AGENTS)
    np.testing.assert_allclose(
        found[:, after, 0], np.log(np.diagonal(marginals, axis1=1, axis2=2)), atol=1e-4
    )
    everyone = np.broadcast_to(found, (*found.shape[:2], AGENTS, AGENTS))
    expected = mirror_reward(everyone, record.mask)
    np.testing.assert_allclose(paid(model, record, control="limit"), expected, atol=1e-4)


def test_paying_by_a_few_observers_is_paying_by_those_alone(
    model: Population, experience: Experience
) -> None:
    lineups = Neighbourhood.everybody(columns(model, experience)["permutation"])
    belief = author_log_belief(model, experience, lineups)
    found = paid(model, experience, observers_per_author=2, floor=0.3)
    pairs = [
        mirror_reward(belief[:, :, list(j)], experience.mask, floor=0.3)
        for j in ((0, 1), (0, 2), (1, 2))
    ]
    assert min(np.abs(found - each).max() for each in pairs) < 1e-5


def test_weighed_advantages_are_standardised_for_each_agent(
    model: Population, experience: Experience
) -> None:
    made = columns(model, experience)
    total = combine_advantages(made, 0.7)
    for n in range(AGENTS):
        mine = total[:, :, n][experience.mask[:, :, n]]
        assert mine.mean() == pytest.approx(0.0, abs=1e-5)
        assert mine.std() == pytest.approx(1.0, abs=1e-4)
    assert not total[~experience.mask].any()
    raw = made["environment_advantage"] + 0.7 * made["mirror_advantage"]
    correlation = np.corrcoef(
        total[:, :, 0][experience.mask[:, :, 0]], raw[:, :, 0][experience.mask[:, :, 0]]
    )
    assert correlation[0, 1] == pytest.approx(1.0, abs=1e-5)


def test_whatever_else_was_recorded_travels_to_the_learners_and_critics_values_do_not(
    model: Population, experience: Experience
) -> None:
    goals = np.arange(experience.mask.size).reshape(experience.mask.shape)
    made = columns(model, experience.with_columns(goals=goals))
    np.testing.assert_array_equal(made["goals"], goals)
    assert not {"environment_value", "mirror_value", "last_value"} & made.keys()


def test_weight_zero_leaves_the_mirror_out(model: Population, experience: Experience) -> None:
    made = columns(model, experience)
    other = {**made, "mirror_advantage": made["mirror_advantage"][::-1] * np.float32(5.0)}
    np.testing.assert_array_equal(combine_advantages(made, 0.0), combine_advantages(other, 0.0))


def test_a_world_that_pays_nan_is_named(model: Population, experience: Experience) -> None:
    made = columns(model, experience)
    made["environment_advantage"][0, 0, 2] = math.nan
    with pytest.raises(TrainingError, match="agent 2"):
        combine_advantages(made, 1.0)


def test_the_mirrors_critic_is_undiscounted_and_stops_at_the_end_while_the_environments_goes_on(
    model: Population, experience: Experience
) -> None:
    """At lambda 1 a target is the return to go: here of the mirror's rewards, whatever the
    environment's gamma is."""
    made = train_batch(
        model,
        experience,
        MirrorSettings(),
        LearningSettings(gamma=0.5, gae_lambda=1.0),
        run=7,
        episodes=np.arange(len(experience.mask)) + 100,
        rng=np.random.default_rng(0),
    )
    rewards = paid(model, experience)
    to_go = np.where(experience.mask, rewards[:, ::-1].cumsum(1)[:, ::-1], 0.0)
    np.testing.assert_allclose(made["mirror_target"], to_go, atol=1e-4)
    np.testing.assert_allclose(made["mirror_target"][:, 0], made["mirror_return"], atol=1e-4)
    # the environment's: discounted, and cut off rather than ended
    for b, n in np.ndindex(experience.last_value.shape):
        expected = float(experience.last_value[b, n])
        for t in reversed(range(int(experience.mask[b, :, n].sum()))):
            expected = float(experience.rewards[b, t, n]) + 0.5 * expected
            assert made["environment_target"][b, t, n] == pytest.approx(expected, abs=1e-4)


def test_the_environments_reward_is_scaled_for_learning_and_reported_unscaled(
    model: Population, experience: Experience
) -> None:
    blind = experience.with_columns(
        environment_value=np.zeros_like(experience.environment_value),
        last_value=np.zeros_like(experience.last_value),
    )
    made = train_batch(
        model,
        blind,
        MirrorSettings(),
        LearningSettings(reward_scale=0.1, gae_lambda=0.0),
        run=0,
        episodes=np.arange(5),
        rng=np.random.default_rng(0),
    )
    expected = np.where(experience.mask, 0.1 * experience.rewards, 0.0)
    np.testing.assert_allclose(made["environment_advantage"], expected, atol=1e-6)
    np.testing.assert_allclose(made["environment_return"], experience.rewards.sum(1), rtol=1e-5)
