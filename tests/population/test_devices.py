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
from mirrorenv.population.objectives.updates import after_update, check_gradients, clip_gradients
from mirrorenv.population.observers import HEADS
from mirrorenv.population.population import Population
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
    for name in ("eoi", "diayn", "cds", "pivot"):
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
