"""The exact ideal observer of the live mirror.

It knows every agent's law of action, the delay and the noise, and it may know what the watcher did.
An image that shows an agent's moves has the probability of the moves behind it, summed over all of
them (the forward algorithm; Rabiner 1989) through the automaton of the world. The contingent image,
if the watcher's moves are known, has that of the distortion alone:

    `p(shown | contingent) = prod_t ((1 - e) [shown_t = done_(t - d)] + e / A)`

Not knowing what was done, a contingent image and a yoked one have one and the same law, and nothing
can tell them apart: passive reading tells "like me", only acting tells "caused by me".

Shape legend: B batch, T time, K images, S states, A moves, N agents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mirrorenv.errors import ShapeError
from mirrorenv.instrument.live.automaton import Automaton
from mirrorenv.instrument.live.images import Distortion
from mirrorenv.mirror.arrays import Floats32, Floats64, Ints64

__all__ = ["Law", "acted", "contingent_evidence", "evidence_of_sources", "law_evidence"]

Law = Callable[[Floats32, int], Floats64]
"""(X, D) observations and the time to (X, A) probabilities of moves."""


def acted(automaton: Automaton, law: Law, episodes: int, rng: np.random.Generator) -> Ints64:
    """(B, T) moves of an agent with this law.

    Args:
        automaton: of the world.
        law: of the agent.
        episodes: B.
        rng: of the moves.
    """
    state = np.zeros(episodes, np.int64)
    moves = np.zeros((episodes, automaton.horizon), np.int64)
    for time in range(automaton.horizon):
        cumulated = law(automaton.seen[time], time).cumsum(1)[state]  # (B, A)
        moves[:, time] = (rng.random((episodes, 1)) > cumulated[:, :-1]).sum(1)
        state = automaton.leads[time][state, moves[:, time]]
    return moves


def contingent_evidence(shown: Ints64, done: Ints64, distortion: Distortion) -> Floats64:
    """(B, T, K) cumulated log probability of images that show what was done.

    Args:
        shown: (B, T, K) what images showed.
        done: (B, T) what the watcher did.
        distortion: delay and noise.
    """
    batch, time = done.shape
    if shown.shape[:2] != (batch, time):
        raise ShapeError(f"images {shown.shape} do not show the moves {done.shape}")
    chance = distortion.chance()
    late = np.roll(done, distortion.delay, axis=1)  # (B, T)
    each = chance[late[..., None], shown]  # (B, T, K)
    each[:, : distortion.delay] = 1.0 / distortion.moves
    return _cumulated(each)


def law_evidence(shown: Ints64, law: Law, automaton: Automaton, distortion: Distortion) -> Floats64:
    """(B, T, K) cumulated log probability of images that show moves by a law, whatever they were.

    Args:
        shown: (B, T, K) what images showed.
        law: of the agent behind.
        automaton: of the world.
        distortion: delay and noise.
    """
    batch, time, images = shown.shape
    chance = distortion.chance()
    flat = np.moveaxis(shown, 1, 2).reshape(batch * images, time)  # (B * K, T)
    weight = np.ones((len(flat), 1))  # (B * K, S) of each state, given what was shown so far
    each = np.full((len(flat), time), 1.0 / distortion.moves)
    for at in range(time - distortion.delay):
        probable = law(automaton.seen[at], at)  # (S, A)
        tells = chance[:, flat[:, at + distortion.delay]].T  # (B * K, A)
        both = weight[:, :, None] * probable[None] * tells[:, None]  # (B * K, S, A)
        each[:, at + distortion.delay] = both.sum((1, 2))
        leads = automaton.leads[at]
        following = np.zeros((len(flat), int(leads.max()) + 1))
        np.add.at(following.T, leads.reshape(-1), both.reshape(len(flat), -1).T)
        weight = following / following.sum(1, keepdims=True)
    return _cumulated(np.moveaxis(each.reshape(batch, images, time), 1, 2))


def evidence_of_sources(
    shown: Ints64,
    done: Ints64 | None,
    laws: Sequence[Law],
    automaton: Automaton,
    distortion: Distortion,
) -> Floats64:
    """(B, T, K, K) evidence after every step, image by source: contingent, yoked, then the others.

    Args:
        shown: (B, T, K) what images showed; K is 1 + the number of laws.
        done: (B, T) what the watcher did; None if it may not know.
        laws: of the watcher, then of the K - 2 others.
        automaton: of the world.
        distortion: delay and noise.
    """
    own = law_evidence(shown, laws[0], automaton, distortion)
    caused = own if done is None else contingent_evidence(shown, done, distortion)
    others = [law_evidence(shown, law, automaton, distortion) for law in laws[1:]]
    return np.stack([caused, own, *others], axis=-1)


def _cumulated(each: Floats64) -> Floats64:
    with np.errstate(divide="ignore"):
        total: Floats64 = np.log(each).cumsum(1)
    return total
