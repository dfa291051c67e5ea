"""The population as one RLModule.

One module and so one DistributedDataParallel wrapper: with a module for each agent, RLlib 2.60
pairs different modules' gradients across learners without an error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from ray.rllib.core import DEFAULT_MODULE_ID
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.torch import TorchRLModule

from mirrorenv.errors import ConfigError, ShapeError
from mirrorenv.population.columns import as_floats
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
        self._draws = torch.Generator().manual_seed(config["seed"])  # of actions that are served
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

    @torch.no_grad()
    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """One step of the agents, as `forward_inference` and `forward_exploration` serve it. Agents
        draw their actions in both: that is the policy which was trained and is recognised.

        Args:
            batch: `obs` (B, N, *obs) of all agents; or (B, *obs) of one, with its number from 0 as
                `agent`. `state_in` is the `state_out` of the step before; without it an episode
                begins.
            **kwargs: RLlib's; not read.

        Returns:
            `actions` in the world's bounds, (B, N, ...) or (B, ...); `action_logp` of the same
            leading axes; `state_out`.
        """
        population = self.population
        shape = population.shape
        seen = torch.as_tensor(batch[Columns.OBS])
        agent = batch.get("agent")
        rows = len(seen)
        whole = torch.zeros(rows, shape.num_agents, shape.observation_size)
        place = slice(None) if agent is None else _number(agent, shape.num_agents)
        wanted = whole[:, place]
        if seen.numel() != wanted.numel():
            size = shape.observation_size
            raise ShapeError(
                f"obs has shape {tuple(seen.shape)}; give (B, {shape.num_agents}, {size}) numbers, "
                f"one row for each agent, or (B, {size}) with 'agent': its number"
            )
        whole[:, place] = as_floats(seen).reshape(wanted.shape)
        memory = batch.get(Columns.STATE_IN) or population.actor.initial_state(rows)
        output, after = population.actor.step(whole, memory)
        chosen = output.distribution.sample(self._draws)
        logp = output.distribution.log_probability(chosen)[:, place]
        actions = torch.from_numpy(shape.actions.to_world(chosen.numpy()))[:, place]
        return {Columns.ACTIONS: actions, Columns.ACTION_LOGP: logp, Columns.STATE_OUT: after}


def _number(agent: Any, agents: int) -> int:
    """The number of one agent, checked."""
    values = np.unique(np.asarray(agent))
    if len(values) != 1 or values[0] not in range(agents):
        raise ConfigError(f"agent must be one number from 0 to {agents - 1}, got {agent!r}")
    return int(values[0])
