"""The registry of worlds: versioned ids, typed metadata, and the two ways to make a world."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mirrorenv.envs.adhoc import adhoc_batch, adhoc_spec, is_adhoc
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.discovery import load_plugins, load_worlds
from mirrorenv.envs.typed_names import refuse_dotted, refuse_file
from mirrorenv.envs.world_spec import WORLDS, WorldSpec
from mirrorenv.errors import ConfigError, UnknownNameError, WorldError, unknown_name

if TYPE_CHECKING:
    from mirrorenv.envs.adapters.pettingzoo_face import PettingZooFace

__all__ = ["full_id", "make", "make_batch", "registry", "spec", "training_settings"]

LONGEST = 10**9
"""Steps of an episode."""


def registry() -> dict[str, WorldSpec]:
    """All known worlds by id, sorted; those of installed packages included."""
    load_worlds()
    load_plugins()
    return dict(sorted(WORLDS.items()))


def full_id(id: str) -> str:
    """What is meant on a command line: `ants-v0` is short for `mirrorenv/ants-v0`, anything
    else is itself.

    Args:
        id: as it was typed.

    Raises:
        ConfigError: for a file, or a class after a dot, in the place of a world; the message has
            the words to type.
    """
    if ":" in id:
        return id
    full = id if "/" in id else f"mirrorenv/{id}"
    load_worlds()
    if full not in WORLDS:
        refuse_file(id)
        refuse_dotted(id)
    return full


def spec(id: str | Callable[..., Any], **kwargs: Any) -> WorldSpec:
    """The specification of one world.

    Args:
        id: a registered id; or `"package.module:Env"` or what makes an environment: nothing is
            known of these, and their specification claims nothing.
        **kwargs: the arguments it will be made with. Of an unregistered world,
            `slot_exchangeable=True` says that nothing but the policies tells its agents apart; a
            registered world has said so itself.

    Raises:
        UnknownNameError: if no world has this id; the message proposes close ones.
        ConfigError: if an unregistered world is not named as `"package.module:Env"`.
    """
    if not isinstance(id, str) or is_adhoc(id):
        return adhoc_spec(id, kwargs)
    if id not in WORLDS:
        load_worlds()
    if id not in WORLDS:
        load_plugins()
    if id not in WORLDS:
        raise unknown_name("world", id, WORLDS)
    return WORLDS[id]


def training_settings(id: str) -> Mapping[str, Any]:
    """What a training run in a world begins with; nothing for a world that is not registered.

    Args:
        id: a registered id, or anything else.
    """
    if is_adhoc(id):
        return {}
    try:
        return spec(id).training
    except UnknownNameError:
        return {}  # said where the world is made


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

    The name is not Gymnasium's `make_vec`, because what comes back is no vector environment: it
    has an axis of agents behind that of copies, arrays in place of infos, one seed for each row and
    no reset of its own at the end of an episode (a finished row is frozen).

    Args:
        id: a registered id, e.g. `"mirrorenv/ants-v0"`; or any PettingZoo environment, as
            `"package.module:Env"` or as what makes one, e.g. `lambda: Env()`.
        num_envs: B, the number of copies.
        **kwargs: the world's own arguments; for a PettingZoo environment also those of
            :class:`~mirrorenv.envs.adapters.third_party.ThirdPartyWorld`, such as `horizon`.

    Returns:
        the world; its `spec` is what it was made from.

    Raises:
        UnknownNameError: if no world has this id.
        ConfigError: if an argument is unknown or out of range.
        WorldError: if the world is not an array world, or an environment cannot become one.
    """
    world: ArrayWorld
    known = spec(id, **kwargs)
    if not isinstance(id, str) or is_adhoc(id):
        world = adhoc_batch(id, num_envs, kwargs)
    elif known.kind == "array":
        world = _build(known, {**known.kwargs, **kwargs, "num_envs": num_envs})
    else:
        raise WorldError(f"world '{id}' is a {known.kind} world: it has no batch of arrays")
    if world.horizon > LONGEST:
        raise ConfigError(
            f"world '{id}': its episode is out of any range: it has at most {LONGEST:,} steps"
        )
    world.spec = _made_with(known, kwargs)
    return world


def _made_with(known: WorldSpec, kwargs: dict[str, Any]) -> WorldSpec:
    """The specification that a made world carries."""
    return replace(known, kwargs={**known.kwargs, **kwargs})


def make(
    id: str | Callable[..., Any], *, render_mode: str | None = None, **kwargs: Any
) -> PettingZooFace:
    """One copy of a world as a PettingZoo `ParallelEnv`: the same code as :func:`make_batch` with
    B = 1.

    Args:
        id: a registered id, or any PettingZoo environment, as in :func:`make_batch`.
        render_mode: `"rgb_array"`, `"human"` (a window; needs pygame) or None.
        **kwargs: the world's own arguments.

    Returns:
        the environment; its `spec` is what it was made from.

    Raises:
        UnknownNameError: if no world has this id.
        ConfigError: if an argument is unknown or out of range.
        MissingExtraError: if a window is asked for and pygame is not installed.
    """
    from mirrorenv.envs.adapters.pettingzoo_face import PettingZooFace

    known = spec(id, **kwargs)
    if known.kind == "text":  # it is a ParallelEnv already: texts have no batch of arrays
        env = _build(known, {**known.kwargs, "render_mode": render_mode, **kwargs})
        env.spec = _made_with(known, kwargs)
        return env  # type: ignore[no-any-return]
    if is_adhoc(id) and render_mode is not None:
        # such an environment draws itself, if asked to when it is made; a window is ours
        kwargs["render_mode"] = "rgb_array"
    return PettingZooFace(make_batch(id, 1, **kwargs), render_mode=render_mode, name=known.id)
