"""The kind of agent that the settings name."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import torch

from mirrorenv.envs.discovery import modules_of_rooms
from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.population.actors.base import ACTORS, Actor, ActorFactory
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

__all__ = ["build_actor", "known_actors", "network_actor"]

_BY_WEIGHTS = {"separate": SeparateActor, "shared": shared_actor}


def known_actors() -> dict[str, ActorFactory]:
    """Every kind of agent by name: of the files of this folder, of the rooms that have a module
    `registered_actors`, and those that were registered otherwise."""
    package = import_module("mirrorenv.population.actors")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    for room in modules_of_rooms("registered_actors"):
        import_module(room)
    return dict(ACTORS)


def build_actor(
    shape: PopulationShape, settings: PopulationSettings, generator: torch.Generator
) -> Actor:
    """The kind of agent that `population.actor` names.

    That is a registered actor, of this room or of another; a registered encoder, or an
    `nn.Module` class at `package.module:Encoder`, inside a network actor; or an `Actor`
    class at `package.module:Actor`.

    Args:
        shape: what the world fixes.
        settings: what the user chose.
        generator: source of the initial weights.

    Raises:
        UnknownNameError: if nothing of that name is registered.
        ConfigError: if it cannot be imported, is not of either kind, is given options that it does
            not have, or does not obey the action masks of the world.
    """
    actor = _named(shape, settings, generator)
    if shape.mask_from is not None and not actor.obeys_masks:
        raise ConfigError(
            f"population.actor = {settings.actor!r}: this world has action masks, which this kind "
            "of agent does not obey. What works: mlp, gru or an encoder of your own; or, in an "
            "actor of your own, to give shape.allowed(observations) to the layout's distribution "
            "in step, sequence and replay, and obeys_masks = True"
        )
    return actor


def _named(
    shape: PopulationShape, settings: PopulationSettings, generator: torch.Generator
) -> Actor:
    """The kind of agent, made."""
    name = settings.actor
    if name not in ACTORS and name not in ENCODERS and ":" not in name:
        known_actors()  # looked for when somebody names what is not here: rooms cost their imports
    if name in ACTORS:
        _refuse_options(settings, ACTORS[name])
        return ACTORS[name](shape, settings, generator)
    if name in ENCODERS:
        _refuse_options(settings, None)
        return network_actor(shape, settings, generator, ENCODERS[name])
    if ":" not in name:
        raise unknown_name("actor", name, [*ACTORS, *ENCODERS])
    made = load_code(name)
    _refuse_options(settings, made)
    if issubclass(made, Actor):
        return made(shape, settings, generator)
    return network_actor(shape, settings, generator, stacked(made))


def _refuse_options(settings: PopulationSettings, made: object) -> None:
    """Options are for kinds of agents that have typed settings of their own."""
    if settings.actor_options and getattr(made, "Settings", None) is None:
        raise ConfigError(
            f"population.actor_options: the actor {settings.actor} has no settings of its own; "
            f"leave out {', '.join(settings.actor_options)}"
        )


def network_actor(
    shape: PopulationShape,
    settings: PopulationSettings,
    generator: torch.Generator,
    encoder: EncoderFactory,
) -> Actor:
    """Networks with trunks of that encoder, sharing weights as the settings say.

    Args:
        shape: of the world.
        settings: `weights` and `diversity` say who shares what.
        generator: source of the initial weights.
        encoder: makes a trunk.
    """
    if settings.diversity is not None:
        return CommonActor(shape, settings, generator, encoder)
    return _BY_WEIGHTS[settings.weights](shape, settings, generator, encoder)
