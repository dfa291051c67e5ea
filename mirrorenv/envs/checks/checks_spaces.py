"""Checks of what is declared and what is shown: spaces, shapes, types, ranges."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.base import AgentId, Space
from mirrorenv.envs.checks.compare import Summary, leaves
from mirrorenv.envs.checks.evidence import Evidence
from mirrorenv.envs.checks.findings import Seen
from mirrorenv.envs.checks.registry import check
from mirrorenv.envs.checks.session import Turn
from mirrorenv.mirror.arrays import AnyArray, Bools

__all__ = ["boxes"]


@check(
    "space-declared",
    remedy="Let observation_space(agent) and action_space(agent) return a gymnasium space for "
    "every possible agent.",
)
def space_declared(evidence: Evidence) -> Iterator[Seen]:
    """Every possible agent has an observation space and an action space."""
    for (kind, agent), why in evidence.undeclared.items():
        yield Seen(f"{kind}(agent) {why}", agent)


@check("action-sample", remedy="Correct sample() or contains() of the action space.")
def action_sample(evidence: Evidence) -> Iterator[Seen]:
    """What an action space samples belongs to it."""
    for turn in evidence.turns():
        for agent, action in turn.actions.items():
            if not evidence.action_spaces[agent].contains(action):
                yield turn.seen(
                    f"sampled {action!r}, which is not in {evidence.action_spaces[agent]}", agent
                )


@check(
    "space-constant",
    remedy="Make each space once, in __init__, and return the same object every time: code that "
    "seeds or compares a space relies on it.",
)
def space_constant(evidence: Evidence) -> Iterator[Seen]:
    """A space is one object that never changes."""
    for kind, declared in (
        ("observation", evidence.observation_spaces),
        ("action", evidence.action_spaces),
    ):
        for agent, first in declared.items():
            again = getattr(evidence.env, f"{kind}_space")(agent)
            if again != first:
                yield Seen(f"the {kind} space was {first} and is now {again}", agent)
            elif again is not first:
                yield Seen(f"{kind}_space(agent) returns another object every time", agent)


@check(
    "observation-structure",
    remedy="Return what the declared space contains: its keys, its length, its choices; or declare "
    "another space.",
)
def observation_structure(evidence: Evidence) -> Iterator[Seen]:
    """Observations have the keys, lengths and choices that their spaces declare."""
    for turn, agent, space, value, where in _leaves(evidence):
        if not isinstance(space, spaces.Box) and not _contains(space, value):
            yield turn.seen(f"observation{where} {_short(value)} does not belong to {space}", agent)


@check(
    "observation-shape",
    remedy="Return arrays of the declared shape, or declare the shape that is returned.",
)
def observation_shape(evidence: Evidence) -> Iterator[Seen]:
    """Observations have the shape of their Box."""
    for turn, agent, space, value, where in _leaves(evidence):
        if isinstance(space, spaces.Box) and _shape(value) != space.shape:
            yield turn.seen(
                f"observation{where} has shape {_shape(value)} instead of {space.shape}", agent
            )


@check(
    "observation-dtype",
    remedy="Cast before returning, e.g. np.asarray(observation, "
    "self.observation_space(agent).dtype), or declare the dtype that is returned.",
)
def observation_dtype(evidence: Evidence) -> Iterator[Seen]:
    """Observations are arrays whose dtype fits their Box without loss."""
    for turn, agent, space, value, where in _leaves(evidence):
        if not isinstance(space, spaces.Box):
            continue
        if not isinstance(value, np.ndarray | np.generic | Summary):
            yield turn.seen(f"observation{where} is a {type(value).__name__}, not an array", agent)
        elif not np.can_cast(value.dtype, space.dtype or np.float32):
            yield turn.seen(
                f"observation{where} has dtype {value.dtype} instead of {space.dtype}", agent
            )


@check("observation-finite", remedy="Guard the division, root or logarithm that it comes from.")
def observation_finite(evidence: Evidence) -> Iterator[Seen]:
    """Observations hold neither NaN nor infinity."""
    for turn, agent, _, value, where in boxes(evidence):
        if not np.isfinite(value).all():
            yield turn.seen(f"observation{where}{_first(~np.isfinite(value), value)}", agent)


@check(
    "observation-range",
    remedy="Clip or scale the observation, or declare the bounds that it really has.",
)
def observation_range(evidence: Evidence) -> Iterator[Seen]:
    """Finite observations lie between the bounds of their Box."""
    for turn, agent, space, value, where in boxes(evidence):
        outside = np.isfinite(value) & ((value < space.low) | (value > space.high))
        if outside.any():
            spot = tuple(np.argwhere(outside)[0])
            bounds = f"{np.asarray(space.low)[spot]} to {np.asarray(space.high)[spot]}"
            yield turn.seen(f"observation{where}{_first(outside, value)}, outside {bounds}", agent)


def _leaves(evidence: Evidence) -> Iterator[tuple[Turn, AgentId, Space, Any, str]]:
    """Every part of every observation with the space it should belong to."""
    for turn, agent, seen in evidence.values("observations"):
        if agent in evidence.observation_spaces:
            for leaf in leaves(evidence.observation_spaces[agent], seen):
                yield turn, agent, leaf.space, leaf.value, leaf.where


def boxes(evidence: Evidence) -> Iterator[tuple[Turn, AgentId, spaces.Box, AnyArray, str]]:
    """Numeric observations that have the shape of their Box; of large ones the extremes, within the
    widest bounds."""
    for turn, agent, space, value, where in _leaves(evidence):
        if isinstance(value, Summary) and isinstance(space, spaces.Box):
            low = space.low.min()
            high = space.high.max()
            space = spaces.Box(low, high, (2,), space.low.dtype.type)
            value = np.array([value.lowest, value.highest])
        array = np.asarray(value) if _shape(value) == space.shape else np.empty(0, object)
        if (
            isinstance(space, spaces.Box)
            and array.dtype.kind in "fiub"
            and array.shape == space.shape
        ):
            yield turn, agent, space, array, where


def _shape(value: Any) -> tuple[int, ...] | str:
    try:
        return value.shape if isinstance(value, Summary) else np.shape(value)
    except ValueError:  # a list of lists of different lengths
        return "ragged"


def _contains(space: Space, value: Any) -> bool:
    try:
        return bool(space.contains(value))
    except Exception:  # a custom space may fail on what it does not contain
        return False


def _first(where: Bools, value: AnyArray) -> str:
    spot = tuple(int(i) for i in np.argwhere(where)[0])
    return f"{list(spot) if spot else ''} is {value[spot]}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
