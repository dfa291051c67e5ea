"""Checks of single answers: their form, rewards, flags, infos; and whether there is an answer at
all."""

from __future__ import annotations

import numbers
from collections.abc import Iterator
from typing import Any

import numpy as np

from mirrorenv.envs.checks.evidence import Evidence
from mirrorenv.envs.checks.findings import Seen
from mirrorenv.envs.checks.registry import check


@check(
    "crash",
    remedy="Correct the environment: with this seed and actions from its own spaces it must not "
    "raise.",
)
def crash(evidence: Evidence) -> Iterator[Seen]:
    """Legal actions and a seed never make the environment raise."""
    for turn in evidence.turns():
        if turn.error is not None:
            call = "step" if turn.number else "reset"
            yield turn.seen(f"{call}() raised {type(turn.error).__name__}: {turn.error}")


@check(
    "hang",
    remedy="Bound the loop or the wait inside the step; if it is just slow, raise the time "
    "allowed.",
)
def hang(evidence: Evidence) -> Iterator[Seen]:
    """Every call comes back in time."""
    for turn in evidence.turns():
        if turn.hung:
            call = "step" if turn.number else "reset"
            yield turn.seen(
                f"{call}() had not come back after {evidence.patience.step_seconds:g} seconds"
            )


@check(
    "answer-form",
    remedy="reset() returns (observations, infos); step() returns (observations, rewards, "
    "terminations, truncations, infos); each a dictionary by agent.",
)
def answer_form(evidence: Evidence) -> Iterator[Seen]:
    """Answers are tuples of two and of five dictionaries."""
    for turn in evidence.turns():
        if turn.form:
            yield turn.seen(turn.form)


@check("reward-scalar", remedy="Return float(reward) for each agent.")
def reward_scalar(evidence: Evidence) -> Iterator[Seen]:
    """A reward is one number."""
    for turn, agent, reward in evidence.values("rewards"):
        if not _is_number(reward):
            shape = f" of shape {reward.shape}" if isinstance(reward, np.ndarray) else ""
            yield turn.seen(f"the reward is a {type(reward).__name__}{shape}", agent)


@check(
    "reward-finite",
    remedy="Guard the division, root or logarithm that it comes from: one NaN spoils all weights.",
)
def reward_finite(evidence: Evidence) -> Iterator[Seen]:
    """Rewards are neither NaN nor infinite."""
    for turn, agent, reward in evidence.values("rewards"):
        if _is_number(reward) and not np.isfinite(float(reward)):
            yield turn.seen(f"the reward is {reward}", agent)


@check("flag-type", remedy="Return bool(...) for each agent in terminations and truncations.")
def flag_type(evidence: Evidence) -> Iterator[Seen]:
    """Flags are True or False."""
    for part in ("terminations", "truncations"):
        for turn, agent, flag in evidence.values(part):
            if not isinstance(flag, bool | np.bool_):
                yield turn.seen(f"the {part[:-1]} flag is {flag!r}, a {type(flag).__name__}", agent)


@check(
    "both-flags",
    severity="warning",
    remedy="Set only terminated if the task ended, only truncated if the clock did: the value of "
    "the last state is counted in the second case and not in the first.",
)
def both_flags(evidence: Evidence) -> Iterator[Seen]:
    """No agent is both terminated and truncated."""
    for turn in evidence.turns():
        for agent, flags in turn.ended.items():
            if all(flags):
                yield turn.seen("both flags are set", agent)


@check(
    "info-dict",
    remedy="Return a dictionary for each agent in infos, an empty one if there is nothing to say.",
)
def info_dict(evidence: Evidence) -> Iterator[Seen]:
    """Every agent's info is a dictionary."""
    for turn, agent, info in evidence.values("infos"):
        if agent in turn.possible and not isinstance(info, dict):
            yield turn.seen(f"the info is a {type(info).__name__}", agent)


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real | np.number | np.bool_) and not isinstance(
        value, np.ndarray
    )
