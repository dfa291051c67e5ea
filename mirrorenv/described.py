"""Settings models as rows for people: name, kind of value, range, default, meaning.

What is printed by `mirrorenv settings` and stands on the page of settings comes from here, and so
from the models' own docstrings.
"""

from __future__ import annotations

import difflib
import inspect
import json
import types
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["Section", "Setting", "close_settings", "described", "find"]


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes:
        name: dotted, as it is typed after `--set`.
        type: what kind of value it takes, in words; choices stand in quotes.
        range: bounds of the value or of its length; empty for none.
        default: as it would be typed, `required`, or `not set`.
        meaning: one paragraph.
    """

    name: str
    type: str
    range: str
    default: str
    meaning: str

    def to_json(self) -> dict[str, str]:
        """By column."""
        return asdict(self)


@dataclass(frozen=True)
class Section:
    """The settings of one model.

    Attributes:
        name: dotted prefix of its settings without the last dot; empty for the outermost.
        about: first paragraph of the model's docstring.
        settings: in the order of the model.
    """

    name: str
    about: str
    settings: tuple[Setting, ...]


def described(model: type[BaseModel], name: str = "") -> list[Section]:
    """Every setting of a model and of the models inside it.

    Args:
        model: the settings.
        name: dotted prefix.

    Returns:
        the model's own settings first, then one section for each model inside it; that of a list
        ends in `[]`.
    """
    prefix = f"{name}." if name else ""
    rows: list[Setting] = []
    inner: list[Section] = []
    for field_name, field in model.model_fields.items():
        nested = _model_in(field.annotation)
        dotted = f"{prefix}{field_name}"
        if nested is not None:
            listed = get_origin(field.annotation) is tuple
            inner += described(nested, f"{dotted}[]" if listed else dotted)
            if not listed:
                continue
        rows.append(_setting(dotted, field))
    about = " ".join((inspect.getdoc(model) or "").partition("\n\n")[0].split())
    return [Section(name, about, tuple(rows)), *inner]


def find(sections: Iterable[Section], wanted: str) -> list[Section]:
    """The sections, with those settings only that a name means; empty if it means none.

    Args:
        sections: to look in.
        wanted: a setting's full name, else a section's name, else the last part of names.
    """
    sections = list(sections)
    for fits in (_is_full_name, _is_in_section, _is_last_part):
        found = [_only(section, wanted, fits) for section in sections]
        if any(section.settings for section in found):
            return [section for section in found if section.settings]
    return []


def close_settings(wanted: str, names: Iterable[str]) -> str:
    """A space and "Did you mean a or b?", by whole names and by their last parts.

    Nothing where none is close.

    Args:
        wanted: as it was typed.
        names: dotted names of settings.
    """
    names = list(names)
    close = difflib.get_close_matches(wanted, names, n=3, cutoff=0.7)
    last = {name.rpartition(".")[2]: name for name in reversed(names)}
    typed = wanted.rpartition(".")[2]
    close += [last[one] for one in difflib.get_close_matches(typed, last, n=3, cutoff=0.7)]
    close = list(dict.fromkeys(close))[:3]
    return f" Did you mean {' or '.join(close)}?" if close else ""


def _is_full_name(name: str, wanted: str) -> bool:
    return name == wanted


def _is_in_section(name: str, wanted: str) -> bool:
    return name.startswith((f"{wanted}.", f"{wanted}[]."))


def _is_last_part(name: str, wanted: str) -> bool:
    return name.rpartition(".")[2] == wanted


def _only(section: Section, wanted: str, fits: Callable[[str, str], bool]) -> Section:
    rows = tuple(setting for setting in section.settings if fits(setting.name, wanted))
    return Section(section.name, section.about, rows)


def _model_in(kind: Any) -> type[BaseModel] | None:
    """The model that a setting holds: itself, one or none, or a list of them."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind
    origin = get_origin(kind)
    if origin in (Union, types.UnionType, tuple):
        parts = [part for part in get_args(kind) if part not in (type(None), ...)]
        return _model_in(parts[0]) if len(parts) == 1 else None
    return None


def _setting(name: str, field: FieldInfo) -> Setting:
    return Setting(
        name=name,
        type=_words(field.annotation),
        range=_range(field.metadata),
        default=_default(field),
        meaning=" ".join((field.description or "").split()),
    )


_PLAIN = {
    int: "whole number",
    float: "number",
    bool: "true or false",
    str: "text",
    type(None): "not set",
    dict: "table",
}


def _words(kind: Any) -> str:
    """What kind of value a type means."""
    if kind in _PLAIN:
        return _PLAIN[kind]
    origin = get_origin(kind)
    parts = get_args(kind)
    if origin is Literal:
        return ", ".join(f'"{choice}"' for choice in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(_words(part) for part in parts)
    if origin is dict:
        return "table"
    if origin in (tuple, list):
        inner = _words(parts[0])
        return f"list of {_plural(inner)}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "table"
    return "any value"


def _plural(words: str) -> str:
    if words.startswith("list of"):
        return words.replace("list", "lists", 1)
    if words.startswith('"'):
        return words
    return words if words.endswith("s") or words == "text" else f"{words}s"


_BOUNDS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))
_LENGTHS = (("min_length", "at least"), ("max_length", "at most"))


def _range(limits: Iterable[Any]) -> str:
    parts = []
    for limit in limits:
        for attribute, sign in _BOUNDS:
            if (bound := getattr(limit, attribute, None)) is not None:
                parts.append(f"{sign} {bound}")
        for attribute, words in _LENGTHS:
            if (bound := getattr(limit, attribute, None)) is not None:
                parts.append(f"length {words} {bound}")
        if (pattern := getattr(limit, "pattern", None)) is not None:
            parts.append(f"matching {pattern}")
    return ", ".join(parts)


def _default(field: FieldInfo) -> str:
    """As it would stand in a settings file."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None:
        return "not set"
    if isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        return f"{len(value)} entries: " + ", ".join(str(one.name) for one in value)
    return json.dumps(value, ensure_ascii=False)
