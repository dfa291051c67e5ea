"""The population as one RLModule.

One module and so one DistributedDataParallel wrapper: with a module for each agent, RLlib 2.60
pairs different modules' gradients across learners without an error.
"""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.torch import TorchRLModule

from mirrorenv.population.objectives import build_reward, observer_loss, ppo_loss, read_minibatch
from mirrorenv.population.population import Population
from mirrorenv.population.settings import LearningSettings, PopulationSettings, PopulationShape

__all__ = ["MODULE_ID", "PopulationModule"]

MODULE_ID = DEFAULT_MODULE_ID


class PopulationModule(TorchRLModule):
    """Holds a `Population`; its training pass returns the loss of a minibatch of whole episodes."""

    def setup(self) -> None:
        """Build the population from `model_config` (shape, population, learning, seed, reward)."""
        config = self.model_config
        self.learning = LearningSettings(**config["learning"])
        self.population = Population(
            PopulationShape(**config["shape"]),
            PopulationSettings(**config["population"]),
            config["seed"],
        )
        self.reward = build_reward(
            config.get("reward", "mirror"),
            self.population.shape,
            self.population.settings.observer,
            config["seed"],
        )
        self._choices = torch.Generator()

    def reseed(self, seed: int) -> None:
        """Fix which slots and prefixes the next update reads; called before each, so that a resumed
        run agrees."""
        self._choices.manual_seed(seed)

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        output = self.population.actor.sequence(batch["observations"], batch["mask"])
        policy, metrics = ppo_loss(output, batch, self.learning)
        reading = read_minibatch(
            self.population, batch, self.population.settings.observer, self._choices
        )
        observers, observer_metrics = observer_loss(self.population, reading)
        metrics |= observer_metrics
        if self.reward is None:
            return {"loss": policy + observers, "metrics": metrics}
        reward = self.reward.loss(self.population, batch)
        return {
            "loss": policy + observers + reward,
            "metrics": {**metrics, "reward_loss": reward.detach()},
        }

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        raise NotImplementedError(
            "a population acts through Population.actor.step, not through single observations"
        )
