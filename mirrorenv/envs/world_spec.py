"""What is known of a world before it is made: its specification, and the table of them all.

A world's own file calls :func:`register`. Finding those files is the business of
:mod:`mirrorenv.envs.discovery`, making worlds that of :mod:`mirrorenv.envs.registry`; both stand
above this module, so that a world imports nothing that imports worlds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from mirrorenv.envs.typed_names import is_module, meant_by
from mirrorenv.errors import ConfigError, WorldError

__all__ = ["WORLDS", "WorldSpec", "entry_point_of", "register"]

_ID = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+-v[0-9]+")


@dataclass(frozen=True)
class WorldSpec:
    """What the registry knows of a world without making it.

    A made world carries its specification as `spec`, with the arguments it was made with as
    `kwargs`: `make(env.spec.id, **env.spec.kwargs)` makes the same world again.

    Attributes:
        id: `"namespace/name-v0"`; the version rises when a result would change.
        entry_point: `"package.module:Class"`, imported when the world is first made.
        kwargs: arguments of the entry point that differ from its defaults.
        kind: `"array"` worlds follow :class:`~mirrorenv.envs.base.ArrayWorld`; `"text"` worlds
            speak.
        simultaneous: all agents act in every step.
        team_reward: by default every agent receives the same reward.
        deterministic: as it is registered, the seed decides nothing.
        slot_exchangeable: relabelling the agents leaves the distribution of episodes unchanged, so
            that the exact limit holds.
        leaks: why an observer could tell agents apart that run one identical policy, or None if
            nothing is known to.
        description: one line.
        players: `"package.module:PLAYERS"`, a mapping from the names of scripted teams to what
            makes one from a world (a policy in the sense of
            :data:`~mirrorenv.envs.episodes.Policy`), from the weakest to the best; or None.
        training: settings that a training run in this world begins with; files and options change
            them. Nested as they stand in a settings file.
    """

    id: str
    entry_point: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    kind: Literal["array", "text"] = "array"
    simultaneous: bool = True
    team_reward: bool = False
    deterministic: bool = False
    slot_exchangeable: bool = True
    leaks: str | None = None
    description: str = ""
    players: str | None = None
    training: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Callable[..., Any]:
        """Import the entry point.

        Returns:
            what makes the world: its class, or a function.

        Raises:
            WorldError: if module or attribute does not exist.
        """
        loaded: Callable[..., Any] = self._import("entry point", self.entry_point)
        return loaded

    def load_players(self) -> dict[str, Callable[[Any], Any]]:
        """The scripted teams by name, from the weakest to the best; empty if the world brings none.

        Raises:
            WorldError: if module or attribute does not exist.
        """
        return {} if self.players is None else dict(self._import("scripted players", self.players))

    def _import(self, what: str, name: str) -> Any:
        module, _, attribute = name.partition(":")
        try:
            return getattr(import_module(module), attribute)
        except (ModuleNotFoundError, AttributeError, TypeError, ValueError) as error:
            if isinstance(error, TypeError | ValueError) and is_module(module):
                raise  # the module's own mistake
            hint = meant_by(name) if self.id == name else ""  # typed by somebody
            raise WorldError(
                f"world '{self.id}': cannot load its {what} '{name}': {error}{hint}"
            ) from error


WORLDS: dict[str, WorldSpec] = {}
"""Every world registered so far in this process, by id."""


def register(
    id: str,
    entry_point: str | type[Any],
    *,
    kwargs: Mapping[str, Any] | None = None,
    kind: Literal["array", "text"] = "array",
    simultaneous: bool = True,
    team_reward: bool = False,
    deterministic: bool = False,
    slot_exchangeable: bool = True,
    leaks: str | None = None,
    description: str = "",
    players: str | None = None,
    training: Mapping[str, Any] | None = None,
) -> WorldSpec:
    """Add a world. Registering the same specification twice is harmless.

    Args:
        id: `"namespace/name-v0"`.
        entry_point: the world's class, or `"package.module:Class"` to import it late.
        kwargs: as the other arguments, an attribute of :class:`WorldSpec`.

    Returns:
        the specification.

    Raises:
        ConfigError: if the id or the entry point is malformed, the class cannot be imported by its
            name, or the id is taken by another specification.
    """
    if not _ID.fullmatch(id):
        raise ConfigError(f"world id '{id}' must look like 'namespace/name-v0'")
    if kind not in ("array", "text"):
        raise ConfigError(f"world '{id}': kind must be 'array' or 'text', got '{kind}'")
    new = WorldSpec(
        id=id,
        entry_point=entry_point_of(id, entry_point),
        kwargs=dict(kwargs or {}),
        kind=kind,
        simultaneous=simultaneous,
        team_reward=team_reward,
        deterministic=deterministic,
        slot_exchangeable=slot_exchangeable,
        leaks=leaks,
        description=description,
        players=players,
        training=dict(training or {}),
    )
    if WORLDS.setdefault(id, new) != new:
        raise ConfigError(
            f"world '{id}' is registered already, by '{WORLDS[id].entry_point}': choose another "
            "name or version"
        )
    return new


def entry_point_of(id: str, source: str | type[Any]) -> str:
    """Where a world's class is imported from.

    Args:
        id: the world, for the message.
        source: `"package.module:Class"`, or the class.

    Raises:
        ConfigError: if the text is malformed, or other processes could not import the class.
    """
    if isinstance(source, type):
        if "." in source.__qualname__:
            raise ConfigError(
                f"world '{id}': {source.__qualname__} is defined inside a function or a class, "
                "where no other process finds it: define it at the top level of a module"
            )
        return f"{source.__module__}:{source.__qualname__}"
    if not isinstance(source, str) or not all(source.partition(":")):
        raise ConfigError(
            f"world '{id}': entry point '{source}' must look like 'package.module:Class', or be "
            "the class"
        )
    return source
