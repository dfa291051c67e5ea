"""Observers by name: trained heads under `population.observer.head`, baselines in evaluations.

A file of this folder that decorates its class is found by itself. A head of your own is registered
the same way before it is named, or named as `package.module:Class`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

import torch

from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.population.observers.base import Head
from mirrorenv.population.settings import ObserverSettings, PopulationShape

if TYPE_CHECKING:
    from mirrorenv.population.observers.baselines.base import Baseline

__all__ = [
    "BASELINES",
    "HEADS",
    "build_head",
    "check_observers",
    "check_reads_neighbourhoods",
    "find_head",
    "register_baseline",
    "register_head",
]

HeadClass = type[Head]
"""Called with the shape, the settings, the width of the actors' trunk and the generator of the
initial weights."""

HEADS: dict[str, HeadClass] = {}
"""Trained observers."""

BASELINES: dict[str, Callable[[], Baseline]] = {}
"""Observers that are fitted to labelled past episodes, no part of the population."""


def register_head(name: str) -> Callable[[HeadClass], HeadClass]:
    """Class decorator: make a head available under `population.observer.head = name`."""

    def add(made: HeadClass) -> HeadClass:
        HEADS[name] = made
        return made

    return add


def register_baseline(name: str) -> Callable[[type[Baseline]], type[Baseline]]:
    """Class decorator: make a baseline known to evaluations under this name."""

    def add(made: type[Baseline]) -> type[Baseline]:
        BASELINES[name] = made
        return made

    return add


def find_head(name: str) -> HeadClass:
    """The class behind `population.observer.head`.

    Args:
        name: registered, or `package.module:Class`, which is imported: name only code you trust.

    Raises:
        UnknownNameError: if no head of that name is registered.
        ConfigError: if the class cannot be imported, or is no head.
    """
    if ":" not in name:
        if name not in HEADS:
            raise unknown_name("observer head", name, HEADS)
        return HEADS[name]
    module, _, attribute = name.partition(":")
    try:
        made = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"the observer head {name} cannot be imported: {error}. Give package.module:Class of "
            "an importable module, or a registered name"
        ) from error
    if not (isinstance(made, type) and issubclass(made, Head)):
        raise ConfigError(f"{name} is no subclass of mirrorenv.population.observers.Head")
    return made


def build_head(
    shape: PopulationShape, settings: ObserverSettings, trunk_width: int, generator: torch.Generator
) -> Head:
    """The head named in the settings.

    Args:
        shape: what the world fixes.
        settings: what the user chose.
        trunk_width: H of the actors' trunk, for observers that read through it.
        generator: source of the initial weights.

    Raises:
        UnknownNameError: if no head of that name is registered.
        ConfigError: if it cannot read what the settings let it read.
    """
    check_observers(settings)
    return find_head(settings.head)(shape, settings, trunk_width, generator)


def check_observers(settings: ObserverSettings) -> None:
    """Whether observers made like this can read what the settings let them read.

    Raises:
        UnknownNameError: if no head of that name is registered.
        ConfigError: if the head cannot read a part of a trajectory, or neighbourhoods.
    """
    if settings.reads != "both" and find_head(settings.head).needs_own:
        able = [name for name, made in HEADS.items() if not made.needs_own]
        raise ConfigError(
            f"population.observer.reads = {settings.reads!r} needs a head of its own "
            f"({', '.join(able)}); head {settings.head!r} reads with a policy, which sees all of a "
            "trajectory"
        )
    if settings.neighbours:
        check_reads_neighbourhoods(settings)


def check_reads_neighbourhoods(settings: ObserverSettings) -> None:
    """Whether observers made like this can be shown a lineup of their own each.

    Raises:
        UnknownNameError: if no head of that name is registered.
        ConfigError: if the head needs whole lineups, or reads with the policies' trunks.
    """
    if find_head(settings.head).own_lineups and settings.trunk == "separate":
        return
    able = [name for name, made in HEADS.items() if made.own_lineups]
    raise ConfigError(
        f"the head '{settings.head}' with trunk '{settings.trunk}' cannot read neighbourhoods; use "
        f"head {' or '.join(map(repr, able))} with trunk 'separate'"
    )
