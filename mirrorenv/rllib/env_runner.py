"""The env runner: whole episodes of a batched world as plain arrays, the mirror reward included."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np
import torch
from ray.rllib.core import COMPONENT_RL_MODULE
from ray.rllib.env import INPUT_ENV_SPACES
from ray.rllib.env.env_runner import EnvRunner
from ray.rllib.utils.checkpoints import Checkpointable

from mirrorenv.envs.checks.watch import WatchedWorld
from mirrorenv.errors import ConfigError, MirrorError, TrainingError
from mirrorenv.mirror.arrays import Ints64
from mirrorenv.population.allocator import keep_memory
from mirrorenv.population.episodes import sample_episodes
from mirrorenv.population.experience import HELD_OUT_EPISODES
from mirrorenv.population.train_batch import Columns
from mirrorenv.rllib.module import MODULE_ID, PopulationModule
from mirrorenv.rllib.worlds import make_world, world_name

__all__ = ["PopulationEnvRunner"]


class PopulationEnvRunner(EnvRunner, Checkpointable):
    """Plays the episodes it is told to: their worlds follow from their ids, whoever plays them.

    The agents' random choices follow from the run's seed, the iteration and the runner's share of
    the episodes, so a run is repeatable for a given number of runners.
    """

    def __init__(self, *, config: Any, **kwargs: Any) -> None:
        super().__init__(config=config, **kwargs)
        torch.set_num_threads(1)  # many small matrices: a second thread makes them slower
        self.worker_index: int = self.worker_index or 0
        if self.worker_index:  # a process of its own
            keep_memory()
        self._weights_seq_no = 0
        self._worlds: dict[int, Any] = {}
        self._asked = 0  # episodes that were sampled without ids
        self.make_module()

    def make_env(self) -> None:
        """Forget the worlds; they are made again when needed."""
        self._worlds.clear()

    def make_module(self) -> None:
        """Build the population from the config."""
        spec = self.config.get_multi_rl_module_spec(spaces=self.get_spaces(), inference_only=False)
        self.multi_module = spec.build()
        self.module: PopulationModule = self.multi_module[MODULE_ID]

    def sample(
        self,
        *,
        episodes: Ints64 | None = None,
        iteration: int = 0,
        num_episodes: int | None = None,
        num_timesteps: int | None = None,
        explore: bool | None = None,
        random_actions: bool = False,
        force_reset: bool = False,
    ) -> Columns:
        """Play the episodes with these ids, or as many as RLlib's own arguments ask for: these are
        never trained on, and others in every call.

        Args:
            episodes: (B,) ids.
            iteration: number of the training iteration, a seed of the agents' choices.
            num_episodes: how many, if no ids are given; by default as in an iteration.
            num_timesteps: in place of it; whole episodes of at least so many steps.
            explore: None or True; agents draw their actions.
            random_actions: not to be had.
            force_reset: every call starts its episodes.

        Returns:
            columns of `mirrorenv.population.train_batch.train_batch`, a row for each episode.

        Raises:
            ConfigError: for `explore=False` and `random_actions=True`.
        """
        if explore is False or random_actions:
            raise ConfigError(
                "MirrorPPO: agents draw their actions from their policies, of which the exact "
                "limit is; explore=False and random_actions=True have no meaning here"
            )
        if episodes is None:
            if num_timesteps is not None:
                num_episodes = -(-num_timesteps // self._world(1).horizon)
            asked = num_episodes or self.config.learning_settings.episodes_per_iteration
            first = HELD_OUT_EPISODES + self._asked
            self._asked += asked
            episodes = np.arange(first, first + asked)
        columns = sample_episodes(
            self._world(len(episodes)),
            self.module.population,
            self.config.mirror_settings,
            self.config.learning_settings,
            run=int(self.config.seed or 0),
            episodes=episodes,
            iteration=iteration,
        )
        self.num_env_steps_sampled_lifetime += int(columns["mask"].any(axis=2).sum())
        return columns

    def attempt(self, *, episodes: Ints64, iteration: int) -> Columns | MirrorError:
        """`sample`, with what went wrong as an answer: an exception would end this actor, and its
        reason with it."""
        try:
            return self.sample(episodes=episodes, iteration=iteration)
        except MirrorError as error:
            return type(error)(f"env runner {self.worker_index}: {error}")
        except Exception as error:
            where = f"env runner {self.worker_index}, iteration {iteration + 1}"
            return TrainingError(
                f"{where}: {type(error).__name__}: {error}\n{traceback.format_exc()}"
            )

    def _world(self, size: int) -> Any:
        if size not in self._worlds:
            world = make_world(self.config, size)
            self._worlds[size] = WatchedWorld(
                world, world_name(self.config), self.config.step_timeout
            )
        return self._worlds[size]

    # -- what RLlib asks of a runner ---------------------------------------------------------------

    def get_spaces(self) -> dict[str, Any]:
        """Spaces of one agent, which are those of the module."""
        spaces = self.config.world_spaces()
        return {INPUT_ENV_SPACES: spaces, MODULE_ID: spaces}

    def get_metrics(self) -> dict[str, Any]:
        """Metrics travel with the samples."""
        metrics: dict[str, Any] = self.metrics.reduce()
        return metrics

    def assert_healthy(self) -> None:
        """A runner is healthy once its population is built."""
        if self.module is None:
            raise AssertionError("the population was not built")

    def get_state(
        self, components: Any = None, *, not_components: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        """Weights, if asked for."""
        state: dict[str, Any] = {"weights_seq_no": self._weights_seq_no}
        if self._check_component(COMPONENT_RL_MODULE, components, not_components):
            state[COMPONENT_RL_MODULE] = self.multi_module.get_state()
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over weights, observer heads included."""
        if COMPONENT_RL_MODULE in state:
            import ray

            weights = state[COMPONENT_RL_MODULE]
            if isinstance(weights, ray.ObjectRef):
                weights = ray.get(weights)
            self.multi_module.set_state(weights)

    def set_weights(self, weights: dict[str, Any]) -> None:
        """Take over weights as `Algorithm.get_weights` gives them."""
        self.set_state({COMPONENT_RL_MODULE: weights})

    def get_ctor_args_and_kwargs(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Used by RLlib to write checkpoints."""
        return (), {"config": self.config}

    def get_metadata(self) -> dict[str, Any]:
        """Used by RLlib to write checkpoints."""
        metadata: dict[str, Any] = super().get_metadata()
        return metadata

    def stop(self) -> None:
        """Nothing to release."""
