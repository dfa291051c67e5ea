"""Training in this process alone: neither runners nor learners, so nothing of Ray is started or
imported.

The same functions as the RLlib runner and learner call, in the same order and with the same seeds:
the weights are equal to the bit, and so is the state that checkpoints keep.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mirrorenv.envs import make_batch
from mirrorenv.envs.checks.validation import validated
from mirrorenv.envs.checks.watch import WatchedWorld
from mirrorenv.population.adam import Adam
from mirrorenv.population.episodes import sample_episodes
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.minibatches import minibatches, update_seed
from mirrorenv.population.objectives.base import Objective
from mirrorenv.population.objectives.updates import (
    after_update,
    clip_gradients,
    learn_from,
    optimiser_groups,
)
from mirrorenv.population.population import Population
from mirrorenv.population.settings import PopulationShape
from mirrorenv.population.train_batch import Columns, learner_columns
from mirrorenv.rllib.settings import RunSettings
from mirrorenv.rllib.trainer import Iterated

__all__ = ["InProcess"]

_MODULE = "default_policy"  # RLlib's name of a module that is the only one


class Learned(nn.Module):
    """A population with what it learns from, named as RLlib's module names it."""

    def __init__(self, settings: RunSettings, shape: PopulationShape) -> None:
        super().__init__()
        self.population = Population(shape, settings.population, settings.seed)
        set_objectives(self.population, settings.mirror, settings.learning, seed=settings.seed)
        payer = self.population.payer
        if payer is not None and payer not in self.population.auxiliaries.values():
            self.reward = payer


class InProcess:
    """A `mirrorenv.rllib.trainer.Trainer` without Ray.

    Those who act are a copy of those who learn, with the weights of the last iteration's end, as
    runners are: what an objective changes while it learns is not seen by who is paying.

    Args:
        settings: of the run, settled with its world.
        shape: what the world fixes.
    """

    def __init__(self, settings: RunSettings, shape: PopulationShape) -> None:
        self.settings = settings
        self._learner = Learned(settings, shape)
        self._actors = Learned(settings, shape)
        groups = optimiser_groups(self._objectives)
        self._optimisers = {
            name: Adam([(parameters, rate)]) for name, (parameters, rate) in groups.items()
        }
        world = make_batch(
            settings.world, settings.learning.episodes_per_iteration, **settings.world_options
        )
        world = validated(world, settings.world) if settings.validate_world else world
        self._world = WatchedWorld(world, settings.world, settings.resources.step_timeout)
        self._next_episode = 0
        self._steps = 0
        self._updates = 0
        self._iteration = 0

    # -- what a run asks ---------------------------------------------------------------------------

    @property
    def population(self) -> Population:
        """See `Trainer.population`."""
        return self._actors.population

    @property
    def iteration(self) -> int:
        """See `Trainer.iteration`."""
        return self._iteration

    @property
    def steps_done(self) -> int:
        """See `Trainer.steps_done`."""
        return self._steps

    def iterate(self) -> Iterated:
        """See `Trainer.iterate`.

        Raises:
            MirrorError: if the world or a number goes wrong.
        """
        settings = self.settings
        last = self._next_episode + settings.learning.episodes_per_iteration
        columns = sample_episodes(
            self._world,
            self.population,
            settings.mirror,
            settings.learning,
            run=settings.seed,
            episodes=np.arange(self._next_episode, last),
            iteration=self._iteration,
        )
        self._next_episode = last
        weight = settings.mirror.weight_at(min(1.0, self._steps / settings.total_steps))
        self._steps += int(columns["mask"].any(axis=2).sum())
        metrics = self._learn(learner_columns(columns, weight))
        self._actors.load_state_dict(self._learner.state_dict())
        self._iteration += 1
        return Iterated(
            episode_return=float(columns["environment_return"].mean()),
            mirror_return=float(columns["mirror_return"].mean()),
            mirror_weight=weight,
            metrics=metrics,
        )

    def get_state(self) -> dict[str, Any]:
        """See `Trainer.get_state`: as RLlib's algorithm writes it."""
        optimisers = {
            f"{_MODULE}_{name}": {"module_id": _MODULE, "state": _plain(optimiser.state_dict())}
            for name, optimiser in self._optimisers.items()
        }
        learner = {
            "weights_seq_no": self._updates,
            "rl_module": {_MODULE: dict(self._learner.state_dict())},
            "optimizer": optimisers,
        }
        return {
            "env_runner": {"weights_seq_no": 0},
            "learner_group": {"learner": learner},
            "training_iteration": self._iteration,
            "mirror_counters": {"next_episode": self._next_episode, "steps": self._steps},
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """See `Trainer.set_state`; RLlib's own states are taken, too."""
        learner = state["learner_group"]["learner"]
        weights = {
            name: torch.as_tensor(value) for name, value in learner["rl_module"][_MODULE].items()
        }
        for module in (self._learner, self._actors):
            module.load_state_dict(weights)
        for name, optimiser in self._optimisers.items():
            kept = learner["optimizer"][f"{_MODULE}_{name}"]["state"]
            optimiser.load_state_dict(kept)
        self._updates = learner["weights_seq_no"]
        self._iteration = state["training_iteration"]
        self._next_episode = state["mirror_counters"]["next_episode"]
        self._steps = state["mirror_counters"]["steps"]

    def stop(self) -> None:
        """See `Trainer.stop`: nothing is held."""

    # -- learning ----------------------------------------------------------------------------------

    @property
    def _objectives(self) -> dict[str, Objective]:
        return self._learner.population.objectives

    def _learn(self, columns: Columns) -> dict[str, float]:
        """All epochs over an iteration's episodes; means of the objectives' metrics."""
        population = self._learner.population
        seed = update_seed(self.settings.seed, self._iteration)
        data = {name: torch.from_numpy(column) for name, column in columns.items()}
        population.reseed(seed)
        learn_from(self._objectives, data)
        found: dict[str, list[Tensor]] = {}
        for minibatch in minibatches(data, self.settings.learning, seed):
            output = population.output(minibatch)
            loss, metrics = population.loss(minibatch, output)
            for optimiser in self._optimisers.values():
                optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            clip_gradients(self._objectives, population)
            for optimiser in self._optimisers.values():
                optimiser.step()
            after_update(self._objectives, output, minibatch)
            for name, value in metrics.items():
                found.setdefault(name, []).append(torch.as_tensor(value))
        self._updates += 1
        return {
            name: float(torch.stack(values).float().nanmean()) for name, values in found.items()
        }


def _plain(tree: Any) -> Any:
    """An optimiser's state as RLlib writes it: step counts are numbers, all else stays."""
    if isinstance(tree, dict):
        return {
            key: float(value) if key == "step" else _plain(value) for key, value in tree.items()
        }
    return tree
