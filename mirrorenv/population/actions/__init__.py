"""What one action is made of: a choice, several choices, a vector, bytes, a mixture of these, or a
form of your own.

A layout is plain data (it stands in checkpoints) that says how an action is held in arrays, how a
policy's outputs become a distribution of it, and how an observer reads it. Nothing elsewhere asks
which kind an action is. No torch is needed to read one.

| layout | array of actions | policy outputs | as observers read it |
|---|---|---|---|
| `Choice` | (...) int64 | a logit for each | one-hot |
| `Choices` | (..., L) int64 | a logit for each choice of each part | one-hot, part after part |
| `Vector` | (..., A) float32 in (-1, 1) | a mean for each entry | itself |
| `Bytes` | (..., L) int64 in 0..255 | 256 logits for each byte | bits of each, counts of all |
| `Mixed` | (..., W) float32, choices as whole numbers | those of its parts | so, too |

A form is one class with `@register_layout`: in a file of this folder, or beside the world that
needs it. The parts of an action are independent given what the agent saw: several choices are never
numbered as combinations. An actor whose bytes depend on the bytes before brings a distribution of
its own.
"""

from __future__ import annotations

from mirrorenv.population.actions.base import ActionLayout
from mirrorenv.population.actions.discrete import Bytes, Choice, Choices
from mirrorenv.population.actions.mixed import Mixed
from mirrorenv.population.actions.registry import (
    AnyLayout,
    known_layouts,
    layout_of,
    register_layout,
)
from mirrorenv.population.actions.vector import Vector

__all__ = [
    "ActionLayout",
    "AnyLayout",
    "Bytes",
    "Choice",
    "Choices",
    "Mixed",
    "Vector",
    "known_layouts",
    "layout_of",
    "register_layout",
]
