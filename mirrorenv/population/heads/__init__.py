"""Observer heads: one file and one `@register_head(...)` each."""

from mirrorenv.population.heads.additive import AdditiveHead
from mirrorenv.population.heads.base import HEADS, Head, LineupTensors, build_head, register_head

__all__ = ["HEADS", "AdditiveHead", "Head", "LineupTensors", "build_head", "register_head"]
