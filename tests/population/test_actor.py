"""Actors: who owns which weights, one step against whole episodes, every policy replayed on every
trajectory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from mirrorenv.population.actors import NetworkActor
from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.settings import PopulationShape
from tests.population.small import (
    AGENTS,
    BLIND,
    CHOICES,
    CONTINUOUS,
    DISCRETE,
    PLANNERS,
    loud,
    population,
    some_episodes,
)

SHAPES = {"discrete": DISCRETE, "continuous": CONTINUOUS, "blind": BLIND}


def actor(trunk: str, weights: str, reads: str, shape: PopulationShape = DISCRETE) -> NetworkActor:
    made = population(trunk, weights, reads, shape=shape).actor
    loud(made)
    return made


@pytest.mark.parametrize(
    ("trunk", "weights", "reads"), [kind for kind in PLANNERS if kind[1] == "separate"]
)
def test_separate_agents_share_no_gradient(trunk: str, weights: str, reads: str) -> None:
    made = actor(trunk, weights, reads)
    output = made.sequence(some_episodes()[0])
    own = output.distribution.outputs[:, :, 1].square().sum()
    (own + output.environment_value[:, :, 1].sum() + output.mirror_value[:, :, 1].sum()).backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None and parameter.grad[1].abs().sum() > 0, name
        assert parameter.grad[[0, 2]].abs().sum() == 0, name


@pytest.mark.parametrize(
    ("trunk", "weights", "reads"), [kind for kind in PLANNERS if kind[1] == "shared"]
)
def test_shared_weights_tell_agents_apart_by_their_index_alone(
    trunk: str, weights: str, reads: str
) -> None:
    made = actor(trunk, weights, reads)
    alike = some_episodes()[0][:, :, :1].expand(-1, -1, AGENTS, -1)
    outputs = made.sequence(alike).distribution.outputs
    assert not torch.allclose(outputs[:, :, 0], outputs[:, :, 1])
    with torch.no_grad():  # take the index away
        for layer in (made.policy, made.critics) if made.id_after_trunk else (_first_layer(made),):
            layer.weight[:, -AGENTS:] = 0.0
    for x in (made.sequence(alike).distribution.outputs, made.sequence(alike).mirror_value):
        torch.testing.assert_close(x[:, :, 0], x[:, :, 1])


def _first_layer(made: NetworkActor) -> torch.nn.Module:
    return made.trunk.embed if hasattr(made.trunk, "embed") else made.trunk.first


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("trunk", "weights", "reads"), PLANNERS)
def test_acting_step_by_step_is_the_sequence(
    trunk: str, weights: str, reads: str, shape: PopulationShape
) -> None:
    made = actor(trunk, weights, reads, shape)
    observations, actions = some_episodes(shape=shape)
    whole = made.sequence(observations)
    state = made.initial_state(len(observations))
    for t in range(observations.shape[1]):
        now, state = made.step(observations[:, t], state)
        expected = whole.distribution.log_probability(actions)[:, t]
        torch.testing.assert_close(
            now.distribution.log_probability(actions[:, t]), expected, atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(
            now.environment_value, whole.environment_value[:, t], atol=1e-4, rtol=1e-4
        )
        torch.testing.assert_close(now.mirror_value, whole.mirror_value[:, t], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize(("trunk", "weights", "reads"), PLANNERS)
def test_replaying_a_policy_on_another_trajectory_is_standing_in_that_agents_place(
    trunk: str, weights: str, reads: str, shape: PopulationShape
) -> None:
    made = actor(trunk, weights, reads, shape)
    observations, actions = some_episodes(shape=shape)
    replayed = made.replay_log_probability(observations, actions)  # (B, T, K, N)
    assert replayed.shape == (*observations.shape[:3], AGENTS)
    for shift in range(AGENTS):  # policy n on the trajectory of slot n + shift
        order = [(n + shift) % AGENTS for n in range(AGENTS)]
        swapped = made.sequence(observations[:, :, order]).distribution.log_probability(
            actions[:, :, order]
        )
        ours = torch.stack([replayed[:, :, order[n], n] for n in range(AGENTS)], 2)
        torch.testing.assert_close(ours, swapped, atol=1e-4, rtol=1e-4)


def test_a_recurrent_planner_remembers_and_a_feed_forward_one_does_not() -> None:
    observations, _ = some_episodes()
    changed = observations.clone()
    changed[:, 0] += 1.0
    for trunk, remembers in (("gru", True), ("mlp", False)):
        made = actor(trunk, "separate", "separate")
        now, other = (
            made.sequence(observations).distribution.outputs[:, 3],
            made.sequence(changed).distribution.outputs[:, 3],
        )
        assert torch.equal(now, other) is not remembers


def test_discrete_actions_are_drawn_with_their_probabilities() -> None:
    logits = torch.tensor([[0.0, 1.0, -1.0, 2.5, -3.0], [0.0, 0.0, 0.0, 0.0, 0.0]])
    count = 40_000
    drawn = ActionDistribution(logits.expand(count, -1, -1), None).sample(
        torch.Generator().manual_seed(0)
    )
    for row, distribution in enumerate(logits.softmax(-1)):
        seen = torch.bincount(drawn[:, row], minlength=CHOICES).numpy()
        assert (
            stats.chisquare(
                seen, distribution.double().numpy() / distribution.double().sum().item() * count
            ).pvalue
            > 1e-3
        )


def test_discrete_law_is_the_softmax() -> None:
    logits = torch.randn(6, CHOICES, generator=torch.Generator().manual_seed(0))
    distribution = ActionDistribution(logits, None)
    every = torch.stack(
        [distribution.log_probability(torch.full((6,), a)) for a in range(CHOICES)], -1
    )
    torch.testing.assert_close(every.exp().sum(-1), torch.ones(6))
    torch.testing.assert_close(
        distribution.entropy(), torch.from_numpy(stats.entropy(every.exp().numpy(), axis=-1))
    )


@pytest.mark.parametrize(("mean", "log_std"), [(0.0, -0.5), (1.3, 0.2), (-2.0, -1.5)])
def test_squashed_gaussian_is_a_density_and_is_what_is_sampled(mean: float, log_std: float) -> None:
    width = np.exp(log_std)
    inner = np.linspace(mean - 12 * width, mean + 12 * width, 20_001)
    inner = inner[np.abs(inner) < 7.0]
    actions = torch.from_numpy(np.tanh(inner))[:, None]
    distribution = ActionDistribution(
        torch.full((len(inner), 1), mean, dtype=torch.float64), torch.tensor([log_std]).double()
    )
    density = distribution.log_probability(actions).exp().numpy()
    assert np.trapezoid(density, np.tanh(inner)) == pytest.approx(1.0, abs=1e-3)
    drawn = ActionDistribution(torch.full((4000, 1), mean), torch.tensor([log_std])).sample(
        torch.Generator().manual_seed(1)
    )
    assert drawn.abs().max() < 1.0
    under = stats.kstest(np.arctanh(drawn[:, 0].double().numpy()), stats.norm(mean, width).cdf)
    assert under.pvalue > 1e-3


def test_continuous_entries_are_independent_and_entropy_is_the_gaussians() -> None:
    means, log_std = torch.tensor([[0.3, -0.7]]), torch.tensor([-0.2, 0.4])
    action = torch.tensor([[0.5, -0.1]])
    parts = [
        ActionDistribution(means[:, [i]], log_std[[i]]).log_probability(action[:, [i]])
        for i in range(2)
    ]
    distribution = ActionDistribution(means, log_std)
    torch.testing.assert_close(distribution.log_probability(action), parts[0] + parts[1])
    expected = sum(stats.norm(0, np.exp(s)).entropy() for s in log_std.numpy())
    assert distribution.entropy().item() == pytest.approx(expected, abs=1e-5)


def test_the_log_probability_of_a_sample_is_finite_even_at_the_edge() -> None:
    distribution = ActionDistribution(torch.tensor([[40.0, -40.0]]), torch.tensor([-0.5, -0.5]))
    assert torch.isfinite(
        distribution.log_probability(distribution.sample(torch.Generator().manual_seed(0)))
    ).all()


def test_sampling_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    ActionDistribution(torch.zeros(3, 4), None).sample(torch.Generator().manual_seed(0))
    ActionDistribution(torch.zeros(3, 4), torch.zeros(4)).sample(torch.Generator().manual_seed(0))
    assert torch.equal(before, torch.random.get_rng_state())
