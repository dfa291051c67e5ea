"""A byte transformer says what it says it says: cached or not, acting or replayed, to the last
probability."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.bytes.transformer import ByteTransformer
from mirrorenv.errors import ConfigError
from mirrorenv.population.actions import Bytes, Choice, Choices
from mirrorenv.population.actors import build_actor
from mirrorenv.population.settings import PopulationSettings, PopulationShape

WEIGHTS = ("separate", "shared")


def speakers(
    weights: str = "separate",
    *,
    symbols: int = 256,
    length: int = 5,
    agents: int = 3,
) -> ByteTransformer:
    sizes = (symbols,) * length
    layout = Bytes(length=length) if symbols == 256 else Choices(sizes=sizes)
    shape = PopulationShape(num_agents=agents, observation_size=4, actions=layout)
    chosen = PopulationSettings(
        actor="byte_transformer",
        hidden=8,
        initial_gain=2.0,
        weights=weights,  # type: ignore[arg-type]
    )
    actor = build_actor(shape, chosen, torch.Generator().manual_seed(0))
    assert isinstance(actor, ByteTransformer)
    return actor


def seen(*lead: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*lead, 4, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("weights", WEIGHTS)
def test_what_is_said_with_a_cache_has_the_logits_of_a_full_pass(weights: str) -> None:
    actor = speakers(weights, length=6)
    spoken = actor.step(seen(4, 3), actor.initial_state(4))[0].distribution
    said = spoken._fold(spoken.sample(torch.Generator().manual_seed(0)))  # (S, R, L)
    whole = actor.speech.logits(spoken.intent, said)
    one, cache = actor.speech.first(spoken.intent)
    for place in range(6):
        torch.testing.assert_close(one, whole[:, :, place], atol=1e-5, rtol=1e-5)
        if place < 5:
            one, cache = actor.speech.next(said[:, :, place], place + 1, cache)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_the_probabilities_of_all_utterances_sum_to_one(weights: str) -> None:
    actor = speakers(weights, symbols=3, length=4)
    every = torch.tensor(list(itertools.product(range(3), repeat=4)))  # (81, 4)
    rows = every.unsqueeze(1).expand(-1, 3, -1)  # (81, N, L)
    spoken = actor.step(seen(1, 3).expand(81, -1, -1), actor.initial_state(81))[0].distribution
    total = spoken.log_probability(rows).logsumexp(0)  # (N,)
    torch.testing.assert_close(total, torch.zeros(3), atol=1e-5, rtol=0)


def test_utterances_are_drawn_as_often_as_they_are_probable() -> None:
    actor = speakers(symbols=2, length=2, agents=2)
    rows = 8000
    spoken = actor.step(seen(1, 2).expand(rows, -1, -1), None)[0].distribution
    said = spoken.sample(torch.Generator().manual_seed(3))  # (R, N, 2)
    likely = spoken.log_probability(said).exp().detach()
    for agent in range(2):
        for word in itertools.product(range(2), repeat=2):
            hit = (said[:, agent] == torch.tensor(word)).all(-1)
            if hit.any():
                assert abs(float(hit.float().mean()) - float(likely[hit, agent][0])) < 0.03


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 5), st.integers(0, 255), st.integers(0, 2**16))
def test_no_byte_depends_on_those_behind_it(place: int, byte: int, seed: int) -> None:
    actor = speakers(length=6)
    spoken = actor.step(seen(2, 3), None)[0].distribution
    said = spoken._fold(spoken.sample(torch.Generator().manual_seed(seed)))
    other = said.clone()
    other[:, :, place] = byte
    one = actor.speech.logits(spoken.intent, said)
    two = actor.speech.logits(spoken.intent, other)
    torch.testing.assert_close(one[:, :, : place + 1], two[:, :, : place + 1])


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_sequence_is_its_steps_and_replay_agrees_with_acting(weights: str) -> None:
    actor = speakers(weights)
    observations = seen(2, 4, 3)  # (B, T, N, D)
    acted = actor.sequence(observations)
    said = acted.distribution.sample(torch.Generator().manual_seed(0))
    likely = acted.distribution.log_probability(said)  # (B, T, N)
    for step in range(4):
        one = actor.step(observations[:, step], actor.initial_state(2))[0]
        torch.testing.assert_close(one.environment_value, acted.environment_value[:, step])
        again = one.distribution.log_probability(said[:, step])
        torch.testing.assert_close(again, likely[:, step], atol=1e-4, rtol=1e-5)
    replayed = actor.replay_log_probability(observations, said)  # (B, T, K, N)
    own = torch.diagonal(replayed, dim1=2, dim2=3)
    torch.testing.assert_close(own, likely, atol=1e-4, rtol=1e-5)
    assert (replayed - own.unsqueeze(2)).abs().max() > 0.1  # others would speak otherwise


def test_gradients_reach_every_weight_and_no_one_elses() -> None:
    actor = speakers()
    output = actor.sequence(seen(2, 2, 3))
    said = output.distribution.sample(torch.Generator().manual_seed(0))
    value = output.environment_value[..., 1].sum() + output.mirror_value[..., 1].sum()
    (output.distribution.log_probability(said)[..., 1].sum() + value).backward()  # type: ignore[no-untyped-call]
    for name, parameter in actor.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad[1].abs().sum() > 0, name
        assert parameter.grad[0].abs().sum() == 0, name


def test_without_gradient_rows_are_read_in_parts_with_the_same_result() -> None:
    actor = speakers(length=2)
    spoken = actor.step(seen(700, 3), None)[0].distribution
    said = spoken.sample(torch.Generator().manual_seed(0))
    with torch.no_grad():
        parts = spoken.log_probability(said)
        spread = spoken.entropy()
    torch.testing.assert_close(parts, spoken.log_probability(said).detach())
    torch.testing.assert_close(spread, spoken.entropy().detach())


def test_the_entropy_is_right_on_average() -> None:
    actor = speakers(symbols=3, length=2, agents=2)
    every = torch.tensor(list(itertools.product(range(3), repeat=2)))
    one = seen(1, 2)
    spoken = actor.step(one.expand(9, -1, -1), None)[0].distribution
    log_p = spoken.log_probability(every.unsqueeze(1).expand(-1, 2, -1))  # (9, N)
    exact = -(log_p.exp() * log_p).sum(0)
    drawn = actor.step(one.expand(4000, -1, -1), None)[0].distribution
    drawn.log_probability(drawn.sample(torch.Generator().manual_seed(0)))
    torch.testing.assert_close(drawn.entropy().mean(0), exact, atol=0.03, rtol=0)


def test_a_world_without_utterances_is_refused() -> None:
    shape = PopulationShape(num_agents=2, observation_size=4, actions=Choice(choices=5))
    chosen = PopulationSettings(actor="byte_transformer")
    with pytest.raises(ConfigError, match="utterance"):
        build_actor(shape, chosen, torch.Generator().manual_seed(0))
