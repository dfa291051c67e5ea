"""What agents of the byte world can be paid for, each by name, with a weight, logged apart.

A reward is a function from what happened in a step to a number for every agent. A world pays the
weighted sum, divided by its horizon: an episode in which everything is perfect is worth the sum of
the weights.

Shape legend: B rows, N agents, L bytes, K kinds of call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirrorenv.bytes.effects import Effects
from mirrorenv.bytes.entropy import (
    byte_entropy,
    count_entropy,
    evenness,
    register_entropy,
    spatial_entropy,
)
from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.mirror.arrays import Floats64

__all__ = ["DEFAULT_WEIGHTS", "REWARDS", "Happened", "checked_weights", "register_reward"]

GLOBAL_POINT = 0.4
LOCAL_POINT = 0.9
"""The two set-points that the origin trains its models to."""
_FLOOR = 4  # calls from which on evenness counts fully
_SHAPED_CALLS = 8


@dataclass(frozen=True)
class Happened:
    """What happened in a step."""

    said: npt.NDArray[np.uint8]
    """(B, N, L) utterances."""
    counts: Floats64
    """(B, N, 256) decayed counts of each agent's bytes, this utterance included."""
    effects: Effects
    """What executing them did."""
    most_instructions: int
    """Limit of instructions of a program."""
    judged: Floats64 | None = None
    """(B, N) the judge's values, where a judge is paid."""
    call_bytes: bytes = b"\x0f\x05"
    """How a system call is written."""


Reward = Callable[[Happened], Floats64]
REWARDS: dict[str, Reward] = {}
"""Every reward by name; each gives (B, N) between 0 and 1, that of a judge from -1 on."""

DEFAULT_WEIGHTS: Mapping[str, float] = {
    "byte_entropy": 0.5,
    "global_entropy": 0.5,
    "evenness": 1.0,
    "shaping": 0.25,
}
"""What the world pays unless told otherwise."""


def register_reward(name: str) -> Callable[[Reward], Reward]:
    """Decorator: make a reward available by name."""

    def add(reward: Reward) -> Reward:
        REWARDS[name] = reward
        return reward

    return add


def checked_weights(given: Mapping[str, float] | None) -> dict[str, float]:
    """Weights by name.

    Args:
        given: as a user wrote them; None for :data:`DEFAULT_WEIGHTS`.

    Raises:
        UnknownNameError: for a name that is not registered.
        ConfigError: for a weight that is no finite number.
    """
    if given is None:
        return dict(DEFAULT_WEIGHTS)
    if not isinstance(given, Mapping):
        raise ConfigError(f"rewards are weights by name, such as {{evenness: 1.0}}, not {given!r}")
    for name, weight in given.items():
        if name not in REWARDS:
            raise unknown_name("reward", str(name), REWARDS)
        if isinstance(weight, bool) or not isinstance(weight, int | float):
            raise ConfigError(f"reward {name}: its weight must be a number, got {weight!r}")
        if not np.isfinite(weight):
            raise ConfigError(f"reward {name}: its weight must be finite, got {weight}")
    return {name: float(weight) for name, weight in given.items()}


@register_reward("byte_entropy")
def _byte_entropy(happened: Happened) -> Floats64:
    """Entropy of the bytes of the utterance."""
    return byte_entropy(happened.said)


@register_reward("global_entropy")
def _global_entropy(happened: Happened) -> Floats64:
    """Entropy of the decayed counts of all that an agent has said in the episode."""
    return count_entropy(happened.counts, 256)


@register_reward("local_set_point")
def _local_set_point(happened: Happened) -> Floats64:
    """1 where the entropy of the utterance is 0.9, less in proportion to the gap."""
    found: Floats64 = 1.0 - np.abs(byte_entropy(happened.said) - LOCAL_POINT)
    return found


@register_reward("global_set_point")
def _global_set_point(happened: Happened) -> Floats64:
    """1 where the entropy of the decayed counts is 0.4, less in proportion to the gap."""
    found: Floats64 = 1.0 - np.abs(count_entropy(happened.counts, 256) - GLOBAL_POINT)
    return found


@register_reward("spatial_entropy")
def _spatial_entropy(happened: Happened) -> Floats64:
    """Entropy of how neighbouring bytes differ along a Hilbert curve."""
    return spatial_entropy(happened.said)


@register_reward("evenness")
def _evenness(happened: Happened) -> Floats64:
    """How evenly the kinds of call are used, H / log K, less below four calls."""
    calls = happened.effects.calls
    return evenness(calls, calls.shape[-1], _FLOOR)


@register_reward("shaping")
def _shaping(happened: Happened) -> Floats64:
    """A way to the first call: half for the bytes of one anywhere, half for up to eight calls.

    Without it evenness is 0 for nearly all programs (about one in ten thousand random ones reaches
    a call), and nothing can be learned from it.
    """
    call = np.frombuffer(happened.call_bytes, np.uint8)
    made = np.minimum(happened.effects.calls.sum(-1), _SHAPED_CALLS) / _SHAPED_CALLS
    if happened.said.shape[-1] < len(call):
        unwritten: Floats64 = 0.5 * made
        return unwritten
    pieces = np.lib.stride_tricks.sliding_window_view(happened.said, len(call), axis=-1)
    written = (pieces == call).all(-1).any(-1)  # (B, N)
    found: Floats64 = 0.5 * written + 0.5 * made
    return found


@register_reward("instructions")
def _instructions(happened: Happened) -> Floats64:
    """Executed instructions over their limit."""
    found: Floats64 = happened.effects.instructions / happened.most_instructions
    return found


@register_reward("register_entropy")
def _register_entropy(happened: Happened) -> Floats64:
    """Entropy of the bytes in the registers at the end."""
    return register_entropy(happened.effects.registers)


@register_reward("judge")
def _judge(happened: Happened) -> Floats64:
    """1 where the judge says good, 0 for bad, -1 for a reply that is neither."""
    if happened.judged is None:
        raise ConfigError("rewards names a judge: say who it is, such as judge=local")
    return happened.judged
