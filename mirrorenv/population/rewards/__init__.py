"""Intrinsic rewards beside the mirror: one file and one `@register_reward(...)` each."""

from mirrorenv.population.rewards.base import (
    REWARDS,
    IntrinsicReward,
    build_reward,
    register_reward,
)
from mirrorenv.population.rewards.cds import DivergenceReward
from mirrorenv.population.rewards.diayn import DiscriminatorReward
from mirrorenv.population.rewards.eoi import IndividualityReward

__all__ = [
    "REWARDS",
    "DiscriminatorReward",
    "DivergenceReward",
    "IndividualityReward",
    "IntrinsicReward",
    "build_reward",
    "register_reward",
]
