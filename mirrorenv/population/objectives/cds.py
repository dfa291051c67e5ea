"""CDS style (Li et al., "Celebrating diversity in shared multi-agent reinforcement learning",
NeurIPS 2021).

The paper bounds the information between an agent's name and its trajectory by two ratios, what it
does and what comes of it::

    r_t = ( log pi_i(a_t | h_t) / mean_j pi_j(a_t | h_t)
            +  log q(o_t+1 | o_t, a_t, i) / p(o_t+1 | o_t, a_t) ) / T

The first is exact here: every policy j is asked about agent i's history, its memory replayed. The
second is that of two Gaussians of variance 1 around learned predictions, one told the name and one
not, that is half the difference of their squared errors; nothing follows the last step, which is
paid the first part only.

Style, because it is not the paper's algorithm: no Q-learning and no mixer, so the action's part is
the logarithm at the action taken, which a policy gradient needs, and not a divergence of softened
values; each agent is paid for itself, not the team's mean; both parts have weight 1, while the
released program has 0.5 on `log q` alone and so pays for bad predictions, too; predictions are
from single observations; and there is no L1 cost on what agents do not share.

Shapes: B episodes, T time, N agents, D observation, A action.
"""

from __future__ import annotations

import math

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
from mirrorenv.population.objectives.intrinsic import IntrinsicReward, Network
from mirrorenv.population.population import Population
from mirrorenv.population.reading import policy_log_probabilities

__all__ = ["DivergenceReward"]


@register_objective("cds")
class DivergenceReward(IntrinsicReward):
    """The action's log ratio, at most log N in an episode, and the prediction's, which has no
    bound."""

    def __init__(self, settings: ObjectiveSettings, host: Host, generator: torch.Generator) -> None:
        super().__init__(settings, host, generator)
        seen = self.shape.observation_size
        done = self.shape.action_features
        self.named = Network(seen + done + self.num_agents, host.observer.hidden, seen, generator)
        self.nameless = Network(seen + done, host.observer.hidden, seen, generator)

    def model_loss(self, population: Population, batch: Batch) -> Tensor:
        """See `IntrinsicReward.model_loss`: both models' negative log likelihood in nats, up to a
        constant."""
        errors = sum(self._errors(population, batch["observations"], batch["actions"]))
        happened = batch["mask"][:, 1:]  # an agent's steps are contiguous from 0
        total: Tensor = (errors * happened).sum() / happened.sum().clamp_min(1.0)
        return total

    def steps(self, population: Population, experience: Experience) -> NDArray[np.floating]:
        """See `IntrinsicReward.steps`."""
        log_p = policy_log_probabilities(population, experience)  # (B, T, K, N)
        own = np.diagonal(log_p, axis1=2, axis2=3)  # (B, T, N)
        anybody = np.logaddexp.reduce(log_p, axis=3) - math.log(self.num_agents)
        paid: NDArray[np.floating] = own - anybody
        observations = as_floats(torch.from_numpy(experience.observations))
        actions = torch.from_numpy(experience.actions)
        named, nameless = self._errors(population, observations, actions)
        paid[:, :-1] += np.where(experience.mask[:, 1:], (nameless - named).numpy(), 0.0)
        return paid

    def _errors(
        self, population: Population, observations: Tensor, actions: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Half the squared error of predicting what follows, with and without the name: (B, T - 1,
        N) each."""
        # (B, T - 1, N, D + A)
        before = torch.cat([observations, population.action_features(actions)], -1)[:, :-1]
        names = torch.eye(self.num_agents, device=before.device).expand(*before.shape[:2], -1, -1)
        after = observations[:, 1:]
        named = self.named(torch.cat([before, names], -1)) - after
        nameless = self.nameless(before) - after
        return 0.5 * named.square().sum(-1), 0.5 * nameless.square().sum(-1)
