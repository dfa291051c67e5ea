"""Checks of who owns which memory: shared arrays, arrays changed later, inputs changed, state
handed out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from mirrorenv.envs.checks.compare import arrays, difference
from mirrorenv.envs.checks.evidence import Evidence
from mirrorenv.envs.checks.findings import Seen
from mirrorenv.envs.checks.registry import check


@check(
    "input-mutated",
    remedy="Copy the actions before changing them: actions = dict(actions), np.array(action).",
)
def input_mutated(evidence: Evidence) -> Iterator[Seen]:
    """step() leaves the actions it is given as they are."""
    for turn in evidence.turns():
        if turn.number and (found := difference(turn.actions, turn.handed)):
            yield turn.seen(f"the actions were changed: {found}")


@check(
    "buffer-reused",
    remedy="Return a fresh array every time (array.copy()): callers that keep an episode keep "
    "these.",
)
def buffer_reused(evidence: Evidence) -> Iterator[Seen]:
    """What was returned does not change afterwards."""
    for turn in evidence.turns():
        raw = turn.raw if isinstance(turn.raw, tuple) else ()
        for name, part in zip(turn.names, raw, strict=False):
            if (
                name in turn.parts
                and name != "infos"
                and (found := difference(turn.parts[name], part))
            ):
                yield turn.seen(f"the {name} that it returned were changed by later calls: {found}")
                break


@check(
    "buffer-shared",
    remedy="Give every agent an array of its own: a caller that normalises one in place changes "
    "both.",
)
def buffer_shared(evidence: Evidence) -> Iterator[Seen]:
    """No two agents are shown the same memory."""
    for turn in evidence.turns():
        if turn.number > 2 or turn.raw is None or "observations" not in turn.parts:
            continue
        shown = {agent: list(arrays(value)) for agent, value in turn.raw[0].items()}
        for (one, mine), (other, theirs) in itertools.combinations(shown.items(), 2):
            if any(_share(a, b) for a in mine for b in theirs):
                yield turn.seen(f"its observation shares memory with that of '{other}'", one)
                break


def _share(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    return np.may_share_memory(one, other) and np.shares_memory(one, other)
