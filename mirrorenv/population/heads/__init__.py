"""Observer heads: one file and one `@register_head(...)` each."""

from mirrorenv.population.heads.additive import AdditiveHead
from mirrorenv.population.heads.base import HEADS, Head, LineupTensors, build_head, register_head, row_log_belief
from mirrorenv.population.heads.gru import GRUHead, GRUStateHead
from mirrorenv.population.heads.joint import JointHead
from mirrorenv.population.heads.likelihood import LikelihoodHead, RecurrentLikelihoodHead

__all__ = [
    "HEADS",
    "AdditiveHead",
    "GRUHead",
    "GRUStateHead",
    "Head",
    "JointHead",
    "LikelihoodHead",
    "LineupTensors",
    "RecurrentLikelihoodHead",
    "build_head",
    "register_head",
    "row_log_belief",
]
