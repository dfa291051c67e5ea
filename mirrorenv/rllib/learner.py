"""The learner: an optimiser for who acts and one for who recognises, over minibatches of whole
episodes.

A reward other than the mirror has a model, and that has a third.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from ray.rllib.core.rl_module.torch.torch_rl_module import TorchDDPRLModule
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from mirrorenv.errors import TrainingError
from mirrorenv.rllib.module import MODULE_ID, PopulationModule

__all__ = ["PopulationLearner"]

_SLICES = 1_000_003  # spreads (iteration, epoch) over the seeds of the minibatch order


class PopulationLearner(TorchLearner):
    """Takes the loss from the module's training pass; RLlib keeps the learner group, DDP and
    checkpoints."""

    def configure_optimizers_for_module(self, module_id: str, config: Any = None) -> None:
        """One Adam for actors and critics, one for the observer heads, one for a reward's model if
        there is one."""
        learning = population_learning(self)
        observer = self._population_module().population.settings.observer
        for name, part in self._parts():
            rate = learning.learning_rate if name == "actor" else observer.learning_rate
            parameters = list(part.parameters())
            if parameters:
                optimizer = torch.optim.Adam(parameters, lr=rate, eps=1e-5)
                self.register_optimizer(
                    module_id=module_id,
                    optimizer_name=name,
                    optimizer=optimizer,
                    params=parameters,
                    lr_or_lr_schedule=rate,
                )

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: Any, fwd_out: Any
    ) -> torch.Tensor:
        """The loss was computed in the training pass, inside the DDP wrapper; log its parts."""
        self.metrics.log_dict(fwd_out["metrics"], key=module_id, window=None, reduce="mean")
        loss: torch.Tensor = fwd_out["loss"]
        return loss

    def postprocess_gradients(
        self, gradients_dict: dict[Any, torch.Tensor]
    ) -> dict[Any, torch.Tensor]:
        """Clip the gradients of actors, observers and reward apart, so that no one's size throttles
        another.

        Raises:
            TrainingError: if a gradient is not finite (RLlib would set it to zero in silence).
        """
        limit = population_learning(self).grad_norm
        for name, part in self._parts():
            with_gradient = [p for p in part.parameters() if p.grad is not None]
            norm = torch.nn.utils.clip_grad_norm_(with_gradient, limit)
            if not torch.isfinite(norm):
                raise TrainingError(
                    f"the {name}'s gradient is not finite: look for NaN or infinity in the world"
                )
        return {
            key: parameter.grad
            for key, parameter in self._params.items()
            if parameter.grad is not None
        }

    def _create_iterator_if_necessary(
        self, *, training_data: Any, **kwargs: Any
    ) -> Iterator[MultiAgentBatch]:
        # RLlib shuffles minibatches with NumPy's global state; here the order follows from seed and
        # iteration alone, which makes a resumed run equal to an uninterrupted one.
        batch = self._make_batch_if_necessary(training_data=training_data)
        columns = dict(batch.policy_batches[MODULE_ID])
        iteration = int(columns.pop("iteration")[0])
        learning = population_learning(self)
        rows = len(columns["mask"])
        shards = max(1, self.config.num_learners)
        size = max(1, min(rows, learning.minibatch_episodes // shards))
        seed = (self.config.seed or 0) * _SLICES + iteration
        self._population_module().reseed(seed)
        generator = torch.Generator().manual_seed(seed)
        for _ in range(learning.epochs):
            order = torch.randperm(rows, generator=generator)
            for start in range(0, rows - size + 1, size):
                index = order[start : start + size].to(columns["mask"].device)
                minibatch = SampleBatch({name: column[index] for name, column in columns.items()})
                yield MultiAgentBatch({MODULE_ID: minibatch}, env_steps=size)

    def _parts(self) -> list[tuple[str, torch.nn.Module]]:
        """What is optimised apart, by name."""
        module = self._population_module()
        parts = [("actor", module.population.actor), ("observer", module.population.observers)]
        return parts if module.reward is None else [*parts, ("reward", module.reward)]

    def _population_module(self) -> PopulationModule:
        module = self.module[MODULE_ID]
        inner: PopulationModule = (
            module.unwrapped() if isinstance(module, TorchDDPRLModule) else module
        )
        return inner


def population_learning(learner: TorchLearner) -> Any:
    """The run's `LearningSettings`."""
    return learner.config.learning_settings
