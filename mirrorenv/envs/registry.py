"""The registry of worlds: versioned ids, lazy entry points, typed metadata.

A package of its own adds worlds without touching this one: it declares a Python entry point in the
group ``mirrorenv.envs`` that names a module (whose import calls :func:`register`) or a function
(which is called).
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mirrorenv.envs.adhoc import adhoc_batch, adhoc_spec, is_adhoc
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.errors import ConfigError, WorldError, unknown_name

if TYPE_CHECKING:
    from mirrorenv.envs.adapters.pettingzoo_face import PettingZooFace

__all__ = [
    "WorldSpec",
    "broken_plugins",
    "full_id",
    "make",
    "make_batch",
    "register",
    "registry",
    "spec",
]

PLUGIN_GROUP = "mirrorenv.envs"
_ID = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+-v[0-9]+")


@dataclass(frozen=True)
class WorldSpec:
    """What the registry knows of a world without importing it.

    Attributes:
        id: ``"namespace/name-v0"``; the version rises when a result would change.
        entry_point: ``"package.module:Class"``, imported when the world is first made.
        kwargs: arguments of the entry point that differ from its defaults.
        kind: ``"array"`` worlds follow :class:`~mirrorenv.envs.base.ArrayWorld`; ``"text"`` worlds
            speak.
        simultaneous: all agents act in every step.
        team_reward: by default every agent receives the same reward.
        slot_exchangeable: relabelling the agents leaves the world's law unchanged, so that the
            exact limit holds.
        leaks: why an observer could tell agents apart that run one identical policy, or None if
            nothing is known to.
        description: one line.
        players: ``"package.module:PLAYERS"``, a mapping from the names of scripted teams to what
            makes one from a world (a policy in the sense of
            :data:`~mirrorenv.envs.episodes.Policy`), from the weakest to the best; or None.
    """

    id: str
    entry_point: str
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    kind: Literal["array", "text"] = "array"
    simultaneous: bool = True
    team_reward: bool = False
    slot_exchangeable: bool = True
    leaks: str | None = None
    description: str = ""
    players: str | None = None

    def load(self) -> Callable[..., Any]:
        """Import the entry point.

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
        except (ModuleNotFoundError, AttributeError) as error:
            raise WorldError(
                f"world '{self.id}': cannot load its {what} '{name}': {error}"
            ) from error


_WORLDS: dict[str, WorldSpec] = {}
_BROKEN: dict[str, str] = {}
_plugins_loaded = False


def register(
    id: str,
    entry_point: str,
    *,
    kwargs: Mapping[str, Any] | None = None,
    kind: Literal["array", "text"] = "array",
    simultaneous: bool = True,
    team_reward: bool = False,
    slot_exchangeable: bool = True,
    leaks: str | None = None,
    description: str = "",
    players: str | None = None,
) -> WorldSpec:
    """Add a world; the arguments are :class:`WorldSpec`'s. Registering the same specification twice
    is harmless.

    Raises:
        ConfigError: if the id or the entry point is malformed, or the id is taken by another
            specification.
    """
    if not _ID.fullmatch(id):
        raise ConfigError(f"world id '{id}' must look like 'namespace/name-v0'")
    if not all(entry_point.partition(":")):
        raise ConfigError(
            f"world '{id}': entry point '{entry_point}' must look like 'package.module:Class'"
        )
    if kind not in ("array", "text"):
        raise ConfigError(f"world '{id}': kind must be 'array' or 'text', got '{kind}'")
    claims = (kind, simultaneous, team_reward, slot_exchangeable, leaks, description, players)
    new = WorldSpec(id, entry_point, dict(kwargs or {}), *claims)
    if _WORLDS.setdefault(id, new) != new:
        raise ConfigError(
            f"world '{id}' is registered already, by '{_WORLDS[id].entry_point}': choose another "
            "name or version"
        )
    return new


def _load_plugins() -> None:
    """Let installed packages register their worlds, once; a broken one is reported and the rest go
    on."""
    global _plugins_loaded
    if _plugins_loaded:
        return
    _plugins_loaded = True
    for point in entry_points(group=PLUGIN_GROUP):
        try:
            loaded = point.load()
            if callable(loaded):
                loaded()
        # somebody else's code: anything may happen, and none of it may stop our worlds
        except Exception as error:
            reason = _BROKEN[point.name] = f"{type(error).__name__}: {error}"
            message = (
                f"the plugin '{point.name}' ({point.value}) of group '{PLUGIN_GROUP}' did not "
                f"load: {reason}"
            )
            warnings.warn(message, RuntimeWarning, stacklevel=3)


def broken_plugins() -> dict[str, str]:
    """Plugins that did not load, with the reason."""
    _load_plugins()
    return dict(_BROKEN)


def registry() -> dict[str, WorldSpec]:
    """All known worlds by id, sorted; plugins included."""
    _load_plugins()
    return dict(sorted(_WORLDS.items()))


def full_id(id: str) -> str:
    """What is meant on a command line: ``ants-v0`` is short for ``mirrorenv/ants-v0``, anything
    else is itself."""
    return id if "/" in id or ":" in id else f"mirrorenv/{id}"


def spec(id: str | Callable[..., Any], **kwargs: Any) -> WorldSpec:
    """The specification of one world.

    Args:
        id: a registered id; or ``"package.module:Env"`` or what makes an environment: nothing is
            known of these, and their specification claims nothing.
        **kwargs: the arguments it will be made with. Of an unregistered world,
            ``slot_exchangeable=True`` says that nothing but the policies tells its agents apart; a
            registered world has said so itself.

    Raises:
        UnknownNameError: if no world has this id; the message proposes close ones.
        ConfigError: if an unregistered world is not named as ``"package.module:Env"``.
    """
    if not isinstance(id, str) or is_adhoc(id):
        return adhoc_spec(id, kwargs)
    if id not in _WORLDS:
        _load_plugins()
    if id not in _WORLDS:
        raise unknown_name("world", id, _WORLDS)
    return _WORLDS[id]


def _build(known: WorldSpec, arguments: dict[str, Any]) -> Any:
    """Call the entry point, answering an unknown argument with the known ones and a wrong kind with
    the right one."""
    entry = known.load()
    parameters = inspect.signature(entry).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    for name, value in arguments.items():
        if name in parameters:
            _check_kind(known.id, name, value, parameters[name].annotation)
        elif not open_ended:
            settable = [p for p in parameters if p != "num_envs"]
            raise ConfigError(f"{known.id}: {unknown_name('world argument', name, settable)}")
    return entry(**arguments)


_KINDS: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((int, np.integer), "a whole number"),
    "float": ((int, float, np.integer, np.floating), "a number"),
    "bool": ((bool, np.bool_), "true or false"),
    "str": ((str,), "text"),
}


def _check_kind(world: str, name: str, value: Any, annotation: Any) -> None:
    """Hold an argument to a plain annotation; what is annotated otherwise is the world's own
    business."""
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    text, optional, _ = text.partition(" | None")
    if name == "num_envs" or text not in _KINDS or (optional and value is None):
        return
    kinds, words = _KINDS[text]
    if not isinstance(value, kinds) or (isinstance(value, bool) and text != "bool"):
        raise ConfigError(f"{world}: world argument '{name}' must be {words}, got {value!r}")


def make_batch(id: str | Callable[..., Any], num_envs: int, **kwargs: Any) -> ArrayWorld:
    """A batch of B independent copies of a world.

    Args:
        id: a registered id, e.g. ``"mirrorenv/ants-v0"``; or any PettingZoo environment, as
            ``"package.module:Env"`` or as what makes one, e.g. ``lambda: Env()``.
        num_envs: B, the number of copies.
        **kwargs: the world's own arguments; for a PettingZoo environment also those of
            :class:`~mirrorenv.envs.adapters.third_party.ThirdPartyWorld`, such as ``horizon``.

    Raises:
        UnknownNameError: if no world has this id.
        ConfigError: if an argument is unknown or out of range.
        WorldError: if the world is not an array world, or an environment cannot become one.
    """
    if not isinstance(id, str) or is_adhoc(id):
        return adhoc_batch(id, num_envs, kwargs)
    known = spec(id)
    if known.kind != "array":
        raise WorldError(f"world '{id}' is a {known.kind} world: it has no batch of arrays")
    world: ArrayWorld = _build(known, {**known.kwargs, **kwargs, "num_envs": num_envs})
    return world


def make(
    id: str | Callable[..., Any], *, render_mode: str | None = None, **kwargs: Any
) -> PettingZooFace:
    """One copy of a world as a PettingZoo ``ParallelEnv``: the same code as :func:`make_batch` with
    B = 1.

    Args:
        id: a registered id, or any PettingZoo environment, as in :func:`make_batch`.
        render_mode: ``"rgb_array"``, ``"human"`` (a window; needs pygame) or None.
        **kwargs: the world's own arguments.

    Raises:
        UnknownNameError: if no world has this id.
        ConfigError: if an argument is unknown or out of range.
        MissingExtraError: if a window is asked for and pygame is not installed.
    """
    from mirrorenv.envs.adapters.pettingzoo_face import PettingZooFace

    if isinstance(id, str) and not is_adhoc(id):
        # it is a ParallelEnv already: texts have no batch of arrays
        if (known := spec(id)).kind == "text":
            return _build(known, {**known.kwargs, "render_mode": render_mode, **kwargs})  # type: ignore[no-any-return]
        return PettingZooFace(make_batch(id, 1, **kwargs), render_mode=render_mode, name=id)
    # such an environment draws itself, if it is told so when it is made
    if render_mode is not None:
        kwargs["render_mode"] = "rgb_array"  # the window, if one is asked for, is ours
    return PettingZooFace(
        make_batch(id, 1, **kwargs), render_mode=render_mode, name=adhoc_spec(id, kwargs).id
    )
