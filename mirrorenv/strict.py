"""Settings of a run: typed models that reject unknown keys, and how files and overrides become one.

Needs pydantic only, so that a configuration can be read and checked anywhere.
"""

from __future__ import annotations

import copy
import difflib
import json
import re
import stat
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from mirrorenv.described import close_settings, described
from mirrorenv.errors import ConfigError, disk_problem

__all__ = [
    "ExactModel",
    "RenamedModel",
    "StrictModel",
    "first_problem",
    "gather",
    "in_words",
    "merged",
    "parse_toml",
    "parse_yaml",
    "read_override",
    "read_settings_text",
]

_LONGEST = 16 << 20  # bytes of a file of settings
_STREAMS = ("/dev/fd/", "/dev/stdin", "/proc/self/fd/")  # what a shell hands over: --config <(...)
_LONGEST_YAML = 1 << 18  # letters: its parser takes some kilobyte for each value
_MOST_VALUES = 1_000_000
_DEEPEST = 60  # lists and tables inside each other
_LONG_KEY = re.compile(rf"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){{{_DEEPEST},}}")


class _Loader(yaml.SafeLoader):
    """Safe, and a key that is there twice is an error: YAML's own loader takes the last."""

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        names = Counter((key.tag, key.value) for key, _ in node.value if key.id == "scalar")
        names.pop(("tag:yaml.org,2002:merge", "<<"), None)
        if twice := [name for (_, name), count in names.items() if count > 1]:
            problem = f"the key {twice[0][:80]!a} is there twice"
            raise yaml.composer.ComposerError(None, None, problem, node.start_mark)
        return node


class StrictModel(BaseModel):
    """A settings model: immutable, finite, and an unknown key is an error instead of a silent
    typo."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    otherwise: ClassVar[str] = ""
    """What an unknown `{name}` among the outermost settings may be meant for, for messages."""

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
    return f"{place}: {in_words(found)}{given}"


_KINDS = {
    "a list belongs here, for example [1, 2]": ("tuple_type", "list_type", "set_type"),
    "a table of names and values belongs here": (
        "dict_type",
        "mapping_type",
        "model_type",
        "model_attributes_type",
    ),
}
_WORDS = {kind: said for said, kinds in _KINDS.items() for kind in kinds}


def in_words(problem: ErrorDetails) -> str:
    """What pydantic found wrong, without the names of Python's types.

    Args:
        problem: one of `ValidationError.errors()`.
    """
    return _WORDS.get(problem["type"], problem["msg"].removeprefix("Value error, "))


def gather(
    files: Iterable[str | Path],
    overrides: Iterable[str],
    given: Mapping[str, Any],
    example: str,
    as_read: Callable[[Path, dict[str, Any]], dict[str, Any]] = lambda path, values: values,
) -> dict[str, Any]:
    """One nested mapping: files in order, then what is given, then `a.b=c` overrides; what comes
    later wins.

    Args:
        files: TOML, YAML or JSON files.
        overrides: strings such as `"mirror.weight=0.5"`; values are read as YAML.
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


def merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values, changed by others; neither is touched.

    Args:
        base: what holds where `over` says nothing.
        over: what comes later and wins.
    """
    values = copy.deepcopy(dict(base))
    _merge(values, over)
    return values


def read_override(text: str, form: str, example: str) -> tuple[str, Any]:
    """Name and value of an option such as `--set mirror.weight=0.5`; values are read as YAML.

    Args:
        text: what was typed after `--set`.
        form: what it should look like, for messages.
        example: one that works, for messages.

    Raises:
        ConfigError: if it has no `=` or no name, or its value is not valid YAML.
    """
    name, equals, written = text.partition("=")
    if not equals or not name:
        raise ConfigError(f"--set {text!r}: write it as {form}, for example {example}")
    try:
        value = parse_yaml(written, f"--set {text!r}")
    except ConfigError as error:
        reason = str(error).partition("YAML")[2].strip(": ")
        raise ConfigError(
            f"--set {_short(repr(text))}: the value is not valid YAML ({reason}); quote text"
        ) from None
    _refuse_glued(value, text)
    return name.strip(), value


def _refuse_glued(value: Any, text: str) -> None:
    """YAML takes `{name:x}` for a name with a colon in it and no value."""
    if isinstance(value, Mapping):
        for name, held in value.items():
            if held is None and isinstance(name, str) and ":" in name.strip(":"):
                right = name.replace(":", ": ", 1)
                raise ConfigError(
                    f"--set {_short(repr(text))}: YAML wants a blank after the colon: {right}"
                )
            _refuse_glued(held, text)
    elif isinstance(value, list):
        for held in value:
            _refuse_glued(held, text)


def _override(text: str, example: str) -> dict[str, Any]:
    name, nested = read_override(text, "a.b=value", example)
    for part in reversed(name.split(".")):
        nested = {part: nested}
    return dict(nested)


def _read(path: Path) -> dict[str, Any]:
    text = read_settings_text(path)
    values = parse_toml(text, str(path)) if path.suffix == ".toml" else parse_yaml(text, str(path))
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds no settings: expected a table of names and values")
    return values


def read_settings_text(path: Path) -> str:
    """The text of a file of settings, a card or a suite.

    Raises:
        ConfigError: if it is missing, larger than any such file, or not UTF-8.
    """
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) and not str(path).startswith(_STREAMS):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a device or a pipe"
            raise ConfigError(f"{path} is {kind}, and a file belongs there")
        with path.open("rb") as file:
            data = file.read(_LONGEST + 1)
        if len(data) > _LONGEST:
            raise ConfigError(f"{path} is larger than {_LONGEST:,} bytes; no settings are")
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise ConfigError(f"{path} is saved as UTF-16; save it as UTF-8")
        return data.decode("utf-8-sig")  # with or without the mark some editors put before it
    except OSError as error:
        raise ConfigError(disk_problem(error, "read")) from None
    except ValueError as error:  # no UTF-8, or a name with a zero byte
        raise ConfigError(f"cannot read {str(path)!a}: {error}") from None


def parse_toml(text: str, place: str) -> dict[str, Any]:
    """A TOML document, from anybody.

    Args:
        text: its content.
        place: where it is from, for messages.

    Raises:
        ConfigError: if it is none, for whatever reason the parser has.
    """
    if _LONG_KEY.search(text):  # the parser's time and memory grow with the square of its parts
        raise ConfigError(f"{place}: no valid TOML: a key of more than {_DEEPEST} parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{place}: no valid TOML: nested too deeply") from None
    except (ValueError, ArithmeticError) as error:  # broken, or a date or number that is none
        raise ConfigError(f"{place}: no valid TOML: {_short(error)}") from None


def parse_yaml(text: str, place: str) -> Any:
    """A YAML document, from anybody; objects of Python are refused.

    Args:
        text: its content.
        place: where it is from, for messages.

    Raises:
        ConfigError: if it is none, for whatever reason the parser has.
    """
    if len(text) > _LONGEST_YAML:
        raise ConfigError(
            f"{place}: no valid YAML: {len(text):,} letters are more than any settings take; write "
            "it as TOML"
        )
    try:
        found = _Loader(text).get_single_data()
    except RecursionError:
        raise ConfigError(f"{place}: no valid YAML: nested too deeply") from None
    except yaml.YAMLError as error:
        reason = getattr(error, "problem", None) or error
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise ConfigError(f"{place}: no valid YAML{where}: {_short(reason)}") from None
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        # dates and numbers that are none, tags on what they do not fit
        raise ConfigError(f"{place}: no valid YAML: {_short(error)}") from None
    _refuse_circles(found, place)
    return found


def _refuse_circles(found: Any, place: str) -> None:
    """YAML can say that a list holds itself, and that a small text is a large tree."""
    left = [(found, 0)]
    seen = 0
    while left:
        value, depth = left.pop()
        seen += 1
        if depth > _DEEPEST or seen > _MOST_VALUES:
            raise ConfigError(
                f"{place}: no valid settings: nested too deeply, in a circle, or too many values"
            )
        parts = list(value.values()) if isinstance(value, dict) else value
        if isinstance(parts, list):
            left += [(part, depth + 1) for part in parts]


def _short(reason: object) -> str:
    text = " ".join(str(reason).split())  # YAML's comes in several lines
    return text if len(text) <= 300 else f"{text[:300]}..."


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
        return f"setting '{name}' = {_written(problem['input'])}: {in_words(problem)}"
    known = _fields_at(model, path[:-1])
    close = difflib.get_close_matches(path[-1], known, n=3, cutoff=0.6)
    close = [".".join([*path[:-1], one]) for one in close]
    hint = f" Did you mean {' or '.join(close)}?" if close else _elsewhere(model, path)
    return f"unknown setting '{name}'. Known here: {', '.join(known)}.{hint}"


def _elsewhere(model: type[BaseModel], path: list[str]) -> str:
    """Where else in the settings such a name stands, or what it may be instead."""
    names = [setting.name for section in described(model) for setting in section.settings]
    hint = close_settings(".".join(path), names)
    if hint or len(path) > 1 or not issubclass(model, StrictModel):
        return hint
    return f" {model.otherwise.format(name=path[0])}" if model.otherwise else ""


def _written(value: Any) -> str:
    """What was given, in short, as a file of settings would say it."""
    try:
        return _short(json.dumps(value, default=str))
    except (TypeError, ValueError, RecursionError):  # a key of YAML that JSON has no word for
        return f"a value that cannot be written ({type(value).__name__})"


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)
