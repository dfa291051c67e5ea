"""EOI (Jiang and Lu, "The emergence of individuality", ICML 2021, arXiv 2006.05842) on the policy
gradient.

`r_t = p(i | o_t) / T`: the probability, not its logarithm, that a classifier of single
observations gives to the author. What is kept of the paper: the classifier, its loss with the
coefficients of the released program EOI_on_SMAC (`mirrorenv.population.observers.baselines.eoi`),
the probability as reward, and a critic of its own with a discount. What is not: the off-policy
learners it was built on, the positive distance (switched off as released, too) and the factor of
10.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirrorenv.population.columns import as_floats
from mirrorenv.population.experience import Experience
from mirrorenv.population.objectives.base import (
    Batch,
    Host,
    ObjectiveSettings,
    register_objective,
)
from mirrorenv.population.objectives.intrinsic import (
    AuthorClassifier,
    IntrinsicReward,
    live_rows,
    mean_of,
)
from mirrorenv.population.observers.baselines.eoi import eoi_loss, eoi_losses
from mirrorenv.population.population import Population

__all__ = ["IndividualityReward"]

BETA_2 = 0.2  # weight of the conditional entropy, as released


@register_objective("eoi")
class IndividualityReward(IntrinsicReward):
    """p(i | o_t) at every step: between 0 and 1 in an episode, 1/N where no one is known."""

    def __init__(self, settings: ObjectiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.classifier = AuthorClassifier(self.shape, host.observer, generator)

    def model_loss(self, population: Population, batch: Batch) -> Tensor:
        """See `IntrinsicReward.model_loss`."""
        seen, authors, weight = live_rows(batch)
        logits = self.classifier(seen)
        if weight is not None:
            return mean_of(eoi_losses(logits, logits, authors, beta_1=0.0, beta_2=BETA_2), weight)
        return eoi_loss(logits, logits, authors, beta_1=0.0, beta_2=BETA_2)

    def steps(self, population: Population, experience: Experience) -> NDArray[np.floating]:
        """See `IntrinsicReward.steps`."""
        own: NDArray[np.floating] = (
            self.classifier.log_own(as_floats(torch.from_numpy(experience.observations)))
            .exp()
            .numpy()
        )
        return own
