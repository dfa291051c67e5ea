"""Checks of what must be bounded: the length of an episode, the time of a step, memory."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Iterator

import numpy as np

from mirrorenv.envs.checks.evidence import Evidence
from mirrorenv.envs.checks.findings import Seen
from mirrorenv.envs.checks.registry import check
from mirrorenv.envs.checks.session import Session

_CRASHES = ("crash", "hang", "answer-form")
_REPLAYS = 12  # of one episode in one copy
_WARM = 2  # of them do not count: caches are filled
_SUSPECT = 1.5  # times as slow as at first: look into it
_SLOWER = 3.0  # times as slow as at first: say so
_SLOWER_SECONDS = 20e-6  # and slower by this much in each step
_BYTES = 24.0  # kept from each step for ever: less than one Python float in a list
_LEAK = 50_000  # bytes; caches that fill up slowly stay below
_MANY = 500  # replays at most, until a leak is certain
_PATIENCE = 20.0  # times the time for replays


@check(
    "episode-length",
    after=_CRASHES,
    remedy="Count steps and truncate all agents at a limit; name it max_cycles, so that others "
    "find it.",
)
def episode_length(evidence: Evidence) -> Iterator[Seen]:
    """An episode ends: within the length the environment names, or at all."""
    limit = evidence.patience.max_steps
    for episode in evidence.episodes:
        last = episode[-1]
        named = evidence.horizon
        still = set(last.after) - last.ended.keys()
        if named is not None and last.number > named:
            yield last.seen(
                f"the episode has {last.number} steps, and it says that there are {named} at most"
            )
        elif named is not None and still and last.number >= min(named, limit) and named <= limit:
            yield last.seen(
                f"it continues after {last.number} steps, and it says that there are {named} at "
                "most"
            )
        elif named is None and still and last.number >= limit:
            yield last.seen(f"no end after {last.number} steps, and no length is named anywhere")


@check("not-played-out", severity="note", remedy="Let the checker play longer: --max-steps.")
def not_played_out(evidence: Evidence) -> Iterator[Seen]:
    """The recorded episodes were played to their end."""
    for episode in evidence.episodes:
        last = episode[-1]
        if (
            evidence.horizon is not None
            and last.number >= evidence.patience.max_steps < evidence.horizon
        ):
            yield last.seen(f"{last.number} of {evidence.horizon} steps were played")


@check(
    "step-time",
    after=_CRASHES,
    remedy="Look for what grows with each episode: a list that reset() does not clear.",
)
def step_time(evidence: Evidence) -> Iterator[Seen]:
    """An episode played again and again in one copy does not become slower."""
    session = evidence.session(keep=False)
    number = evidence.seeds[0]
    steps = evidence.replay_steps(_REPLAYS)
    each = list[float]()
    # a suspicion is looked into for longer
    for replays, slower in ((_REPLAYS, _SUSPECT), (4 * _REPLAYS, _SLOWER)):
        while len(each) < replays:
            each.append(_seconds_a_step(session, number, steps))
        first = min(each[_WARM : _WARM + 3])
        last = min(each[-3:])
        if last <= slower * first or last - first <= _SLOWER_SECONDS:
            return
    what = (
        f"a step took {1e6 * first:.0f} microseconds at first and {1e6 * last:.0f} in episode "
        f"{len(each)}"
    )
    yield Seen(what, seed=number)


def _seconds_a_step(session: Session, seed: int, steps: int) -> float:
    """Processor time of a step, over at most so many steps of one episode."""
    session.reset(seed)
    spent = 0.0
    while not session.over and session.turns[-1].number < steps:
        session.step()
        spent += session.turns[-1].seconds
    return spent / max(session.turns[-1].number, 1)


@check(
    "memory",
    after=_CRASHES,
    remedy="Look for what is kept for ever: a list or cache that reset() does not clear.",
)
def memory(evidence: Evidence) -> Iterator[Seen]:
    """An episode played again and again in one copy does not take more and more memory."""
    session = evidence.session(keep=False)
    number = evidence.seeds[0]
    steps = evidence.replay_steps(_REPLAYS)
    began = time.process_time()
    tracing = tracemalloc.is_tracing()
    held = np.zeros(_MANY, np.int64)  # Python numbers would count themselves
    tracemalloc.start()
    gc.freeze()  # what is there already need not be searched again and again
    try:
        for replay in range(_MANY):
            session.play(number, steps)
            gc.collect()
            held[replay] = tracemalloc.get_traced_memory()[0]
            if replay < _WARM + _REPLAYS // 2:
                continue
            kept = np.median(np.diff(held[replay - _REPLAYS // 2 : replay + 1])) / max(
                session.turns[-1].number, 1
            )
            late = time.process_time() - began > _PATIENCE * evidence.patience.replay_seconds
            if kept <= _BYTES or late:
                return
            if held[replay] - held[_WARM] > _LEAK:
                yield Seen(
                    f"every step of a replayed episode leaves {kept:.0f} bytes behind", seed=number
                )
                return
    finally:
        gc.unfreeze()
        if not tracing:
            tracemalloc.stop()
