"""The kinds of agent that this room brings; found by :mod:`mirrorenv.population.actors.build`."""

from __future__ import annotations

from mirrorenv.bytes.byt5 import ByT5Actor
from mirrorenv.bytes.transformer import ByteTransformer

__all__ = ["ByT5Actor", "ByteTransformer"]
