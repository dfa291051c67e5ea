"""What a population learns from, one file each: its policy gradient, the names it is taught, and
rewards that it pays itself."""

from mirrorenv.population.objectives.cds import DivergenceReward
from mirrorenv.population.objectives.diayn import DiscriminatorReward
from mirrorenv.population.objectives.eoi import IndividualityReward
from mirrorenv.population.objectives.intrinsic import (
    REWARDS,
    IntrinsicReward,
    build_reward,
    register_reward,
)
from mirrorenv.population.objectives.ppo import ppo_loss
from mirrorenv.population.objectives.recognition import Reading, observer_loss, read_minibatch

__all__ = [
    "REWARDS",
    "DiscriminatorReward",
    "DivergenceReward",
    "IndividualityReward",
    "IntrinsicReward",
    "Reading",
    "build_reward",
    "observer_loss",
    "ppo_loss",
    "read_minibatch",
    "register_reward",
]
