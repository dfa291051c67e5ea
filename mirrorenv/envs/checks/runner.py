"""Runs all checks on one environment."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from mirrorenv.envs.checks.evidence import Evidence
from mirrorenv.envs.checks.findings import Finding, Report, Seen
from mirrorenv.envs.checks.registry import CHECKS, Check
from mirrorenv.envs.checks.second_opinion import second_opinions
from mirrorenv.envs.checks.session import Patience
from mirrorenv.envs.checks.subject import subject
from mirrorenv.errors import ConfigError

__all__ = ["check_environment"]

_ORDER = {"error": 0, "warning": 1, "note": 2}


def check_environment(
    source: str | Callable[..., Any],
    *,
    seed: int = 0,
    episodes: int = 3,
    patience: Patience | None = None,
    progress: Callable[[str], None] = lambda doing: None,
    **options: Any,
) -> Report:
    """Look for what is wrong with an environment before a training run finds out.

    Episodes are played with random legal actions, recorded whole, and looked at by every check of
    :data:`~mirrorenv.envs.checks.registry.CHECKS`; some checks play more. All follows from
    `seed`, but for the time of a step.

    Args:
        source: a registered id, `"package.module:Env"`, or what makes a PettingZoo
            `ParallelEnv`; AEC environments are converted if they say that they may be.
        seed: of the first recorded episode; the next ones follow.
        episodes: how many are recorded, at least 1.
        patience: how long to be patient.
        progress: called with what is being done, in words.
        **options: arguments of the environment, as for :func:`mirrorenv.make_batch`.

    Raises:
        UnknownNameError, ConfigError, WorldError: if there is no such environment, or it cannot be
            made.
    """
    if episodes < 1 or seed < 0:
        raise ConfigError(
            f"episodes must be at least 1 and seed at least 0, got {episodes} and {seed}"
        )
    tested = subject(source, options)
    patience = patience or Patience()
    evidence = Evidence(tested, [seed + i for i in range(episodes)], patience)
    if not evidence.undeclared:
        progress(f"playing {episodes} episodes")
        evidence.record()
    findings: list[Finding] = []
    skipped: dict[str, str] = {}
    for one in CHECKS.values():
        failed = {finding.check for finding in findings if finding.severity == "error"}
        unmet = [other for other in one.after if other in failed or other in skipped]
        if evidence.undeclared and one.name != "space-declared":
            unmet = ["space-declared"]
        if unmet:
            skipped[one.name] = f"cannot be answered before '{unmet[0]}' passes"
            continue
        progress(one.name)
        findings += _once(one, one.look(evidence))
    asked = bool(patience.opinion_seconds) and not evidence.undeclared
    progress("PettingZoo's own tests")
    return Report(
        name=tested.name,
        findings=tuple(sorted(findings, key=lambda finding: _ORDER[finding.severity])),
        checks=tuple(name for name in CHECKS if name not in skipped),
        skipped=skipped,
        played=evidence.played() if evidence.episodes else None,
        opinions=second_opinions(tested, patience.opinion_seconds) if asked else (),
    )


def _once(one: Check, sights: Iterable[Seen]) -> list[Finding]:
    """The first of all that a check has seen, with how many there are."""
    found: Finding | None = None
    for seen in sights:
        if found is None:
            agent = None if seen.agent is None else str(seen.agent)
            found = Finding(
                one.name, one.severity, seen.what, one.remedy, agent, seen.step, seen.seed
            )
        else:
            found = replace(found, times=found.times + 1)
    return [] if found is None else [found]
