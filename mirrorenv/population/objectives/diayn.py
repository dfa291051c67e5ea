"""The reward of DIAYN (Eysenbach et al., "Diversity is all you need", ICLR 2019, arXiv 1802.06070),
agents as skills.

`r_t = (log q(i | o_t) - log p(i)) / T` with p uniform: what the discriminator makes of a single
observation, in nats. What is not kept of the paper: soft actor-critic; the entropy of the policies
is that of `learning.entropy`.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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
from mirrorenv.population.population import Population

__all__ = ["DiscriminatorReward"]


@register_objective("diayn")
class DiscriminatorReward(IntrinsicReward):
    """log N + log q(i | o_t) at every step: zero where no one is known, at most log N in an
    episode."""

    def __init__(self, settings: ObjectiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        self.classifier = AuthorClassifier(self.shape, host.observer, generator)

    def model_loss(self, population: Population, batch: Batch) -> Tensor:
        """See `IntrinsicReward.model_loss`: cross-entropy in nats."""
        seen, authors, weight = live_rows(batch)
        logits = self.classifier(seen)
        if weight is not None:
            losses = nn.functional.cross_entropy(logits, authors, reduction="none")
            return mean_of(losses, weight)
        return nn.functional.cross_entropy(logits, authors)

    def steps(self, population: Population, experience: Experience) -> NDArray[np.floating]:
        """See `IntrinsicReward.steps`."""
        own: NDArray[np.floating] = self.classifier.log_own(
            as_floats(torch.from_numpy(experience.observations))
        ).numpy()
        return own + math.log(self.num_agents)
