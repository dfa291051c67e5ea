"""Settings of a run: typed models that reject unknown keys, and how files and overrides become one.

Needs pydantic only, so that a configuration can be read and checked anywhere.
"""

from __future__ import annotations

import difflib
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from mirrorenv.errors import ConfigError

__all__ = ["ExactModel", "RenamedModel", "StrictModel", "first_problem", "gather", "read_override"]


class StrictModel(BaseModel):
    """A settings model: immutable, finite, and an unknown key is an error instead of a silent
    typo."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @classmethod
    def checked(cls, values: Mapping[str, Any], place: str = "") -> Self:
        """The model made from plain values.

        Args:
            values: by setting, nested mappings for nested settings.
            place: dotted name of this model within the configuration, for messages.

        Raises:
            ConfigError: for an unknown setting (it names the known ones and the closest), a wrong
                type or a value out of range; one line for each problem.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise ConfigError(
                "\n".join(_problem(cls, problem, place) for problem in error.errors())
            ) from None


class RenamedModel(StrictModel):
    """A settings model some of whose settings had another name once."""

    renamed: ClassVar[Mapping[str, str]] = {}
    """Settings by the name they had once, and today's. Under the old one they are refused, with the
    new one named."""

    @model_validator(mode="before")
    @classmethod
    def _old_names(cls, values: Any) -> Any:
        for old, new in cls.renamed.items():
            if isinstance(values, Mapping) and old in values:
                raise PydanticCustomError(
                    "renamed", "'{old}' is called '{new}' now", {"old": old, "new": new}
                )
        return values


class ExactModel(StrictModel):
    """A settings model that converts nothing either: text is no number, a list is no tuple."""

    model_config = ConfigDict(strict=True)


def first_problem(error: ValidationError) -> str:
    """The first thing that pydantic found wrong, in one line: where, what, and what was given."""
    found = error.errors()[0]
    place = ".".join(str(part) for part in found["loc"]) or "settings"
    given = "" if found["type"] in ("missing", "value_error") else f", got {found['input']!r}"
    return f"{place}: {found['msg'].removeprefix('Value error, ')}{given}"


def gather(
    files: Iterable[str | Path],
    overrides: Iterable[str],
    given: Mapping[str, Any],
    example: str,
    as_read: Callable[[Path, dict[str, Any]], dict[str, Any]] = lambda path, values: values,
) -> dict[str, Any]:
    """One nested mapping: files in order, then what is given, then ``a.b=c`` overrides; what comes
    later wins.

    Args:
        files: TOML, YAML or JSON files.
        overrides: strings such as ``"mirror.weight=0.5"``; values are read as YAML.
        given: nested values, from Python or from other options.
        example: an override that works, for messages.
        as_read: what to make of a file's values, given its path; for files that older versions
            wrote.

    Raises:
        ConfigError: for a file or an override that cannot be read.
    """
    values: dict[str, Any] = {}
    for file in files:
        _merge(values, as_read(Path(file), _read(Path(file))))
    _merge(values, given)
    for override in overrides:
        _merge(values, _override(override, example))
    return values


def read_override(text: str, form: str, example: str) -> tuple[str, Any]:
    """Name and value of an option such as ``--set mirror.weight=0.5``; values are read as YAML.

    Args:
        text: what was typed after ``--set``.
        form: what it should look like, for messages.
        example: one that works, for messages.

    Raises:
        ConfigError: if it has no ``=`` or no name, or its value is not valid YAML.
    """
    name, equals, written = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {text!r}: write it as {form}, for example {example}")
    try:
        return name.strip(), yaml.safe_load(written)
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or "cannot be read"
        raise ConfigError(
            f"--set {text!r}: the value is not valid YAML ({reason}); quote text"
        ) from None


def _override(text: str, example: str) -> dict[str, Any]:
    name, nested = read_override(text, "a.b=value", example)
    for part in reversed(name.split(".")):
        nested = {part: nested}
    return dict(nested)


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the settings in {path}: {error}") from None
    try:
        values: Any = tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (tomllib.TOMLDecodeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())  # YAML's comes in several lines
        raise ConfigError(
            f"{path} is not valid {path.suffix.lstrip('.').upper() or 'YAML'}: {reason}"
        ) from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no settings: expected a table of names and values")
    return values


def _merge(into: dict[str, Any], new: Mapping[str, Any]) -> None:
    for key, value in new.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, Mapping) else value


def _problem(model: type[BaseModel], problem: Any, place: str) -> str:
    """What is wrong with one setting, by its dotted name."""
    path = [str(part) for part in problem["loc"]]
    name = ".".join([place, *path] if place else path)
    if problem["type"] == "renamed":
        old, new = (".".join(filter(None, (name, problem["ctx"][key]))) for key in ("old", "new"))
        return f"setting '{old}' is called '{new}' now: write that instead"
    if problem["type"] not in ("extra_forbidden", "invalid_key"):
        return f"setting '{name}' = {json.dumps(problem['input'], default=str)}: {problem['msg']}"
    known = _fields_at(model, path[:-1])
    close = difflib.get_close_matches(path[-1], known, n=3, cutoff=0.6)
    hint = f". Did you mean {' or '.join(close)}?" if close else ""
    return f"unknown setting '{name}'. Known here: {', '.join(known)}{hint}"


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
