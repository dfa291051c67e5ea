"""The population as one RLModule.

One module and so one DistributedDataParallel wrapper: with a module for each agent, RLlib 2.60
pairs different modules' gradients across learners without an error.
"""

from __future__ import annotations

from typing import Any

from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.rl_module.torch import TorchRLModule

from mirrorenv.population.learning import set_objectives
from mirrorenv.population.objectives.base import Batch, HiddenStates
from mirrorenv.population.objectives.updates import after_update, clip_gradients
from mirrorenv.population.population import Population
from mirrorenv.population.settings import (
    LearningSettings,
    MirrorSettings,
    PopulationSettings,
    PopulationShape,
)

__all__ = ["MODULE_ID", "PopulationModule"]

MODULE_ID = DEFAULT_MODULE_ID


class PopulationModule(TorchRLModule):
    """Holds a `Population`; its training pass returns the loss of a minibatch of whole episodes."""

    def setup(self) -> None:
        """Build the population from `model_config` (shape, population, mirror, learning, seed)."""
        config = self.model_config
        self.population = Population(
            PopulationShape(**config["shape"]),
            PopulationSettings(**config["population"]),
            config["seed"],
        )
        set_objectives(
            self.population,
            MirrorSettings(**config["mirror"]),
            LearningSettings(**config["learning"]),
            seed=config["seed"],
        )
        payer = self.population.payer
        if payer is not None and payer not in self.population.auxiliaries.values():
            self.reward = payer  # a reward's model is state of the run, not of the population
        self._newest: tuple[HiddenStates, Batch] | None = None

    def _forward_train(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        output = self.population.output(batch)
        loss, metrics = self.population.loss(batch, output)
        self._newest = (output, batch)
        return {"loss": loss, "metrics": metrics}

    def clip_gradients(self) -> None:
        """Clip the gradients of each objective's parts apart; see
        `mirrorenv.population.objectives.updates.clip_gradients`."""
        clip_gradients(self.population.objectives, self.population)

    def after_update(self) -> None:
        """Let objectives change their state after an optimiser step."""
        if self._newest is not None:
            after_update(self.population.objectives, *self._newest)
            self._newest = None

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        raise NotImplementedError(
            "a population acts through Population.actor.step, not through single observations"
        )
