"""Small populations and lineups for the tests of the room.

Shapes: B batch, T time, N agents, K slots, D observation, A actions.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirrorenv.population.actions import Choice, Vector
from mirrorenv.population.experience import Experience
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.observers import LineupTensors
from mirrorenv.population.population import Population
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    ObserverSettings,
    PopulationSettings,
    PopulationShape,
)

AGENTS, SEEN, CHOICES = 3, 4, 5
DISCRETE = PopulationShape(
    num_agents=AGENTS, observation_size=SEEN, actions=Choice(choices=CHOICES)
)
CONTINUOUS = PopulationShape(num_agents=AGENTS, observation_size=SEEN, actions=Vector(size=2))
BLIND = PopulationShape(num_agents=AGENTS, observation_size=0, actions=Choice(choices=CHOICES))

# (trunk, weights, what the observer reads through)
PLANNERS = list(
    itertools.product(("mlp", "gru"), ("separate", "shared"), ("separate", "shared", "stopped"))
)


def population(
    trunk: str = "mlp",
    weights: str = "separate",
    reads: str = "separate",
    *,
    head: str = "additive",
    shape: PopulationShape = DISCRETE,
    gain: float = 1.0,
    seed: int = 0,
    **observer: Any,
) -> Population:
    """A population with 8 units a layer whose policies differ (gain 1), paid by the mirror."""
    reader = ObserverSettings(head=head, trunk=reads, hidden=8, **observer)
    settings = PopulationSettings(
        actor=trunk, weights=weights, hidden=8, initial_gain=gain, observer=reader
    )
    model = Population(shape, settings, seed)
    set_objectives(model, MirrorSettings(), LearningSettings())
    return model


def loud(model: torch.nn.Module, seed: int = 0) -> None:
    """Give every weight a size that shows, biases and zero-initialised layers included."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)


def some_episodes(
    batch: int = 4, time: int = 6, shape: PopulationShape = DISCRETE, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Random observations (B, T, N, D) and actions (B, T, N, ...)."""
    generator = torch.Generator().manual_seed(seed)
    lead = (batch, time, shape.num_agents)
    observations = torch.randn(*lead, shape.observation_size, generator=generator)
    layout = shape.actions
    spread = torch.zeros(layout.spreads) if layout.spreads else None
    outputs = torch.zeros(*lead, layout.policy_outputs)
    return observations, layout.distribution(outputs, spread).sample(generator)


def lineup_of(
    model: Population, observations: Tensor, actions: Tensor, mask: Tensor | None = None
) -> LineupTensors:
    """The episodes as a lineup in the order given."""
    shown = torch.ones(observations.shape[:3]) if mask is None else mask
    return LineupTensors(observations, model.action_features(actions), shown)


def some_experience(
    model: Population, batch: int = 5, time: int = 7, seed: int = 0, *, ragged: bool = True
) -> Experience:
    """Random episodes with the columns a learner needs; agents of one episode end at different
    times if ragged."""
    rng = np.random.default_rng(seed)
    observations, actions = some_episodes(batch, time, model.shape, seed)
    lead = (batch, time, model.shape.num_agents)
    lengths = (
        rng.integers(1, time + 1, size=(batch, model.shape.num_agents))
        if ragged
        else np.full(lead[::2], time)
    )
    with torch.no_grad():
        output = model.actor.sequence(observations)
        log_p = output.distribution.log_probability(actions)
    last_value = rng.normal(size=lead[::2]).astype(np.float32)
    rewards = rng.normal(size=lead).astype(np.float32)
    return Experience(
        observations=observations.numpy(),
        actions=actions.numpy(),
        rewards=rewards,
        mask=np.arange(time)[None, :, None] < lengths[:, None],
        columns={
            "log_probability": log_p.numpy(),
            "environment_value": output.environment_value.numpy(),
            "mirror_value": output.mirror_value.numpy(),
            "last_value": last_value,
            "last_mirror_value": np.zeros(lead[::2], np.float32),
        },
    )
