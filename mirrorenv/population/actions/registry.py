"""Forms of action by kind: which one a world has, and which one plain data describes.

A file of this folder that decorates its class is found by itself. A form of your own is registered
the same way where its world is, before that is made or a checkpoint of it is opened; an installed
package does so in the module of its entry point `mirrorenv.envs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BeforeValidator, SerializeAsAny, ValidationError
from pydantic_core import PydanticCustomError

from mirrorenv.envs.discovery import load_plugins
from mirrorenv.errors import ConfigError, WorldError
from mirrorenv.population.actions.base import ActionLayout
from mirrorenv.strict import first_problem

if TYPE_CHECKING:
    from gymnasium import spaces

__all__ = ["AnyLayout", "known_layouts", "layout_of", "register_layout"]

_LAYOUTS: dict[str, type[ActionLayout]] = {}
Layout = TypeVar("Layout", bound=ActionLayout)


def register_layout(layout: type[Layout]) -> type[Layout]:
    """Class decorator: make a form of action known under its `kind`, and find it for spaces.

    Args:
        layout: a subclass of `ActionLayout` with a default for `kind` and with `of_space`.

    Raises:
        ConfigError: if it has no kind, or another class has the same one.
    """
    kind = layout.model_fields["kind"].default
    if not isinstance(kind, str):
        raise ConfigError(
            f'{layout.__name__} has no kind: write kind: Literal["name"] = "name" in it'
        )
    taken = _LAYOUTS.get(kind)
    if taken is not None and taken.__qualname__ != layout.__qualname__:
        raise ConfigError(
            f"{layout.__name__}: the kind '{kind}' is that of {taken.__name__}; take another"
        )
    _LAYOUTS[kind] = layout
    return layout


def known_layouts() -> dict[str, type[ActionLayout]]:
    """Every registered form by kind, in the order of registration."""
    package = import_module("mirrorenv.population.actions")
    for module in iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return dict(_LAYOUTS)


def layout_of(space: spaces.Space[Any]) -> ActionLayout:
    """The layout of a world's actions: of the form that says so, the last registered asked first.

    Args:
        space: Discrete or MultiDiscrete from 0 on, MultiBinary, a one-dimensional Box with the same
            finite bounds for every entry, or a Dict or Tuple of these; and what forms registered
            from outside are for.

    Raises:
        WorldError: for any other space.
    """
    for form in reversed(known_layouts().values()):
        found = form.of_space(space)
        if found is not None:
            return found
    raise WorldError(
        f"action space {space} is not supported. Use Discrete or MultiDiscrete from 0 on, "
        "MultiBinary, a one-dimensional Box with the same finite bounds for every entry, or a Dict "
        "or Tuple of these, or register a form of your own "
        "(mirrorenv.population.actions.register_layout)"
    )


def _of_its_kind(value: Any) -> Any:
    """Plain data as a layout of the kind that it names."""
    if not isinstance(value, Mapping):
        return value
    kind = value.get("kind")
    if kind not in known_layouts():
        load_plugins()
    form = known_layouts().get(kind) if isinstance(kind, str) else None
    if form is None:
        raise PydanticCustomError(
            "layout",
            "no form of action has the kind {kind}; known are {known}. If its world brings it, "
            "import the world's module first",
            {"kind": repr(kind), "known": ", ".join(known_layouts())},
        )
    try:
        return form.model_validate(value)
    except ValidationError as error:
        raise PydanticCustomError(
            "layout", "{problem}", {"problem": f"{kind}: {first_problem(error)}"}
        ) from None


AnyLayout = Annotated[SerializeAsAny[ActionLayout], BeforeValidator(_of_its_kind)]
"""A layout of any registered form, as a field of settings."""
