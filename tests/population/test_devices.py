"""Everything a learner computes stays on the device of its batch.

PyTorch's meta device stands in for a GPU: it refuses to mix with tensors made on the CPU, as a GPU
does.
"""

from __future__ import annotations

import pytest
import torch

from mirrorenv.population.actions import Choice
from mirrorenv.population.objectives import observer_loss, ppo_loss, read_minibatch
from mirrorenv.population.observers import HEADS
from mirrorenv.population.population import Population
from mirrorenv.population.settings import LearningSettings, PopulationSettings, PopulationShape

SHAPE = PopulationShape(num_agents=3, observation_size=2, actions=Choice(choices=4))


@pytest.mark.parametrize("weights", ["separate", "shared"])
@pytest.mark.parametrize("trunk", ["mlp", "gru"])
@pytest.mark.parametrize("head", sorted(HEADS))
@pytest.mark.parametrize("reads_with", ["separate", "shared"])
def test_an_update_makes_no_tensor_on_the_cpu(
    weights: str, trunk: str, head: str, reads_with: str
) -> None:
    settings = PopulationSettings(
        weights=weights, actor=trunk, observer={"head": head, "trunk": reads_with}
    )  # type: ignore[arg-type]
    population = Population(SHAPE, settings).to("meta")

    def column(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros(*shape, dtype=dtype, device="meta")

    names = ("mask", "log_probability", "advantage", "environment_target", "mirror_target")
    batch = {name: column(5, 6, 3) for name in names}
    batch |= {"observations": column(5, 6, 3, 2), "actions": column(5, 6, 3, dtype=torch.int64)}
    batch |= {name: column(5, 1, 3, dtype=torch.int64) for name in ("permutation", "labels")}
    acting, _ = ppo_loss(
        population.actor.sequence(batch["observations"]), batch, LearningSettings()
    )
    reading = read_minibatch(population, batch, settings.observer, torch.Generator())
    recognising, _ = observer_loss(population, reading)
    (acting + recognising).backward()
    assert acting.device.type == recognising.device.type == "meta"
    assert all(p.grad is None or p.grad.device.type == "meta" for p in population.parameters())
