"""Checks that play an episode again: by seed, in the same copy, beside another, from a pickle, by a
careless caller.

Each compares whole episodes, action for action: actions follow from the seed and the spaces alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import cloudpickle  # type: ignore[import-untyped]  # ships no types

from mirrorenv.envs.checks.evidence import Evidence, first_difference
from mirrorenv.envs.checks.findings import Seen
from mirrorenv.envs.checks.registry import check
from mirrorenv.envs.checks.session import Session

_CRASHES = ("crash", "hang", "answer-form")
_SEEDED = (*_CRASHES, "seed")


@check(
    "global-random",
    remedy="Make a generator of your own in reset(): self.rng = np.random.default_rng(seed), and "
    "draw from that only.",
)
def global_random(evidence: Evidence) -> Iterator[Seen]:
    """The random states of the process (random, numpy.random, torch) are left alone."""
    for turn in evidence.turns():
        if turn.touched:
            call = "step" if turn.number else "reset"
            yield turn.seen(f"{call}() moved the global state of {' and '.join(turn.touched)}")


@check(
    "seed",
    after=_CRASHES,
    remedy="Let every random number come from a generator that reset(seed) makes: self.rng = "
    "np.random.default_rng(seed).",
)
def seed(evidence: Evidence) -> Iterator[Seen]:
    """The same seed and actions give the same whole episode in two fresh copies."""
    for number in evidence.seeds[:2]:
        if found := first_difference(evidence.fresh(number), evidence.session().play(number)):
            yield found


@check(
    "seeds-alike",
    severity="note",
    after=_SEEDED,
    remedy="Nothing, if there is no chance in it; or use the seed.",
)
def seeds_alike(evidence: Evidence) -> Iterator[Seen]:
    """Different seeds give different episodes, with the same actions."""
    number = evidence.seeds[0]
    one = evidence.session()
    one.reset(number)
    other = one.fork(evidence.subject.make())  # the same draws of actions
    other.env.reset(seed=number + 1)
    one.play_on()
    other.play_on()
    if not first_difference(one.turns, other.turns, start=1):
        yield Seen(f"seeds {number} and {number + 1} play the same episode", seed=number)


@check(
    "reset-state",
    after=(*_SEEDED, "agents-at-reset"),
    remedy="Set everything that an episode changes in reset(), not in __init__.",
)
def reset_state(evidence: Evidence) -> Iterator[Seen]:
    """An episode is the same after others, whole or broken off, as in a fresh copy."""
    number = evidence.seeds[0]
    session = evidence.session()
    session.play(number + 1)
    session.play(number + 2, max_steps=1)
    if found := first_difference(evidence.fresh(number), session.play(number)):
        yield found._replace(what=f"after other episodes in the same copy, {found.what}")


@check(
    "state-exposed",
    after=_SEEDED,
    remedy="Return copies (array.copy()), not the arrays that the environment continues to compute "
    "with.",
)
def state_exposed(evidence: Evidence) -> Iterator[Seen]:
    """A caller who writes over the observations it was given changes nothing."""
    number = evidence.seeds[0]
    if found := first_difference(
        evidence.fresh(number), evidence.session(scribble=True).play(number)
    ):
        yield found._replace(
            what=f"once a caller had written over the observations it got, {found.what}"
        )


@check(
    "copies-interfere",
    after=_SEEDED,
    remedy="Keep state in the instance: no class attribute, module variable or global generator "
    "that an episode changes. Training steps many copies side by side.",
)
def copies_interfere(evidence: Evidence) -> Iterator[Seen]:
    """Two copies stepped in turn play what they play alone."""
    number = evidence.seeds[0]
    one = evidence.session()
    other = evidence.session()
    one.reset(number)
    other.reset(number + 1)
    while not one.over and one.turns[-1].number < evidence.patience.max_steps:
        one.step()
        if not other.over:
            other.step()
    if found := first_difference(evidence.fresh(number), one.turns):
        yield found._replace(what=f"while another copy was stepped, {found.what}")


@check(
    "pickle",
    after=(*_SEEDED, "copies-interfere"),
    remedy="Let __getstate__ and __setstate__ keep all that matters, the random generator "
    "included.",
)
def pickle(evidence: Evidence) -> Iterator[Seen]:
    """A pickled copy continues exactly as the original does; or refuses to, and plays whole
    episodes alike."""
    number, session, twin = evidence.seeds[0], *_half_way(evidence)
    if isinstance(twin, Exception):
        return  # it cannot be pickled, which is no lie: a check of its own notes it
    middle = session.turns[-1].number
    session.play_on()
    twin.play_on()
    if _refuses(twin, middle):
        found = first_difference(evidence.fresh(number), evidence.session(twin.env).play(number))
    else:
        found = first_difference(session.turns, twin.turns, start=middle + 1)
    if found:
        yield found._replace(what=f"pickled after step {middle} and played on, {found.what}")


@check(
    "not-picklable",
    severity="note",
    after=("pickle",),
    remedy="Nothing, unless a tool of yours sends environments between processes: training here "
    "makes new ones.",
)
def not_picklable(evidence: Evidence) -> Iterator[Seen]:
    """A pickle of the environment holds the episode it is in."""
    session, twin = _half_way(evidence)
    if isinstance(twin, Exception):
        yield Seen(f"it cannot be pickled: {type(twin).__name__}: {twin}")
        return
    middle = session.turns[-1].number
    twin.play_on(middle + 1)
    if _refuses(twin, middle):
        yield Seen(
            "a pickle keeps how it was made and not the episode it is in, as gymnasium's EzPickle "
            "does"
        )


def _half_way(evidence: Evidence) -> tuple[Session, Session | Exception]:
    """An episode played to its middle, and a pickled copy of it, or why there is none."""
    number = evidence.seeds[0]
    session = evidence.session()
    session.reset(number)
    session.play_on(evidence.fresh(number)[-1].number // 2)
    try:  # only bytes that were made in the line before are read
        return session, session.fork(cloudpickle.loads(cloudpickle.dumps(session.env)))
    except Exception as error:
        return session, error


def _refuses(twin: Session, middle: int) -> bool:
    """Whether a copy knows that it is in no episode."""
    return twin.turns[-1].number == middle or (
        twin.turns[-1].number == middle + 1 and twin.turns[-1].error is not None
    )
