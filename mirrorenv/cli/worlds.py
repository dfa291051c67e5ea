"""`mirrorenv worlds`: what can be trained in, checked and audited, and what can be set in it."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import Json, completed_worlds, console, print_json
from mirrorenv.terminal import PlainConsole

if TYPE_CHECKING:
    from mirrorenv.envs.world_spec import WorldSpec

__all__ = ["worlds"]


def worlds(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A world, to see its arguments.", autocompletion=completed_worlds, metavar="world"
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """List the registered worlds; with a name, what can be set in that world."""
    from mirrorenv.envs import full_id, registry, spec

    if name is not None:
        _print_arguments(spec(full_id(name)), as_json)
        return
    rows = [_row(known) for known in registry().values()]
    if as_json:
        print_json(rows)
        return
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    table.add_column("world", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("what it is")
    for row in rows:
        leaks = f" Leaks identity: {row['leaks']}." if row["leaks"] else ""
        table.add_row(row["id"], row["kind"], f"{row['description']}{leaks}")
    PlainConsole().print(table)


def _row(known: WorldSpec) -> dict[str, Any]:
    return {
        "id": known.id,
        "kind": known.kind,
        "leaks": known.leaks,
        "description": known.description,
    }


def _print_arguments(known: WorldSpec, as_json: bool) -> None:
    parameters = inspect.signature(known.load()).parameters.values()
    defaults = {
        one.name: known.kwargs.get(one.name, one.default)
        for one in parameters
        if one.name != "num_envs" and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    }
    if as_json:
        print_json({**_row(known), "arguments": defaults})
        return
    out = PlainConsole()
    out.print(f"{known.id}: {known.description}", soft_wrap=True)
    for name, default in defaults.items():
        out.print(f"  --set world_options.{name}={json.dumps(default)}", soft_wrap=True)
    next_steps.print_next(console, next_steps.train(known.id))
