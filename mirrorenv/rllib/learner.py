"""The learner: an optimiser for every part of every objective, minibatches of whole episodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.rl_module.torch.torch_rl_module import TorchDDPRLModule
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from mirrorenv.population.minibatches import minibatches, update_seed
from mirrorenv.population.objectives.updates import learn_from, optimiser_groups
from mirrorenv.rllib.module import MODULE_ID, PopulationModule

__all__ = ["OBJECTIVE_METRICS", "PopulationLearner"]

OBJECTIVE_METRICS = "objectives"
"""Where a module's results hold the metrics of its objectives, by name."""


class PopulationLearner(TorchLearner):
    """Takes the loss from the module's training pass; RLlib keeps the learner group, DDP and
    checkpoints."""

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """One Adam for each part that an objective optimises: actors and critics, observer heads,
        and what rewards and auxiliaries have."""
        objectives = self._population_module().population.objectives
        for name, (parameters, rate) in optimiser_groups(objectives).items():
            self.register_optimizer(
                module_id=module_id,
                optimizer_name=name,
                optimizer=torch.optim.Adam(parameters, lr=rate, eps=1e-5),
                params=parameters,
                lr_or_lr_schedule=rate,
            )

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: Any, fwd_out: Any
    ) -> torch.Tensor:
        """See `TorchLearner.compute_loss_for_module`. The loss was computed in the training pass,
        inside the DDP wrapper; here its parts are logged."""
        place = (module_id, OBJECTIVE_METRICS)
        self.metrics.log_dict(fwd_out["metrics"], key=place, window=None, reduce="mean")
        loss: torch.Tensor = fwd_out["loss"]
        return loss

    def postprocess_gradients(
        self, gradients_dict: dict[Any, torch.Tensor]
    ) -> dict[Any, torch.Tensor]:
        """Clip the gradients of each part apart, so that no one's size throttles another.

        Raises:
            TrainingError: if a gradient is not finite (RLlib would set it to zero in silence).
        """
        self._population_module().clip_gradients()
        return {
            key: parameter.grad
            for key, parameter in self._params.items()
            if parameter.grad is not None
        }

    def apply_gradients(self, gradients_dict: dict[Any, torch.Tensor]) -> None:
        """Step the optimisers, then let objectives change what no gradient changes."""
        super().apply_gradients(gradients_dict)
        self._population_module().after_update()

    def _create_iterator_if_necessary(
        self, *, training_data: Any, **kwargs: Any
    ) -> Iterator[MultiAgentBatch]:
        # RLlib shuffles minibatches with NumPy's global state; here the order follows from seed and
        # iteration alone, which makes a resumed run equal to an uninterrupted one.
        batch = self._make_batch_if_necessary(training_data=training_data)
        columns = dict(batch.policy_batches[MODULE_ID])
        iteration = int(columns.pop("iteration")[0])
        learning = population_learning(self)
        shards = max(1, self.config.num_learners)
        seed = update_seed(self.config.seed or 0, iteration)
        population = self._population_module().population
        population.reseed(seed)
        learn_from(population.objectives, columns)
        for minibatch in minibatches(columns, learning, seed, shards=shards):
            size = len(minibatch["mask"])
            yield MultiAgentBatch({MODULE_ID: SampleBatch(minibatch)}, env_steps=size)

    def _population_module(self) -> PopulationModule:
        module = self.module[MODULE_ID]
        inner: PopulationModule = (
            module.unwrapped() if isinstance(module, TorchDDPRLModule) else module
        )
        return inner


def population_learning(learner: TorchLearner) -> Any:
    """The run's `LearningSettings`."""
    return learner.config.learning_settings
