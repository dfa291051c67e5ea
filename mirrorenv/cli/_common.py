"""What the commands share: where they print, options of one meaning, values given by name."""

from __future__ import annotations

import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from mirrorenv.errors import ConfigError, require
from mirrorenv.named_code import name_code
from mirrorenv.strict import read_override
from mirrorenv.terminal import PlainConsole

__all__ = [
    "Code",
    "ConfigFiles",
    "Json",
    "Npz",
    "Overwrite",
    "Quiet",
    "World",
    "console",
    "name_all",
    "named_values",
    "print_json",
    "require_all",
    "say",
]

console = PlainConsole(stderr=True)
"""For people: progress, tables, what to do next. Standard output is for results."""

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line of standard output.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no tables.")]
ConfigFiles = Annotated[
    list[Path] | None, typer.Option("--config", "-c", help="TOML or YAML file; repeatable.")
]
Overwrite = Annotated[bool, typer.Option(help="Replace a run that is already in the folder.")]
World = Annotated[
    str | None,
    typer.Option(
        "--world", help="Its world, if that is package.module:Env: code is run only if named."
    ),
]
Code = Annotated[
    list[str] | None,
    typer.Option(
        "--code",
        help="Other code that it names and you trust, package.module:Name: an actor, a function. "
        "Repeatable.",
    ),
]
Npz = Annotated[bool, typer.Option("--npz", help="Tables as npz, also where pyarrow is installed.")]


def say(text: str, style: str | None = None) -> None:
    """A line for people, as it is: no markup is read in it and no line is broken."""
    console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)


def print_json(value: Any) -> None:
    """One line of JSON on standard output."""
    print(json.dumps(value))


def name_all(*typed: str | None, code: Iterable[str] | None = None) -> None:
    """Note code that was typed as named by the user; nothing else that a file names is imported.

    Args:
        *typed: worlds, None for one that was not given.
        code: what ``--code`` was given.
    """
    for name in (*typed, *(code or ())):
        name_code(name or "")


def named_values(given: Iterable[str] | None, example: str) -> dict[str, Any]:
    """``--set N=4`` as ``{"N": 4}``; values are read as YAML.

    Args:
        given: what was typed.
        example: one that works, for messages.

    Raises:
        ConfigError: if one is not of the form ``name=value``, or its value cannot be read.
    """
    found: dict[str, Any] = {}
    for text in given or ():
        name, value = read_override(text, "name=value", example)
        if not name.isidentifier():
            raise ConfigError(f"--set {text!r}: write it as name=value, for example {example}")
        found[name] = value
    return found


def require_all(extra: str, *modules: str) -> None:
    """Say at once which pip line brings what is missing.

    Args:
        extra: the extra of this package that brings them.
        *modules: import names.

    Raises:
        MissingExtraError: if one is not installed.
    """
    for module in modules:
        if not _is_installed(module):
            require(module, extra)  # says so


def _is_installed(module: str) -> bool:
    """Whether its package is there; looked for and not imported, which takes seconds."""
    try:
        return find_spec(module.partition(".")[0]) is not None
    except ModuleNotFoundError:
        return False
