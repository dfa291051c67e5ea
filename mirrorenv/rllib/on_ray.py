"""Training on Ray: runners and learners are processes of their own, here or on a cluster."""

from __future__ import annotations

import logging
from typing import Any

import ray

from mirrorenv.errors import TrainingError
from mirrorenv.population.population import Population
from mirrorenv.ray_up import bring_ray_up
from mirrorenv.rllib.algorithm import MirrorPPO, MirrorPPOConfig
from mirrorenv.rllib.learner import OBJECTIVE_METRICS
from mirrorenv.rllib.module import MODULE_ID
from mirrorenv.rllib.settings import RunSettings
from mirrorenv.rllib.trainer import AGAIN, Iterated

__all__ = ["OnRay", "algorithm_config", "start_ray"]

# of RLlib's state; no timers
_KEPT = ("env_runner", "learner_group", "training_iteration", "mirror_counters")


def algorithm_config(settings: RunSettings) -> MirrorPPOConfig:
    """The RLlib configuration of a run."""
    config: MirrorPPOConfig = MirrorPPOConfig().environment(
        settings.world, env_config=settings.world_options
    )
    config.mirror_settings = settings.mirror
    config.population_settings = settings.population
    config.learning_settings = settings.learning
    config.total_steps = settings.total_steps
    config.validate_world = settings.validate_world
    resources = settings.resources
    config.env_runners(
        num_env_runners=resources.env_runners, sample_timeout_s=resources.sample_timeout
    )
    config.step_timeout = resources.step_timeout
    config.learners(
        num_learners=resources.learners, num_gpus_per_learner=resources.gpus_per_learner
    )
    config.debugging(seed=settings.seed, log_level="ERROR")
    return config


def start_ray(settings: RunSettings) -> None:
    """Start Ray in this process, or join a cluster; does nothing if it is already up."""
    # RLlib's notes on its API stack are not the user's business (its import sets its own level, so
    # this comes after).
    for name in ("ray", "ray.rllib", "ray.tune"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if ray.is_initialized():
        return
    address = None if settings.resources.address == "local" else settings.resources.address
    actors = settings.resources.env_runners + settings.resources.learners
    try:
        bring_ray_up(address, actors, show_workers=actors > 0)
    except TrainingError as error:
        raise TrainingError(f"{error} {AGAIN}") from error


class OnRay:
    """A `mirrorenv.rllib.trainer.Trainer` that is `MirrorPPO`; Ray must be up.

    Args:
        settings: of the run, settled with its world.
    """

    def __init__(self, settings: RunSettings) -> None:
        self._algorithm: MirrorPPO = algorithm_config(settings).build_algo()

    @property
    def population(self) -> Population:
        """See `Trainer.population`."""
        return self._algorithm.population

    @property
    def iteration(self) -> int:
        """See `Trainer.iteration`."""
        return int(self._algorithm.iteration)

    @property
    def steps_done(self) -> int:
        """See `Trainer.steps_done`."""
        return self._algorithm.steps_done

    def iterate(self) -> Iterated:
        """See `Trainer.iterate`."""
        result = self._algorithm.train()
        runner = result.get("env_runners", {})
        metrics = result.get("learners", {}).get(MODULE_ID, {}).get(OBJECTIVE_METRICS, {})
        return Iterated(
            episode_return=runner.get("episode_return_mean"),
            mirror_return=runner.get("mirror_return_mean"),
            mirror_weight=runner.get("mirror_weight"),
            metrics={name: float(value) for name, value in metrics.items()},
        )

    def get_state(self) -> dict[str, Any]:
        """See `Trainer.get_state`."""
        state = self._algorithm.get_state()
        return {key: state[key] for key in _KEPT if key in state}

    def set_state(self, state: dict[str, Any]) -> None:
        """See `Trainer.set_state`."""
        self._algorithm.set_state(state)

    def stop(self) -> None:
        """See `Trainer.stop`."""
        self._algorithm.stop()
