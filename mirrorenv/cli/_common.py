"""What the commands share: where they print, options of one meaning, values given by name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from mirrorenv.errors import ConfigError, require
from mirrorenv.named_code import name_code
from mirrorenv.plain_text import in_one_line
from mirrorenv.strict import read_override
from mirrorenv.terminal import PlainConsole

__all__ = [
    "COMMON_DRAWS",
    "EPISODE_SEED",
    "Code",
    "ConfigFiles",
    "Instead",
    "Json",
    "MaybeWorldId",
    "Npz",
    "Overwrite",
    "Quiet",
    "World",
    "WorldId",
    "WorldOptions",
    "complain",
    "completed_worlds",
    "console",
    "ends_in",
    "errors",
    "hush",
    "name_all",
    "named_values",
    "print_json",
    "print_path",
    "require_all",
    "say",
    "say_places",
    "typed_arguments",
    "world_arguments",
    "written_to",
]

EPISODE_SEED = (
    "Seed of the held-out worlds and lineups, and of what agents draw, unless the run says "
    "evaluation.draws = common."
)
"""The help of `--seed` where trained agents play."""
COMMON_DRAWS = (
    "its run says evaluation.draws = common, or is older than that choice: agents draw the same "
    "under every --seed, which decides worlds and lineups only"
)
"""What is said where a run's held-out draws do not follow from the seed."""

_PREFIX = "world_options."

console = PlainConsole(stderr=True)
"""For people: progress, tables, what to do next. Standard output is for results."""
errors = PlainConsole(stderr=True)
"""For what went wrong, which is said under `--quiet` as well."""

Json = Annotated[
    bool, typer.Option("--json", help="Print one JSON object as the last line of standard output.")
]


def hush(quiet: bool) -> bool:
    """Let the console say nothing but errors, or let it speak again.

    Args:
        quiet: whether `--quiet` was given.
    """
    console.quiet = quiet
    return quiet


Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", callback=hush, help="No progress, no tables, no hints; errors are said."
    ),
]
ConfigFiles = Annotated[
    list[Path] | None, typer.Option("--config", "-c", help="TOML or YAML file; repeatable.")
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what is already in the folder.")
]


def completed_worlds() -> list[str]:
    """The registered worlds, for a shell that completes what is typed."""
    from mirrorenv.envs import registry

    return [id.removeprefix("mirrorenv/") for id in registry()]


_A_WORLD = typer.Argument(
    help="Id of a world (ants-v0, mirrorenv/pacmen-v0) or package.module:Env for any PettingZoo "
    "environment.",
    autocompletion=completed_worlds,
)
WorldId = Annotated[str, _A_WORLD]
MaybeWorldId = Annotated[str | None, _A_WORLD]
Instead = Annotated[Path | None, typer.Argument(hidden=True)]
"""Where `--out` once stood without its name."""
WorldOptions = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "-s",
        help="An argument of the world: world_options.num_agents=3, as for mirrorenv train, or "
        "just num_agents=3. Repeatable.",
    ),
]
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


def complain(text: str) -> None:
    """A line on what went wrong, as it is; said under `--quiet` as well."""
    errors.print(text, style="bold red", soft_wrap=True)


def print_json(value: Any) -> None:
    """One line of JSON on standard output."""
    print(json.dumps(value))


def print_path(path: Path) -> None:
    """A path that a command made, as the last line of standard output; `--json` has it as it is."""
    print(in_one_line(path))


def say_places(**places: Path) -> None:
    """Where things lie, one a line.

    Args:
        **places: by what lies there, with `_` for blanks.
    """
    for name, place in places.items():
        say(f"{name.replace('_', ' '):<12}{in_one_line(place)}")


def ends_in(path: Path, ending: str, option: str) -> None:
    """Refuse a file whose name says that it is of another kind than what is written to it.

    Args:
        path: of the file.
        ending: with its dot.
        option: that gave the path, for the message.

    Raises:
        ConfigError: if the name ends in another way.
    """
    if path.suffix.lower() != ending:
        meant = in_one_line(path.with_suffix(ending)) if path.name else f"NAME{ending}"
        raise ConfigError(f"{option} {in_one_line(path)}: its name must end in {ending}: {meant}")


def name_all(*typed: str | None, code: Iterable[str] | None = None) -> None:
    """Note code that was typed as named by the user; nothing else that a file names is imported.

    Args:
        *typed: worlds, None for one that was not given.
        code: what `--code` was given.
    """
    for name in (*typed, *(code or ())):
        name_code(name or "")


def named_values(given: Iterable[str] | None, example: str) -> dict[str, Any]:
    """`--set N=4` as `{"N": 4}`; values are read as YAML.

    Args:
        given: what was typed.
        example: one that works, for messages.

    Raises:
        ConfigError: if one is not of the form `name=value`, or its value cannot be read.
    """
    found: dict[str, Any] = {}
    for text in given or ():
        name, value = read_override(text, "name=value", example)
        if not name.isidentifier():
            raise ConfigError(f"--set {text!r}: write it as name=value, for example {example}")
        found[name] = value
    return found


def world_arguments(given: Iterable[str] | None) -> dict[str, Any]:
    """`--set world_options.N=4`, or `--set N=4`, as `{"N": 4}`.

    Args:
        given: what was typed.

    Raises:
        ConfigError: if one is not of this form, or its value cannot be read.
    """
    short = [text.removeprefix(_PREFIX) for text in given or ()]
    return named_values(short, "world_options.num_agents=3")


def typed_arguments(arguments: Mapping[str, Any]) -> list[str]:
    """Arguments of a world as words of a command line.

    Args:
        arguments: by name.
    """
    words = []
    for name, value in arguments.items():
        words += ["--set", f"{_PREFIX}{name}={json.dumps(value)}"]
    return words


def written_to(out: Path | None, instead: Path | None, default: Path) -> Path:
    """Where a command writes.

    Args:
        out: what `--out` was given.
        instead: the same as a bare word, its old spelling.
        default: if neither was given.

    Raises:
        BadParameter: if both were.
    """
    if out is not None and instead is not None:
        raise typer.BadParameter(f"--out {out} and {instead} are two places: give one of them")
    return out or instead or default


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
