"""Worlds that are not registered: `"package.module:Env"`, a class, or any function that makes an
environment."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.world_spec import WorldSpec
from mirrorenv.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from mirrorenv.envs.adapters.mirror_test import MirrorTest

__all__ = ["adhoc_batch", "adhoc_spec", "environment_arguments", "is_adhoc", "mirror_test_of"]

Source = str | Callable[..., Any]

UNKNOWN = (
    "unknown world: `mirrorenv audit` looks for what tells its agents apart; if nothing does, pass "
    "slot_exchangeable=True"
)
PADDED = "observations of different sizes are padded with zeros, and the padding names the agent"


def is_adhoc(id: Source) -> bool:
    """Whether `id` says itself how to make the world.

    Args:
        id: a registered id, `"package.module:Env"`, or what makes an environment.
    """
    return not isinstance(id, str) or ":" in id


def adhoc_spec(id: Source, options: Mapping[str, Any]) -> WorldSpec:
    """What is known of an unregistered world: nothing, unless `options` say
    `slot_exchangeable=True`.

    Args:
        id: `"package.module:Env"`, or what makes an environment.
        options: the arguments of the world.

    Raises:
        ConfigError: if the id does not name a module and something in it, or padded agents are
            called exchangeable.
    """
    if not isinstance(id, str):
        if not callable(id):
            raise ConfigError(
                f"a {type(id).__name__} cannot be copied: pass what makes it, for example "
                "make_batch(lambda: Env(), 64)"
            )
        id = f"{getattr(id, '__module__', '?')}:{getattr(id, '__qualname__', type(id).__name__)}"
    if not all(id.partition(":")):
        raise ConfigError(f"world '{id}' must look like 'package.module:Env'")
    trusted = bool(options.get("slot_exchangeable", False))
    padded = bool(options.get("pad", False))
    if trusted and padded:
        raise ConfigError(f"{id}: slot_exchangeable=True cannot hold with pad=True: {PADDED}")
    leaks = PADDED if padded else None if trusted else UNKNOWN
    return WorldSpec(id, id, slot_exchangeable=trusted, leaks=leaks, description="not registered")


def adhoc_batch(id: Source, num_envs: int, options: Mapping[str, Any]) -> ArrayWorld:
    """A batch of an unregistered world.

    Args:
        id: `"package.module:Env"` or what makes an environment: a `ParallelEnv` class, a
            function, or a class of our own :class:`~mirrorenv.envs.base.ArrayWorld`.
        num_envs: B, the number of copies.
        options: arguments of the environment, and those of
            :class:`~mirrorenv.envs.adapters.third_party.ThirdPartyWorld`; `horizon` reaches the
            environment as well if it takes it by that name. `env_kwargs` holds arguments of the
            environment that have the name of one of ours.

    Raises:
        ConfigError: if an argument is unknown or missing.
        WorldError: if it cannot be imported or made.
    """
    known = adhoc_spec(id, options)
    factory = id if callable(id) else known.load()
    rest = {name: value for name, value in options.items() if name != "slot_exchangeable"}
    if isinstance(factory, type) and issubclass(factory, ArrayWorld):
        _check_names(known.id, factory, rest, ())
        build: Callable[..., ArrayWorld] = factory
        return build(num_envs=num_envs, **rest)
    from mirrorenv.envs.adapters.third_party import ThirdPartyWorld

    arguments, ours = environment_arguments(known.id, factory, rest)
    return ThirdPartyWorld(factory, num_envs=num_envs, name=known.id, env_kwargs=arguments, **ours)


def mirror_test_of(id: Source, options: Mapping[str, Any]) -> MirrorTest | None:
    """What an unregistered world makes, if that is a mirror test: for trainers that play it as it
    is.

    Args:
        id: `"package.module:Env"`, or what makes an environment.
        options: its arguments.
    """
    if not is_adhoc(id):
        return None
    from mirrorenv.envs.adapters.mirror_test import MirrorTest

    make = id if callable(id) else adhoc_spec(id, options).load()
    if isinstance(make, type) and not issubclass(make, MirrorTest):
        return None
    try:
        made = make(**options)
    except Exception:  # whatever is wrong with it, `make_batch` says it better
        return None
    return made if isinstance(made, MirrorTest) else None


def environment_arguments(
    id: str, factory: Callable[..., Any], options: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of the environment, and those of
    :class:`~mirrorenv.envs.adapters.third_party.ThirdPartyWorld`.

    Args:
        id: the world, for messages.
        factory: makes the environment.
        options: arguments of both, by name.

    Returns:
        two dictionaries: the arguments of the environment, and ours.

    Raises:
        ConfigError: if an argument is unknown, or could be either's.
    """
    from mirrorenv.envs.adapters.third_party import OPTIONS

    rest = {name: value for name, value in options.items() if name != "slot_exchangeable"}
    ours = {name: rest.pop(name) for name in OPTIONS if name in rest}
    named = _named_parameters(factory)
    if "horizon" in ours and "horizon" in named:
        rest["horizon"] = ours["horizon"]
    for name in ours.keys() & named - {"horizon"}:
        raise ConfigError(
            f"{id}: the environment has an argument '{name}' and so has the batch: pass the "
            f"environment's as env_kwargs={{'{name}': ...}}"
        )
    rest |= ours.pop("env_kwargs", None) or {}
    _check_names(id, factory, rest, OPTIONS)
    return rest, ours


def _signature(factory: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(factory)
    except (TypeError, ValueError):  # built in: it says nothing
        return None


def _named_parameters(factory: Callable[..., Any]) -> set[str]:
    signature = _signature(factory)
    variable = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return (
        {n for n, p in signature.parameters.items() if p.kind not in variable}
        if signature
        else set()
    )


def _check_names(
    id: str, factory: Callable[..., Any], arguments: Mapping[str, Any], ours: tuple[str, ...]
) -> None:
    """An unknown argument is answered with the known ones."""
    signature = _signature(factory)
    if signature is None or any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values()):
        return
    for name in arguments:
        if name not in signature.parameters:
            settable = [p for p in signature.parameters if p != "num_envs"]
            raise ConfigError(f"{id}: {unknown_name('world argument', name, [*settable, *ours])}")
