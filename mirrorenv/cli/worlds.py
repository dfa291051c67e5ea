"""`mirrorenv worlds`: what can be trained in, checked and audited."""

from __future__ import annotations

from rich.table import Table

from mirrorenv.cli._common import Json, print_json
from mirrorenv.terminal import PlainConsole

__all__ = ["worlds"]


def worlds(as_json: Json = False) -> None:
    """List the registered worlds."""
    from mirrorenv.envs import registry

    rows = [
        {"id": spec.id, "kind": spec.kind, "leaks": spec.leaks, "description": spec.description}
        for spec in registry().values()
    ]
    if as_json:
        print_json(rows)
        return
    table = Table("world", "kind", "what it is", "leaks identity")
    for row in rows:
        table.add_row(row["id"], row["kind"], row["description"], row["leaks"] or "not known to")
    PlainConsole().print(table)
