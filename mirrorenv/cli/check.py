"""The command `mirrorenv check`: what is wrong with an environment, where, and what to do about
it."""

from __future__ import annotations

import json
import textwrap
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from mirrorenv.cli import next_steps
from mirrorenv.cli._common import (
    Json,
    MaybeWorldId,
    Quiet,
    WorldOptions,
    typed_arguments,
    world_arguments,
)
from mirrorenv.cli.waiting import Waiting
from mirrorenv.errors import ConfigError
from mirrorenv.terminal import PlainConsole

__all__ = ["check"]

_COLOURS = {"error": "bold red", "warning": "yellow", "note": "dim"}


def check(
    world: MaybeWorldId = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first recorded episode.")] = 0,
    episodes: Annotated[
        int, typer.Option(min=1, help="Episodes that are recorded; checks play more.")
    ] = 3,
    max_steps: Annotated[
        int, typer.Option(min=1, help="Steps of an episode that are played at most.")
    ] = 1000,
    step_seconds: Annotated[
        float, typer.Option(min=0.01, help="Seconds that a call may take.")
    ] = 10.0,
    options: WorldOptions = None,
    rules: Annotated[bool, typer.Option("--rules", help="List the checks instead.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Look for what is wrong with an environment before a training run finds out. Exit code 1 if
    there is an error."""
    from mirrorenv.envs import full_id
    from mirrorenv.envs.checks import CHECKS, Patience, check_environment

    if rules:
        _print_rules(CHECKS, as_json)
        return
    if world is None:
        raise typer.BadParameter(
            "name a world or package.module:Env, or pass --rules", param_hint="WORLD"
        )
    world = full_id(world)
    patience = Patience(max_steps=max_steps, step_seconds=step_seconds)
    arguments = _arguments(options)
    with Waiting(f"checking {world}") as status:
        report = check_environment(
            world,
            seed=seed,
            episodes=episodes,
            patience=patience,
            progress=lambda doing: status.update(f"checking {world}: {doing}"),
            **arguments,
        )
    words = [world, *typed_arguments(arguments)]
    typed = next_steps.typed_options(
        check, seed=seed, episodes=episodes, max_steps=max_steps, step_seconds=step_seconds
    )
    following = next_steps.pasted(
        ["mirrorenv", "audit", *words] if report.passed else ["mirrorenv", "check", *words, *typed]
    )
    if as_json:
        print(json.dumps({**report.to_json(), "next": following}, default=str))
    elif not quiet:
        _print_report(report, following)
    if not report.passed:
        raise typer.Exit(1)


def _arguments(given: list[str] | None) -> dict[str, Any]:
    """Arguments of the environment by name, none of which may be taken for one of the checker."""
    found = world_arguments(given)
    for name in ("seed", "episodes", "patience", "progress"):
        if name in found:
            raise ConfigError(
                f"--set {name}=...: pass the environment's {name} as env_kwargs={{{name}: ...}}"
            )
    return found


_NO_EARLY_END = (
    "not seen  an agent that ends before the others: what such an end must look like was not "
    "checked. If there are some, play more: --episodes, --seed"
)


def _print_report(report: Any, following: str) -> None:
    out = PlainConsole(soft_wrap=False)
    if report.findings:
        out.print(report.name, style="bold")
    for one in report.findings:
        times = f" ({one.times} times)" if one.times > 1 else ""
        severity = Text(f"{one.severity:<10}", _COLOURS[one.severity])
        out.print(severity + Text(f"{one.check}, {one.place}"), soft_wrap=True)
        for name, told in (("seen", one.seen + times), ("do", one.remedy)):
            _print_told(out, name, told)
    played = report.played
    if played is not None:
        out.print(
            f"played    {played.episodes} episodes, {played.steps} steps, "
            f"{played.microseconds:.0f} microseconds each; "
            f"{played.whole} to their end; {played.terminated} agents terminated, "
            f"{played.truncated} truncated, "
            f"{played.early} before the others, {played.mixed} mixed endings"
        )
        if not played.early:
            out.print(_NO_EARLY_END, soft_wrap=True)
    for opinion in report.opinions:
        verdict = {True: "passed", False: "failed", None: "not asked"}[opinion.passed]
        out.print(f"PettingZoo's {opinion.test}: {verdict}. {opinion.said}")
    for name, why in report.skipped.items():
        out.print(f"not run   {name}: {why}")
    found = {severity: len(report.of(severity)) for severity in _COLOURS}
    counts = ", ".join(
        f"{count} {severity}{'' if count == 1 else 's'}" for severity, count in found.items()
    )
    passed = Text("PASSED", "bold green") if report.passed else Text("FAILED", "bold red")
    out.print(passed, f"   {len(report.checks)} checks: {counts}")
    if not report.passed:
        out.print("Correct the errors, and check again.")
    next_steps.print_next(out, following)


def _print_told(out: PlainConsole, name: str, told: str) -> None:
    """Words wrapped behind their name, and a long one, such as a line of code, left whole."""
    width = max(out.width, 40)
    space = f"{'':<10}"
    for paragraph in told.splitlines():
        lines = textwrap.wrap(
            paragraph,
            width,
            initial_indent=f"  {name:<8}",
            subsequent_indent=space,
            break_long_words=False,
            break_on_hyphens=False,
        )
        out.print("\n".join(lines), soft_wrap=True)
        name = ""


def _print_rules(checks: Any, as_json: bool) -> None:
    rows = [
        {"check": one.name, "severity": one.severity, "rule": one.rule} for one in checks.values()
    ]
    if as_json:
        print(json.dumps({"checks": rows}))
        return
    table = Table("check", "severity", "the rule")
    for row in rows:
        table.add_row(row["check"], row["severity"], row["rule"])
    PlainConsole().print(table)
