"""The objectives that this room brings; found by :mod:`mirrorenv.population.objectives.base`."""

from __future__ import annotations

from mirrorenv.bytes.conclusions import Conclusions
from mirrorenv.bytes.set_points import SetPoints

__all__ = ["Conclusions", "SetPoints"]
