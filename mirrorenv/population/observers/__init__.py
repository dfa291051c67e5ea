"""Observer heads: one file and one `@register_head(...)` each."""

from mirrorenv.population.observers.additive import AdditiveHead
from mirrorenv.population.observers.base import (
    HEADS,
    Head,
    LineupTensors,
    build_head,
    check_reads_neighbourhoods,
    register_head,
    row_log_belief,
)
from mirrorenv.population.observers.gru import GRUHead, GRUStateHead
from mirrorenv.population.observers.joint import JointHead
from mirrorenv.population.observers.likelihood import LikelihoodHead, RecurrentLikelihoodHead

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
    "check_reads_neighbourhoods",
    "register_head",
    "row_log_belief",
]
