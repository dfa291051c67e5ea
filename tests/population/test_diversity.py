"""DiCo style: the diversity of a population is what was asked for, whatever its networks are."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from mirrorenv.population.actions import Choice, Vector
from mirrorenv.population.actors.common import CommonActor, neural_diversity
from mirrorenv.population.checkpoint import load_population, save_population
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationSettings, PopulationShape

AGENTS, BATCH, TIME, SEEN = 3, 4, 5, 6
DISCRETE = PopulationShape(num_agents=AGENTS, observation_size=SEEN, actions=Choice(choices=4))
CONTINUOUS = PopulationShape(num_agents=AGENTS, observation_size=SEEN, actions=Vector(size=2))
KINDS = list(itertools.product((DISCRETE, CONTINUOUS), ("mlp", "gru")))


def population(
    shape: PopulationShape, trunk: str, desired: float | None, seed: int = 0
) -> Population:
    settings = PopulationSettings(actor=trunk, hidden=8, initial_gain=1.0, diversity=desired)
    return Population(shape, settings, seed)


def histories(seed: int = 0) -> torch.Tensor:
    return torch.randn(BATCH, TIME, AGENTS, SEEN, generator=torch.Generator().manual_seed(seed))


EVERYTHING = torch.ones(BATCH, TIME, AGENTS)


@pytest.mark.parametrize("discrete", [False, True])
def test_diversity_is_the_mean_distance_that_a_loop_finds(discrete: bool) -> None:
    draws = np.random.default_rng(0)
    outputs, mask = draws.normal(size=(BATCH, TIME, AGENTS, 4)), draws.random((BATCH, TIME)) < 0.7
    told = []
    for b, t in zip(*np.nonzero(mask), strict=True):
        rows = outputs[b, t] - outputs[b, t].mean(-1, keepdims=True) * discrete
        told += [
            np.linalg.norm(rows[i] - rows[j]) for i, j in itertools.combinations(range(AGENTS), 2)
        ]
    layout = Choice(choices=outputs.shape[-1]) if discrete else Vector(size=outputs.shape[-1])
    found = neural_diversity(torch.from_numpy(outputs), torch.from_numpy(mask), layout)
    assert float(found) == pytest.approx(np.mean(told))


def test_a_constant_added_to_all_logits_is_no_diversity() -> None:
    outputs = torch.zeros(2, AGENTS, 4) + torch.arange(AGENTS)[:, None]
    assert float(neural_diversity(outputs, torch.ones(2), Choice(choices=outputs.shape[-1]))) < 1e-5
    assert float(neural_diversity(outputs, torch.ones(2), Vector(size=outputs.shape[-1]))) > 1


@pytest.mark.parametrize(("shape", "trunk"), KINDS)
@pytest.mark.parametrize("desired", [0.0, 0.5, 3.0])
def test_policies_lie_as_far_apart_as_asked(
    shape: PopulationShape, trunk: str, desired: float
) -> None:
    actor, seen = population(shape, trunk, desired).actor, histories()
    said = actor.sequence(seen, EVERYTHING).metrics[
        "diversity"
    ]  # the first measurement is taken whole
    found = neural_diversity(actor.replay(seen).outputs.detach(), EVERYTHING, shape.actions)
    assert said is not None
    assert float(found) == pytest.approx(desired, rel=1e-3, abs=1e-5) and float(
        said
    ) == pytest.approx(float(found), abs=1e-5)


def test_learning_cannot_level_the_policies() -> None:
    """Their loss asks them to be alike, as loudly as it can; their distance stays what it was set
    to."""
    actor, seen = population(DISCRETE, "mlp", 2.0).actor, histories()
    adam = torch.optim.Adam(actor.parameters(), lr=0.02)
    for _ in range(150):
        output = actor.sequence(seen, EVERYTHING)
        adam.zero_grad()
        # everybody to the first action
        (-output.distribution.outputs.log_softmax(-1)[..., 0].mean()).backward()
        adam.step()
    output = actor.sequence(seen, EVERYTHING)
    assert float(output.metrics["diversity"]) == pytest.approx(2.0, rel=0.1)
    assert output.distribution.outputs.softmax(-1)[..., 0].mean() > 0.8  # and they do learn


@pytest.mark.parametrize(("shape", "trunk"), KINDS)
def test_acting_learning_and_replaying_are_one_policy(shape: PopulationShape, trunk: str) -> None:
    actor, seen = population(shape, trunk, 2.0).actor, histories()
    actor.sequence(seen, EVERYTHING)
    whole = actor.sequence(seen).distribution.outputs  # (B, T, N, A)
    everybody = actor.replay(seen).outputs  # (B, T, K, N, A)
    state, steps = actor.initial_state(BATCH), []
    for t in range(TIME):
        output, state = actor.step(seen[:, t], state)
        steps.append(output.distribution.outputs)
    torch.testing.assert_close(torch.stack(steps, 1), whole, atol=1e-5, rtol=1e-4)
    own = torch.stack([everybody[:, :, n, n] for n in range(AGENTS)], 2)
    torch.testing.assert_close(own, whole, atol=1e-5, rtol=1e-4)


def test_the_estimate_follows_slowly_and_is_kept_in_checkpoints(tmp_path: Path) -> None:
    made = population(DISCRETE, "mlp", 1.0)
    actor = made.actor
    assert (
        isinstance(actor, CommonActor) and float(actor.common.scale) == 1.0
    )  # nothing measured yet
    actor.sequence(histories(), EVERYTHING)
    before = float(actor.common.estimate)
    with torch.no_grad():
        actor.own.policy.weight.mul_(2.0)
    actor.sequence(histories(), EVERYTHING)
    assert before < float(actor.common.estimate) < 1.5 * before
    save_population(tmp_path / "c", made, {"world": "w"})
    again, _ = load_population(tmp_path / "c")
    torch.testing.assert_close(
        again.actor.replay(histories()).outputs, actor.replay(histories()).outputs
    )


def test_everybody_learns_the_common_part() -> None:
    actor = population(DISCRETE, "mlp", 1.0).actor
    actor.sequence(histories(), EVERYTHING).distribution.outputs[:, :, 0, 1].sum().backward()
    assert isinstance(actor, CommonActor) and actor.common.policy.weight.grad is not None
    assert actor.common.policy.weight.grad.abs().sum() > 0
    own = actor.own.policy.weight.grad
    # apart from the others is also where they are
    assert own is not None and (own.abs().sum((1, 2)) > 0).all()


def test_without_the_setting_nothing_is_common_and_shared_weights_are_refused() -> None:
    assert not isinstance(population(DISCRETE, "mlp", None).actor, CommonActor)
    with pytest.raises(ValidationError, match="separate"):
        PopulationSettings(weights="shared", diversity=1.0)
