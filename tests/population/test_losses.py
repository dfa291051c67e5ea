"""The actors' loss on a minibatch, and what the observers are shown of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from mirrorenv.population.actors import ActorOutput
from mirrorenv.population.distributions import ActionDistribution
from mirrorenv.population.objectives import observer_loss, ppo_loss, read_minibatch
from mirrorenv.population.observers import HEADS
from mirrorenv.population.population import Population
from mirrorenv.population.settings import LearningSettings, MirrorSettings
from mirrorenv.population.train_batch import combine_advantages, train_batch
from tests.population.small import AGENTS, CONTINUOUS, DISCRETE, loud, population, some_experience


def minibatch(model: Population, **options: Any) -> dict[str, Tensor]:
    record = some_experience(model, **options)
    columns = train_batch(
        model,
        record,
        MirrorSettings(),
        LearningSettings(),
        run=0,
        episodes=np.arange(len(record.mask)),
        rng=np.random.default_rng(0),
    )
    columns["advantage"] = combine_advantages(columns, 1.0)
    return {
        name: torch.from_numpy(np.ascontiguousarray(column)) for name, column in columns.items()
    }


def ready(**options: Any) -> Population:
    made = population("gru", "separate", "separate", **options)
    loud(made)
    return made


def output_like(model: Population, batch: dict[str, Tensor], log_ratio: Tensor) -> ActorOutput:
    """What the actors say of the batch, had every probability changed by the given log ratio."""
    output = model.actor.sequence(batch["observations"])
    distribution = _Shifted(output.distribution, log_ratio)
    return ActorOutput(distribution, output.environment_value, output.mirror_value)


class _Shifted(ActionDistribution):
    def __init__(self, inner: ActionDistribution, shift: Tensor) -> None:
        self.inner, self.shift = inner, shift

    def sample(self, generator: torch.Generator) -> Tensor:
        return self.inner.sample(generator)

    def log_probability(self, actions: Tensor) -> Tensor:
        return self.inner.log_probability(actions) + self.shift

    def entropy(self) -> Tensor:
        return self.inner.entropy()


@pytest.mark.parametrize("shape", [DISCRETE, CONTINUOUS], ids=["discrete", "continuous"])
def test_at_the_first_epoch_nothing_has_moved(shape: Any) -> None:
    model = ready(shape=shape)
    batch = minibatch(model)
    output = model.actor.sequence(batch["observations"])
    _, metrics = ppo_loss(output, batch, LearningSettings())
    assert metrics["kl"].item() == pytest.approx(0.0, abs=1e-5)
    ratio = (output.distribution.log_probability(batch["actions"]) - batch["log_probability"]).exp()
    torch.testing.assert_close(ratio, torch.ones_like(ratio), atol=1e-4, rtol=1e-4)
    expected = -(batch["advantage"] * batch["mask"]).sum() / batch["mask"].sum()
    torch.testing.assert_close(metrics["policy_loss"], expected, atol=1e-4, rtol=1e-4)


def test_at_the_first_epoch_the_gradient_is_the_policy_gradient() -> None:
    model = ready()
    batch = minibatch(model)
    settings = LearningSettings(entropy=0.0, value_weight=0.0)
    output = model.actor.sequence(batch["observations"])
    loss, _ = ppo_loss(output, batch, settings)
    surrogate = torch.autograd.grad(loss, model.actor.policy.weight)[0]
    log_p = model.actor.sequence(batch["observations"]).distribution.log_probability(
        batch["actions"]
    )
    plain = -(log_p * batch["advantage"] * batch["mask"]).sum() / batch["mask"].sum()
    torch.testing.assert_close(surrogate, torch.autograd.grad(plain, model.actor.policy.weight)[0])


@pytest.mark.parametrize(
    ("moved", "advantage", "slope"),
    [(1.5, 1.0, 0.0), (1.5, -1.0, 1.5), (0.5, 1.0, -0.5), (0.5, -1.0, 0.0)],
)
def test_a_probability_that_moved_too_far_the_right_way_is_pushed_no_further(
    moved: float, advantage: float, slope: float
) -> None:
    model = ready()
    batch = minibatch(model, ragged=False)
    batch["advantage"] = torch.full_like(batch["advantage"], advantage)
    log_ratio = torch.full_like(batch["advantage"], float(np.log(moved))).requires_grad_()
    loss, metrics = ppo_loss(
        output_like(model, batch, log_ratio),
        batch,
        LearningSettings(clip=0.2, entropy=0.0, value_weight=0.0),
    )
    ends = min(moved * advantage, float(np.clip(moved, 0.8, 1.2)) * advantage)
    assert metrics["policy_loss"].item() == pytest.approx(-ends, abs=1e-4)
    assert metrics["kl"].item() == pytest.approx(moved - 1 - np.log(moved), abs=1e-4)
    gradient = torch.autograd.grad(loss, log_ratio)[0].sum().item()
    assert gradient == pytest.approx(slope, abs=1e-4)


def test_the_loss_is_the_sum_of_its_parts() -> None:
    model = ready()
    batch = minibatch(model)
    output = model.actor.sequence(batch["observations"])
    settings = LearningSettings(entropy=0.3, value_weight=0.7)
    loss, parts = ppo_loss(output, batch, settings)
    live = batch["mask"] > 0
    critic = (output.environment_value - batch["environment_target"])[live].square().mean()
    mirror = (output.mirror_value - batch["mirror_target"])[live].square().mean()
    entropy = output.distribution.entropy()[live].mean()
    torch.testing.assert_close(parts["value_loss"], critic.detach())
    torch.testing.assert_close(parts["mirror_value_loss"], mirror.detach())
    torch.testing.assert_close(loss, parts["policy_loss"] + 0.7 * (critic + mirror) - 0.3 * entropy)
    assert not any(value.requires_grad for value in parts.values())


def test_steps_that_never_happened_weigh_nothing() -> None:
    model = ready()
    batch = minibatch(model)
    loss, _ = ppo_loss(model.actor.sequence(batch["observations"]), batch, LearningSettings())
    dead = batch["mask"] == 0
    assert dead.any()
    changed = dict(batch)
    for name in ("environment_target", "mirror_target", "advantage", "log_probability"):
        changed[name] = torch.where(dead, batch[name] - 3.0, batch[name])
    other, _ = ppo_loss(model.actor.sequence(batch["observations"]), changed, LearningSettings())
    torch.testing.assert_close(loss, other)


def reading(model: Population, batch: dict[str, Tensor], seed: int = 0) -> Any:
    return read_minibatch(
        model, batch, model.settings.observer, torch.Generator().manual_seed(seed)
    )


@pytest.mark.parametrize("head", HEADS)
def test_observers_are_shown_every_slot_and_prefix_with_the_right_names(head: str) -> None:
    model = ready(head=head, slots_per_update=0)
    batch = minibatch(model)
    found = reading(model, batch)
    assert found.evidence.shape == (*batch["mask"].shape[:2], AGENTS, AGENTS, AGENTS)
    rows = torch.arange(len(found.mask))
    for k in range(AGENTS):
        shown = batch["mask"][rows, :, found.target[:, 0, k]]
        torch.testing.assert_close(found.mask[:, :, 0, k], shown)
    loss, metrics = observer_loss(model, found)
    assert torch.isfinite(loss) and 0.0 <= metrics["observer_accuracy"] <= 1.0


@pytest.mark.parametrize("head", [head for head in HEADS if head != "joint"])
def test_a_random_part_of_slots_and_prefixes_is_part_of_the_whole(head: str) -> None:
    whole, part = (
        ready(head=head, slots_per_update=0),
        ready(head=head, slots_per_update=2, prefixes_per_update=3),
    )
    batch = minibatch(whole)
    everything, some = reading(whole, batch), reading(part, batch)
    assert some.evidence.shape[:4] == (len(batch["mask"]), 3, AGENTS, 2)
    generator = torch.Generator().manual_seed(0)
    slots = torch.randperm(AGENTS, generator=generator)[:2]
    prefixes = torch.randperm(batch["mask"].shape[1], generator=generator)[:3].sort().values
    torch.testing.assert_close(some.target, everything.target[..., slots])
    torch.testing.assert_close(some.mask, everything.mask[:, prefixes][..., slots])
    torch.testing.assert_close(
        some.evidence, everything.evidence[:, prefixes][:, :, :, slots], atol=1e-4, rtol=1e-4
    )


def test_a_reader_of_whole_lineups_is_always_shown_all_slots() -> None:
    model = ready(head="joint", slots_per_update=1)
    assert reading(model, minibatch(model)).evidence.shape[3] == AGENTS


def test_observers_at_chance_lose_the_log_of_the_number_of_agents() -> None:
    model = ready()
    found = reading(model, minibatch(model))
    loss, metrics = observer_loss(model, found._replace(evidence=torch.zeros_like(found.evidence)))
    assert loss.item() == pytest.approx(np.log(AGENTS), abs=1e-5)
    sure = 50.0 * torch.nn.functional.one_hot(found.target, AGENTS)[:, None].expand(
        found.evidence.shape
    )
    loss, metrics = observer_loss(model, found._replace(evidence=sure.float()))
    assert loss.item() == pytest.approx(0.0, abs=1e-5) and metrics["observer_accuracy"] == 1.0
