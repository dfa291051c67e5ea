"""The kind of agent that the settings name."""

from __future__ import annotations

import torch

from mirrorenv.errors import unknown_name
from mirrorenv.population.actors.base import ACTORS, Actor
from mirrorenv.population.actors.common import CommonActor
from mirrorenv.population.actors.encoders import (
    ENCODERS,
    EncoderFactory,
    load_code,
    stacked,
)
from mirrorenv.population.actors.separate import SeparateActor
from mirrorenv.population.actors.shared import shared_actor
from mirrorenv.population.settings import PopulationSettings, PopulationShape

__all__ = ["build_actor", "network_actor"]

_BY_WEIGHTS = {"separate": SeparateActor, "shared": shared_actor}


def build_actor(
    shape: PopulationShape, settings: PopulationSettings, generator: torch.Generator
) -> Actor:
    """The kind of agent that `population.actor` names.

    That is a registered actor; a registered encoder, or an ``nn.Module`` class at
    ``package.module:Encoder``, inside a network actor; or an `Actor` class at
    ``package.module:Actor``.

    Args:
        shape: what the world fixes.
        settings: what the user chose.
        generator: source of the initial weights.

    Raises:
        UnknownNameError: if nothing of that name is registered.
        ConfigError: if it cannot be imported, or is not of either kind.
    """
    name = settings.actor
    if name in ACTORS:
        return ACTORS[name](shape, settings, generator)
    if name in ENCODERS:
        return network_actor(shape, settings, generator, ENCODERS[name])
    if ":" not in name:
        raise unknown_name("actor", name, [*ACTORS, *ENCODERS])
    made = load_code(name)
    if issubclass(made, Actor):
        return made(shape, settings, generator)
    return network_actor(shape, settings, generator, stacked(made))


def network_actor(
    shape: PopulationShape,
    settings: PopulationSettings,
    generator: torch.Generator,
    encoder: EncoderFactory,
) -> Actor:
    """Networks with trunks of that encoder, sharing weights as the settings say."""
    if settings.diversity is not None:
        return CommonActor(shape, settings, generator, encoder)
    return _BY_WEIGHTS[settings.weights](shape, settings, generator, encoder)
