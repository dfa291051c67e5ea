"""`mirrorenv settings`: what can be set in a run, a tournament or a tuning, and what it means."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from mirrorenv.cli._common import Json, print_json, say
from mirrorenv.described import Section, Setting, close_settings, described, find
from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.terminal import PlainConsole

__all__ = ["KINDS", "settings"]

_Parts = dict[str, list[Section]]
"""Sections by the title of where they are written; empty where that is the same for all."""


@dataclass(frozen=True)
class _Kind:
    """Settings of one kind of run.

    Attributes:
        typed: how one is changed.
        parts: makes the sections, which imports their models.
    """

    typed: str
    parts: Callable[[], _Parts]


def _train() -> _Parts:
    from mirrorenv.rllib.settings import RunSettings

    return {"": described(RunSettings)}


def _prefer() -> _Parts:
    from mirrorenv.preference.settings import PreferenceSettings

    return {"": described(PreferenceSettings)}


def _debate() -> _Parts:
    from mirrorenv.debate.cards import AgentCard
    from mirrorenv.debate.settings import DebateSettings
    from mirrorenv.debate.tournament import TournamentFile

    return {
        "Rules: --set NAME=VALUE, or the table [settings] of a tournament's file": described(
            DebateSettings
        ),
        "First lines of a tournament's file": described(TournamentFile),
        "An agent card, a file of its own": described(AgentCard),
    }


KINDS = {
    "train": _Kind("mirrorenv train WORLD --set NAME=VALUE", _train),
    "debate": _Kind("mirrorenv debate run FILE --set NAME=VALUE", _debate),
    "prefer": _Kind("mirrorenv prefer train --set NAME=VALUE", _prefer),
}
"""By the name of the command that they are of."""


def settings(
    kind: Annotated[
        str,
        typer.Argument(help=f"{', '.join(KINDS)}; or a name, which is looked for in all of them."),
    ] = "train",
    name: Annotated[
        str | None,
        typer.Argument(help="One setting (mirror.weight, or just weight) or a section (mirror)."),
    ] = None,
    as_json: Json = False,
) -> None:
    """List every setting with its type, range, default and meaning."""
    found = _found(kind, name)
    if as_json:
        print_json([row for of, parts in found.items() for row in _rows(of, parts)])
        return
    out = PlainConsole()
    for of, parts in found.items():
        for title, sections in parts.items():
            _print(out, title, sections)
        say(f"to change one    {KINDS[of].typed}")
    for other in KINDS:
        if other not in found:
            say(f"others           mirrorenv settings {other}")


def _found(kind: str, name: str | None) -> dict[str, _Parts]:
    """What is asked for, by kind of settings and title."""
    kinds = [kind]
    if kind not in KINDS and name is None:  # `mirrorenv settings mirror.weight`
        kinds = [*KINDS]
        name = kind
    if kinds[0] not in KINDS:
        raise unknown_name("kind of settings", kind, KINDS)
    every = {one: KINDS[one].parts() for one in kinds}
    if name is None:
        return every
    found = {}
    for of, parts in every.items():
        held = {title: find(sections, name) for title, sections in parts.items()}
        if kept := {title: sections for title, sections in held.items() if sections}:
            found[of] = kept
    if not found:
        names = [row["name"] for of, parts in every.items() for row in _rows(of, parts)]
        near = (
            close_settings(name, [*names, *KINDS])
            or f" 'mirrorenv settings {kinds[0]}' lists them all."
        )
        raise ConfigError(f"no setting of {' or '.join(kinds)} is called '{name}'.{near}")
    return found


def _rows(kind: str, parts: _Parts) -> list[dict[str, str]]:
    rows = []
    for title, sections in parts.items():
        for section in sections:
            rows += [
                {"kind": kind, "place": title, **setting.to_json()} for setting in section.settings
            ]
    return rows


def _print(out: PlainConsole, title: str, sections: Sequence[Section]) -> None:
    if title:
        out.print(f"{title}\n", style="bold underline")
    for section in sections:
        if section.name:
            out.print(section.name, style="bold", end="  ")
        out.print(section.about, style="italic")
        for setting in section.settings:
            _print_setting(out, setting)
        out.print()


def _print_setting(out: PlainConsole, setting: Setting) -> None:
    bounds = f", {setting.range}" if setting.range else ""
    out.print(f"  {setting.name}", style="bold cyan", end="")
    needed = setting.default == "required"
    default = setting.default if needed else f"default {setting.default}"
    out.print(f"  {setting.type}{bounds}; {default}", soft_wrap=True)
    for line in textwrap.wrap(setting.meaning, max(out.width - 6, 40)):
        out.print(f"      {line}", soft_wrap=True)
