"""Actors: who owns which weights, one step against whole episodes, every policy replayed on every
trajectory."""

from __future__ import annotations

import pytest
import torch

from mirrorenv.population.actors import IndexAfterTrunk, NetworkActor
from mirrorenv.population.settings import PopulationShape
from tests.population.small import (
    AGENTS,
    BLIND,
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
        after = isinstance(made, IndexAfterTrunk)
        for layer in (made.policy, made.critics) if after else (_first_layer(made),):
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
