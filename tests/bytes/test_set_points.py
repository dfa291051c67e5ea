"""Training towards set-points brings the entropy of what is said towards them."""

from __future__ import annotations

import torch

from mirrorenv.bytes.entropy import byte_entropy
from mirrorenv.population.objectives.base import build_objective
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationSettings, PopulationShape


def test_entropy_comes_nearer_to_the_set_point() -> None:
    shape = PopulationShape.model_validate(
        {"num_agents": 2, "observation_size": 3, "actions": {"kind": "bytes", "length": 16}}
    )
    population = Population(
        shape, PopulationSettings(actor="byte_transformer", hidden=16, initial_gain=0.01), 0
    )
    given = {"name": "set_points", "local": 0.5, "whole": None}
    objective = build_objective(given, population.host())
    optimiser = torch.optim.Adam(population.actor.parameters(), lr=0.02)
    seen = torch.zeros(16, 1, 2, 3)
    draw = torch.Generator().manual_seed(0)
    gaps = []
    for _ in range(60):
        output = population.actor.sequence(seen)
        said = output.distribution.sample(draw)  # (B, 1, N, L)
        gaps.append(float(abs(byte_entropy(said.numpy()).mean() - 0.5)))
        batch = {"actions": said, "mask": torch.ones(16, 1, 2)}
        loss, metrics = objective.loss(population, output, batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert gaps[-1] < 0.7 * gaps[0], gaps
    assert "nats_per_byte" in metrics
