"""The causal transformer: its cache gives what the whole sequence gives, and nothing reads what is
still to come."""

from __future__ import annotations

import pytest
import torch

from mirrorenv.envs import make_batch
from mirrorenv.population.actors.transformer import BLOCKS, WINDOW, StackedTransformer
from mirrorenv.population.experience import population_shape
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationSettings


@pytest.fixture
def encoder() -> StackedTransformer:
    return StackedTransformer(3, 5, 12, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("time", [1, 7, BLOCKS * WINDOW + 9])
def test_steps_agree_with_whole_sequences_beyond_the_window_too(
    encoder: StackedTransformer, time: int
) -> None:
    rows = torch.randn(3, time, 2, 5, generator=torch.Generator().manual_seed(1))
    whole = encoder.sequence(rows)
    state = torch.zeros(3, 2, encoder.state_size)
    for t in range(time):
        hidden, state = encoder.step(rows[:, t], state)
        torch.testing.assert_close(hidden, whole[:, t], atol=2e-5, rtol=1e-4)


def test_the_future_the_neighbours_and_what_is_too_long_ago_are_not_read(
    encoder: StackedTransformer,
) -> None:
    time = BLOCKS * WINDOW + 5
    rows = torch.randn(3, time, 2, 5, generator=torch.Generator().manual_seed(1))
    before = encoder.sequence(rows)
    later = rows.clone()
    later[:, 10:] = 0.0
    torch.testing.assert_close(encoder.sequence(later)[:, :10], before[:, :10])
    assert not torch.allclose(encoder.sequence(later)[:, 10:], before[:, 10:])
    other = rows.clone()
    other[:, :, 1] = 0.0
    torch.testing.assert_close(encoder.sequence(other)[:, :, 0], before[:, :, 0])
    first = rows.clone()
    first[:, 0] = 0.0
    reach = BLOCKS * (WINDOW - 1)  # a window for each block
    torch.testing.assert_close(encoder.sequence(first)[:, reach + 1 :], before[:, reach + 1 :])
    assert not torch.allclose(encoder.sequence(first)[:, reach], before[:, reach], atol=1e-7)


@pytest.mark.parametrize("weights", ["separate", "shared"])
@pytest.mark.parametrize("trunk", ["separate", "shared"])
def test_a_population_of_transformers_acts_and_its_observers_read_through_them(
    weights: str, trunk: str
) -> None:
    world = make_batch("mirrorenv/ants-v0", 2, horizon=6)
    settings = PopulationSettings.checked(
        {"actor": "transformer", "hidden": 16, "weights": weights, "observer": {"trunk": trunk}}
    )
    population = Population(population_shape(world), settings, 0)
    actor = population.actor
    seen = torch.randn(2, 6, 4, 2, generator=torch.Generator().manual_seed(2))
    whole = actor.sequence(seen)
    state = actor.initial_state(2)
    for t in range(6):
        output, state = actor.step(seen[:, t], state)
        torch.testing.assert_close(
            output.environment_value, whole.environment_value[:, t], atol=1e-5, rtol=1e-4
        )
    if trunk == "shared":
        assert actor.read(seen).shape[-1] == 16
