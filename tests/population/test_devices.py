"""Acting and learning stay on the device of the population, and no one waits for the host.

PyTorch's meta device stands in for a GPU: it refuses to mix with tensors made on the CPU, as a GPU
does, and holds no numbers, so whoever asks for one fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from mirrorenv.errors import TrainingError
from mirrorenv.population.actions import Choice, Choices, Vector
from mirrorenv.population.actions.base import ActionLayout
from mirrorenv.population.device.launched import Launched
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.objectives.inward import _Known
from mirrorenv.population.objectives.updates import after_update, check_gradients, clip_gradients
from mirrorenv.population.observers import HEADS
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    PopulationSettings,
    PopulationShape,
)
from tests.population.kernels import minibatch

LAYOUTS: dict[str, ActionLayout] = {
    "choice": Choice(choices=4),
    "choices": Choices(sizes=(2, 3)),
    "vector": Vector(size=2),
}
AGENTS, SEEN = 3, 2


def cases() -> Iterator[Any]:
    """Settings of a population, form of its actions, reward."""
    for layout in LAYOUTS:
        for actor in ("mlp", "gru"):
            for weights in ({"weights": "separate"}, {"weights": "shared"}, {"diversity": 0.5}):
                yield {"actor": actor, **weights}, layout, "mirror"
    for head in sorted(HEADS):
        for trunk in ("separate", "shared", "stopped"):
            yield {"observer": {"head": head, "trunk": trunk}}, "choice", "mirror"
    for reward in ("eoi", "diayn", "cds"):
        yield {}, "choice", reward
    for name in ("eoi", "diayn", "cds", "pivot", "least_changed"):
        yield {"auxiliaries": [{"name": name}]}, "choice", "mirror"


@pytest.mark.parametrize(("settings", "layout", "reward"), list(cases()), ids=str)
def test_acting_and_an_update_launch_kernels_and_wait_for_nothing(
    settings: dict[str, Any], layout: str, reward: str
) -> None:
    shape = PopulationShape(num_agents=AGENTS, observation_size=SEEN, actions=LAYOUTS[layout])
    population = Population(shape, PopulationSettings.checked(settings))
    set_objectives(population, MirrorSettings(reward=reward), LearningSettings())
    population.to("meta")
    for objective in population.objectives.values():
        objective.to("meta")
    batch = minibatch(shape, "meta")
    norms: dict[str, torch.Tensor] = {}
    with Launched() as launched:
        seen = torch.zeros(4, AGENTS, SEEN, device="meta")
        output, _ = population.actor.step(seen, population.actor.initial_state(4))
        actions = output.distribution.sample(None)  # type: ignore[arg-type]  # the device's own
        assert actions.device.type == output.mirror_value.device.type == "meta"
        whole = population.output(batch)
        loss, _ = population.loss(batch, whole)
        loss.backward()
        clip_gradients(population.objectives, population, norms=norms)
        after_update(population.objectives, whole, batch)
    assert launched.waits == [] and launched.kernels > 0
    assert {"actor", "observer"} <= set(norms)
    assert loss.device.type == "meta"
    assert all(p.grad is None or p.grad.device.type == "meta" for p in population.parameters())


@pytest.mark.parametrize(("settings", "layout", "reward"), list(cases()), ids=str)
def test_an_evaluation_reads_lineups_and_replays_policies_and_waits_for_nothing(
    settings: dict[str, Any], layout: str, reward: str
) -> None:
    shape = PopulationShape(num_agents=AGENTS, observation_size=SEEN, actions=LAYOUTS[layout])
    population = Population(shape, PopulationSettings.checked(settings)).to("meta")
    batch = minibatch(shape, "meta")
    record = (batch["observations"], batch["actions"], batch["mask"])
    size = len(batch["mask"])
    one = torch.zeros(size, 1, AGENTS, dtype=torch.int64, device="meta")
    each = torch.zeros(size, AGENTS, AGENTS, dtype=torch.int64, device="meta")
    some = torch.zeros(2, dtype=torch.int64, device="meta")
    with torch.no_grad(), Launched() as launched:
        by_some = population.evidence(lineup_tensors(population, *record, one), some)
        own = population.evidence(lineup_tensors(population, *record, each))
        limit = population.actor.replay_log_probability(*record[:2])
    lead = batch["mask"].shape[:2]
    assert by_some.shape == (*lead, 2, AGENTS, AGENTS)
    assert own.shape == (*lead, AGENTS, AGENTS, AGENTS)
    assert limit.shape == (*lead, AGENTS, AGENTS)
    assert launched.waits == [] and launched.kernels > 0


INWARD: dict[str, dict[str, Any]] = {
    "self_model": {},
    "self_model, ahead": {"ahead": 1},
    "mind_state": {},
    "mind_state, by scalars": {"refit": "fsq"},
    "mind_state, warm": {"refit": "warm"},
}


@pytest.mark.parametrize("case", INWARD)
@pytest.mark.parametrize("update", ["plain", "fast"])
def test_objectives_that_look_inward_are_waited_for_in_measurements_only(
    case: str, update: str
) -> None:
    name, _, _ = case.partition(",")
    given = {"name": name, "measure_every": 10, **INWARD[case]}
    given |= {"codes": 3, "warm_up": 1} if name == "mind_state" else {}
    shape = PopulationShape(num_agents=AGENTS, observation_size=SEEN, actions=LAYOUTS["choice"])
    population = Population(shape, PopulationSettings.checked({"auxiliaries": [given]}))
    set_objectives(population, MirrorSettings(), LearningSettings(update=update))
    population.to("meta")
    batch = minibatch(shape, "meta")
    looking = population.objectives[name]
    # as read after the measurement in update 10; the next is due in 20
    looking._read = _Known(updates=11, strength=1.0, active=True, compared=True)
    for _ in range(9):
        with Launched() as launched:
            whole = population.output(batch)
            loss, _ = population.loss(batch, whole)
            loss.backward()
            clip_gradients(population.objectives, population, norms={})
            after_update(population.objectives, whole, batch)
        assert launched.waits == []
    with pytest.raises((RuntimeError, NotImplementedError)):  # a look at what is not there
        population.loss(batch, population.output(batch))
        after_update(population.objectives, population.output(batch), batch)


@pytest.mark.parametrize("name", ["self_model", "mind_state"])
def test_what_the_host_knows_of_an_objective_is_read_again_after_a_load(name: str) -> None:
    shape = PopulationShape(num_agents=AGENTS, observation_size=SEEN, actions=LAYOUTS["choice"])
    population = Population(shape, PopulationSettings.checked({"auxiliaries": [{"name": name}]}))
    set_objectives(population, MirrorSettings(), LearningSettings())
    batch = minibatch(shape, "cpu", size=40)
    batch["mask"] += 1
    state = {key: one.clone() for key, one in population.state_dict().items()}
    population.loss(batch)
    state[f"auxiliaries.{name}.stopped"] = torch.ones((), dtype=torch.bool)
    population.load_state_dict(state)
    loss = population.objectives[name].loss(population, population.output(batch), batch)[0]
    loss.backward()
    assert all(one.grad is None for one in population.actor.parameters())


def test_gradients_that_were_not_looked_at_are_judged_later() -> None:
    fine = {"actor": torch.ones(3)}
    check_gradients(fine)
    with pytest.raises(TrainingError, match="the observer's gradient is not finite"):
        check_gradients({**fine, "observer": torch.tensor([1.0, float("nan")])})


@pytest.mark.parametrize("reward", ["eoi", "diayn"])
def test_a_reward_models_loss_is_the_same_whether_steps_are_left_out_or_weigh_nothing(
    reward: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mirrorenv.population.objectives import diayn, eoi
    from mirrorenv.population.objectives.intrinsic import live_rows

    shape = PopulationShape(num_agents=AGENTS, observation_size=SEEN, actions=LAYOUTS["choice"])
    population = Population(shape, PopulationSettings())
    set_objectives(population, MirrorSettings(reward=reward), LearningSettings())
    batch = minibatch(shape, "cpu")
    generator = torch.Generator().manual_seed(0)
    batch["observations"] = torch.randn(batch["observations"].shape, generator=generator)
    batch["mask"] = (torch.rand(batch["mask"].shape, generator=generator) < 0.6).float()
    model: Any = population.payer
    left_out = model.model_loss(population, batch)

    def everywhere(batch: dict[str, torch.Tensor]) -> Any:
        seen, authors, _ = live_rows({**batch, "mask": torch.ones_like(batch["mask"])})
        return seen, authors, batch["mask"].flatten()

    for module in (eoi, diayn):
        monkeypatch.setattr(module, "live_rows", everywhere)
    assert model.model_loss(population, batch).item() == pytest.approx(left_out.item(), rel=1e-6)
