"""The mirror reward: log N + log belief in the true author. Zero at chance, at most log N.

`V[t, j, n] = log N + max(log q_j(n | tau_n up to t), log floor)` is what observer j's belief in
the true author of agent n's trajectory is worth after step t, and 0 before the first step. All
credits are means of V, all timings are ways to pay V out:

====================  ==============================================================================
credit                agent i is paid for
====================  ==============================================================================
`author`              being recognised: mean over all observers j (itself included) of V[j, i]
`team`                everyone being recognised: mean over agents of the author credits, the same
                      for all
`observer`            recognising: agent i's own mean over all authors k of V[i, k] (its classifier
                      loss, sign reversed)
`self`                recognising itself: V[i, i]
`adversarial`         being recognised by its team and not by others: mean over team-mates (itself
                      included) of V[j, i] minus mean over opponents of V[j, i]
====================  ==============================================================================

====================  ==============================================================================
timing                when
====================  ==============================================================================
`dense`               V[t] - V[t-1] at step t. Undiscounted, the sum is exactly the terminal payment
`terminal`            V at the end, at each agent's last live step
`window`              the dense increments of steps start <= t < stop only, against handshakes in
                      the first steps
====================  ==============================================================================

A trajectory's V stays what it was when its agent stopped. What a shared credit still gains or loses
after an agent's last live step is paid at that step, so every agent that acted receives the full
sum. An agent without a single live step is paid nothing.

For a calibrated observer log q is a submartingale under the true author (its drift is a
Kullback-Leibler divergence), and so is max(log q, log floor), a convex increasing function of it:
in expectation ending early never pays. Flooring the increments instead would break this. Barber and
Agakov (2003) for the bound I(author; trajectory) >= log N + E log q; Ng, Harada and Russell (1999)
for potential-based increments.

Shape legend: B batch (episodes), T time, J observers, N agents (authors).
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.mirror._checks import float_array, mask_array
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64

__all__ = ["Credit", "Timing", "mirror_reward", "random_windows"]

Credit = Literal["author", "team", "observer", "self", "adversarial"]
Timing = Literal["dense", "terminal", "window"]


def mirror_reward(
    log_belief: npt.ArrayLike,
    mask: npt.ArrayLike,
    *,
    credit: Credit = "author",
    timing: Timing = "dense",
    floor: float = 1e-4,
    teams: npt.ArrayLike | None = None,
    window: npt.ArrayLike | None = None,
    seen: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float32]:
    """What each agent is paid at each step for being recognised, in nats.

    Args:
        log_belief: (B, T, J, N) `log q_j(n | tau_n up to and including step t)`, observer j's log
            belief in the true author of agent n's trajectory; at most 0, -inf allowed, ignored
            where the mask is False.
        mask: (B, T, N) bool, True for the steps that happened; a prefix of the episode for every
            agent.
        credit: who is paid for what, see the module.
        timing: when it is paid, see the module.
        floor: smallest belief that still counts, in (0, 1/N]; bounds the reward below by log N +
            log floor.
        teams: (N,) ints, the team of each agent; needed by (and only by) `adversarial`.
        window: (B, 2) ints, [start, stop) of each episode; needed by (and only by) `window`.
        seen: (B, J, N) bool, which agents observer j was shown (:func:`mirrorenv.mirror.seen_by`);
            all if not given. Chance is then one over the number it was shown, and the credits
            `author` and `team` are means over the observers that saw the author. Beliefs about
            others are ignored. Every agent must be seen by somebody.

    Returns:
        (B, T, N) float32, zero where the mask is False.

    Raises:
        ShapeError: if shapes disagree, J != N where observers must be the agents, or a live belief
            is NaN or above 0.
        ConfigError: for an unknown credit or timing, a floor out of range, or teams and windows
            that do not fit.
    """
    if credit not in get_args(Credit) or timing not in get_args(Timing):
        raise ConfigError(
            f"mirror_reward: credit must be one of {', '.join(get_args(Credit))} and timing one of "
            f"{', '.join(get_args(Timing))}, got {credit!r} and {timing!r}"
        )
    logs = float_array("log_belief", log_belief, ndim=4)  # (B, T, J, N)
    batch, time, _, agents = logs.shape
    alive = mask_array("mask", mask, (batch, time, agents))  # (B, T, N)
    if (alive[:, 1:] & ~alive[:, :-1]).any():
        raise ShapeError(
            "mirror_reward: the mask has a hole in time; each agent's steps must be a prefix"
        )
    if not 0.0 < floor <= 1.0 / agents:
        raise ConfigError(
            f"mirror_reward: floor must be in (0, 1/N] = (0, {1.0 / agents:.4g}], got {floor}"
        )
    if (teams is not None) != (credit == "adversarial") or (window is not None) != (
        timing == "window"
    ):
        raise ConfigError(
            "mirror_reward: teams belong to credit 'adversarial', window to timing 'window', both "
            "ways"
        )
    shown = _shown(seen, logs.shape, credit)  # (B, J, N)
    path = _credit_path(_value(logs, alive, floor, shown), shown, credit, teams)  # (B, T, N)
    increments = np.diff(path, axis=1, prepend=0.0)  # (B, T, N)
    if window is not None:
        increments *= _inside(window, batch, time)[..., None]
    return _pay(increments, alive, timing).astype(np.float32)


def random_windows(rng: np.random.Generator, lengths: npt.ArrayLike, size: int) -> Ints64:
    """One uniformly placed window of `size` steps per episode.

    Args:
        rng: source of randomness.
        lengths: (B,) ints, steps of each episode, at least 1.
        size: steps in a window, at least 1; an episode shorter than that is one whole window.

    Returns:
        (B, 2) int64, [start, stop).

    Raises:
        ConfigError: if `size` or a length is below 1.
    """
    steps = np.asarray(lengths, dtype=np.int64)
    if size < 1 or (steps < 1).any():
        raise ConfigError(f"random_windows: size and lengths must be at least 1, got size {size}")
    starts = rng.integers(0, np.maximum(steps - size, 0) + 1)
    return np.stack([starts, np.minimum(starts + size, steps)], axis=1)


def _shown(seen: npt.ArrayLike | None, shape: tuple[int, ...], credit: Credit) -> Bools:
    """Which agents each observer was shown, (B, J, N): all, unless the caller says otherwise."""
    batch, _, observers, agents = shape
    if seen is None:
        return np.broadcast_to(True, (batch, observers, agents))
    shown = mask_array("seen", seen, (batch, observers, agents))
    if credit not in ("author", "team") and not shown.all():
        raise ConfigError(
            "mirror_reward: observers that are shown some agents only pay the credits 'author' and "
            f"'team', not {credit!r}"
        )
    if not shown.any(axis=1).all():
        raise ShapeError("mirror_reward: an agent is seen by no observer, so no belief can pay it")
    return shown


def _value(logs: Floats64, alive: Bools, floor: float, shown: Bools) -> Floats64:
    """V (B, T, J, N), held after an agent's last live step; anything for agents not shown."""
    # also NaN; float32 softmaxes overshoot 0 by a few ulp
    bad: Bools = alive[:, :, None] & shown[:, None] & ~(logs <= 1e-4)
    if bad.any():
        b, t, j, n = np.argwhere(bad)[0].tolist()
        raise ShapeError(
            f"mirror_reward: log_belief is {logs[b, t, j, n]} in episode {b}, step {t}, observer "
            f"{j}, agent {n}; "
            "log probabilities are at most 0"
        )
    last = np.maximum(alive.sum(axis=1) - 1, 0)  # (B, N)
    steps = np.minimum(np.arange(logs.shape[1])[None, :, None], last[:, None])  # (B, T, N)
    held = np.take_along_axis(logs, steps[:, :, None], axis=1)  # (B, T, J, N)
    agents = logs.shape[-1]
    value = np.log(agents) + np.clip(held, np.log(floor), 0.0)
    # chance is one over the number shown; exactly nothing is taken off where that is everybody
    value -= (np.log(agents) - np.log(np.maximum(shown.sum(axis=2), 1)))[:, None, :, None]
    acted = np.asarray(alive.any(axis=1, keepdims=True))  # (B, 1, N)
    return np.where(acted[:, :, None], value, 0.0)


def _credit_path(
    value: Floats64, shown: Bools, credit: Credit, teams: npt.ArrayLike | None
) -> Floats64:
    """What each agent is owed after each step: (B, T, N) from V (B, T, J, N)."""
    observers, agents = value.shape[2:]
    if credit in ("observer", "self", "adversarial") and observers != agents:
        raise ShapeError(
            f"mirror_reward: credit '{credit}' needs observer j to be agent j; "
            f"got {observers} observers and {agents} agents"
        )
    if credit == "observer":
        return np.asarray(value.mean(axis=3), dtype=np.float64)
    if credit == "self":
        own: Floats64 = np.einsum("btnn->btn", value).copy()
        return own
    if credit == "adversarial":
        contrast: Floats64 = np.einsum("btjn,jn->btn", value, _team_weights(teams, agents))
        return contrast
    witnesses = shown.sum(axis=1)  # (B, N)
    author: Floats64 = np.where(shown[:, None], value, 0.0).sum(axis=2) / witnesses[:, None]
    if credit == "team":
        author = np.broadcast_to(author.mean(axis=2, keepdims=True), author.shape)
    return author


def _team_weights(teams: npt.ArrayLike | None, agents: int) -> Floats64:
    ids = np.asarray(teams)
    if ids.shape != (agents,) or not np.issubdtype(ids.dtype, np.integer):
        raise ConfigError(
            f"mirror_reward: teams must be {agents} ints, got {ids.dtype} of shape {ids.shape}"
        )
    mates = ids[:, None] == ids[None]  # (J, N)
    if mates.all():
        raise ConfigError("mirror_reward: credit 'adversarial' needs at least two teams")
    weights: Floats64 = mates / mates.sum(axis=0) - ~mates / (~mates).sum(axis=0)
    return weights


def _inside(window: npt.ArrayLike, batch: int, time: int) -> Bools:
    edges = np.asarray(window)
    if edges.shape != (batch, 2) or not np.issubdtype(edges.dtype, np.integer):
        raise ConfigError(
            f"mirror_reward: window must be ints ({batch}, 2), got {edges.dtype} of shape "
            f"{edges.shape}"
        )
    if ((edges[:, 0] < 0) | (edges[:, 0] >= edges[:, 1]) | (edges[:, 1] > time)).any():
        raise ConfigError(
            f"mirror_reward: every window must satisfy 0 <= start < stop <= T = {time}"
        )
    steps = np.arange(time)
    return (steps >= edges[:, :1]) & (steps < edges[:, 1:])  # (B, T)


def _pay(increments: Floats64, alive: Bools, timing: Timing) -> Floats64:
    """Pay increments at live steps, and what falls outside them at the last live step."""
    total = increments.sum(axis=1)  # (B, N)
    paid = np.where(alive, increments, 0.0) if timing != "terminal" else np.zeros_like(increments)
    # (B, T, N) last live step
    final = alive & ~np.concatenate([alive[:, 1:], np.zeros_like(alive[:, :1])], axis=1)
    rest: Floats64 = np.where(final, (total - paid.sum(axis=1))[:, None], 0.0)
    return paid + rest
