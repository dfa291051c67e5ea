"""`mirrorenv audit`: can agents that all run one policy be told apart? Then the world leaks who
they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.table import Table

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import (
    Json,
    Quiet,
    WorldId,
    WorldOptions,
    print_json,
    typed_arguments,
    world_arguments,
)
from mirrorenv.cli.waiting import Waiting
from mirrorenv.terminal import PlainConsole

if TYPE_CHECKING:
    from mirrorenv.envs.audit import AuditReport

__all__ = ["audit"]


def audit(
    world: WorldId,
    overrides: WorldOptions = None,
    episodes: Annotated[
        int, typer.Option(min=32, help="Episodes for each of the two policies.")
    ] = 400,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of the first episode; the next ones follow.")
    ] = 0,
    alpha: Annotated[
        float, typer.Option(help="Probability of a false alarm anywhere in the audit, at most.")
    ] = 0.01,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Look for what tells agents apart besides their behaviour.

    Exit codes: 0 no leak found, 1 a leak (or the world failed), 2 wrong usage.
    """
    from mirrorenv.envs import full_id
    from mirrorenv.envs.audit import audit as run

    world = full_id(world)
    with Waiting(f"auditing {world}") as status:
        found = run(
            world,
            episodes=episodes,
            seed=seed,
            alpha=alpha,
            progress=lambda what: status.update(f"auditing {world}: {what}"),
            **world_arguments(overrides),
        )
    if as_json:
        print_json(found.to_json())
    elif not quiet:
        out = PlainConsole()
        out.print(table(found))
        again = next_steps.typed_options(audit, episodes=episodes, seed=seed, alpha=alpha)
        *lines, following = conclusion(found, again)
        for line in lines:
            out.print(line, markup=False, highlight=False, soft_wrap=True)
        next_steps.print_next(out, following)
    if found.leaks:
        raise typer.Exit(1)


def table(found: AuditReport) -> Table:
    """Every input in a line, with both probes."""
    from mirrorenv.envs.audit import HEADER

    shown = Table(
        *HEADER[1:],
        title=f"{found.world}: {len(found.agents)} agents, one policy for all",
        box=box.SIMPLE_HEAD,
        padding=(0, 0),
        pad_edge=False,
    )
    for column in shown.columns:
        column.no_wrap = True
    last = ""
    for policy, *row in found.rows():
        if policy != last:
            shown.add_row(f"-- {policy} policy", style="bold")
            last = policy
        style = {"LEAK": "bold red", "same for all": "dim"}.get(row[-1])
        shown.add_row(*row, style=style)
    return shown


def conclusion(found: AuditReport, options: Sequence[str] = ()) -> list[str]:
    """What the table means, and last the command to type next.

    Args:
        found: by the audit.
        options: that were typed, for the line that audits again.
    """
    lines = [found.power()]
    if found.columns_read < found.columns:
        lines.append(
            f"Observations are large: {found.columns_read} of {found.columns:,} columns were read."
        )
    again = " ".join([_command("audit", found), *options])
    if not found.leaks:
        trusted = {"slot_exchangeable": True} if ":" in found.world else {}
        lines.append("No leak found.")
        if trusted:
            lines.append(
                "slot_exchangeable=true below says so, and the report draws the exact limit; leave "
                "it out if"
            )
            lines.append("you know of something that tells agents apart.")
        return [*lines, _command("train", found, **trusted)]
    inputs = dict.fromkeys(result.input for result in found.results if result.leak)
    lines.append(f"LEAK: agents that all act alike can be told apart by: {'; '.join(inputs)}.")
    lines += _advice(found)
    lines.append("A recognition rate measured in this world as it is counts the leak as well.")
    return [*lines, "After the change, audit it again.", again]


def _advice(found: AuditReport) -> list[str]:
    """Which columns, and how to be rid of the leak."""
    carriers = found.carriers()
    if not carriers:
        return ["No column carries it alone; look at what the inputs above have in common."]
    named = ", ".join(carrier.column for carrier in carriers[:12]) + (
        ", ..." if len(carriers) > 12 else ""
    )
    if carriers[0].against is not None:
        return [
            f"columns that carry it together with others, of the same agent or of another: {named}",
            f"({carriers[0].column} with {carriers[0].against})",
            "What helps: list what is about the others in an order that names no agent (by "
            "distance, or",
            "shuffled again for each agent and episode), or drop these columns.",
        ]
    return [
        f"columns that carry it: {named}",
        "What helps: draw at every reset which agent starts where and who comes first; show no "
        "index and no place that",
        "an agent always has; or drop these columns. Where roles differ, audit one role: --set "
        "'world_options.agents=[...]'.",
    ]


def _command(name: str, found: AuditReport, **more: Any) -> str:
    words = typed_arguments({**found.arguments, **more})
    return next_steps.pasted(["mirrorenv", name, found.world, *words])
