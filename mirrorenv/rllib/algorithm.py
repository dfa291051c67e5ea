"""MirrorPPO: proximal policy optimisation of a population that is paid for being recognised."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from ray.exceptions import RayError
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.policy.sample_batch import MultiAgentBatch, SampleBatch

from mirrorenv.envs import spec
from mirrorenv.errors import ConfigError, MirrorError, TrainingError
from mirrorenv.mirror.arrays import join_columns
from mirrorenv.population.checkpoint import save_population
from mirrorenv.population.population import Population
from mirrorenv.population.settings import LearningSettings, MirrorSettings, PopulationSettings
from mirrorenv.population.train_batch import Columns, learner_columns
from mirrorenv.rllib.checked_settings import Settled, settle
from mirrorenv.rllib.env_runner import PopulationEnvRunner
from mirrorenv.rllib.guards import until_sampled
from mirrorenv.rllib.held_out import check_evaluation, evaluated
from mirrorenv.rllib.ignored import LEARNING_NAMES, check_nothing_ignored, without_search
from mirrorenv.rllib.learner import OBJECTIVE_METRICS, PopulationLearner
from mirrorenv.rllib.module import MODULE_ID, PopulationModule
from mirrorenv.rllib.worlds import environment_name, make_world

__all__ = ["MirrorPPO", "MirrorPPOConfig"]

logger = logging.getLogger(__name__)


class MirrorPPOConfig(PPOConfig):
    """Configuration of `MirrorPPO`.

    >>> config = MirrorPPOConfig().environment("mirrorenv/ants-v0").mirror(weight=1.0)

    RLlib's own options hold for resources (`env_runners`, `learners`), `debugging(seed=...)` and
    `environment`. What is learned and how is set by `mirror`, `population` and `learning`.
    """

    def __init__(self, algo_class: type | None = None) -> None:
        super().__init__(algo_class=algo_class or MirrorPPO)
        self.mirror_settings = MirrorSettings()
        self.population_settings = PopulationSettings()
        self.learning_settings = LearningSettings()
        self.total_steps: int | None = None
        self.env_runner_cls = PopulationEnvRunner
        self.num_env_runners = 0
        self.sample_timeout_s = 3600.0  # RLlib's 60 s would throw away the samples of a slow world
        self.validate_world = True  # look at everything the world answers
        self.step_timeout = 300.0  # seconds for one reset or step of a batch; 0 waits for ever
        self.seed = 0
        self._settled: dict[str, Any] = {}  # a dictionary, since configs freeze

    def environment(self, *env: Any, **settings: Any) -> Self:
        """RLlib's `environment`. Its `env` may also be any PettingZoo environment: a path, a class
        or a function.

        >>> config = MirrorPPOConfig()
        >>> config.environment("package.module:Env", env_config={"horizon": 100})
        """
        given = {"env": environment_name(settings.pop("env"))} if "env" in settings else {}
        super().environment(*map(environment_name, env), **given, **settings)
        return self

    def mirror(self, **settings: Any) -> Self:
        """Set the mirror reward: fields of `MirrorSettings` (weight, credit, timing, control,
        ...)."""
        without_search("mirror", settings)
        self.mirror_settings = MirrorSettings.checked(
            {**self.mirror_settings.model_dump(), **settings}, "mirror"
        )
        return self

    def population(self, **settings: Any) -> Self:
        """Set who acts and recognises: fields of `PopulationSettings` (weights, actor, hidden,
        observer, ...)."""
        without_search("population", settings)
        self.population_settings = PopulationSettings.checked(
            {**self.population_settings.model_dump(), **settings}, "population"
        )
        return self

    def learning(self, total_steps: int | None = None, **settings: Any) -> Self:
        """Set the optimisation: fields of `LearningSettings`; `total_steps` ends the schedule of
        the mirror weight."""
        without_search("learning", settings)
        self.learning_settings = LearningSettings.checked(
            {**self.learning_settings.model_dump(), **settings}, "learning"
        )
        self.total_steps = total_steps if total_steps is not None else self.total_steps
        return self

    def __setattr__(self, name: str, value: Any) -> None:
        """RLlib's, which keeps a frozen config as it is; what RLlib calls `lr` and its like is
        `learning` by another name, and both stay equal."""
        super().__setattr__(name, value)
        if name in LEARNING_NAMES and "learning_settings" in vars(self):
            field = LEARNING_NAMES[name]
            if getattr(self.learning_settings, field) != value:
                self.learning(**{field: value})
        elif name == "learning_settings":
            for theirs, field in LEARNING_NAMES.items():
                super().__setattr__(theirs, getattr(value, field))

    def training(self, **settings: Any) -> Self:
        """RLlib's `training` options have other names here: refuse them rather than ignore them.

        Raises:
            TypeError: if any option is given.
        """
        for name in ("model", "optimizer", "replay_buffer_config"):
            # Ray Tune hands these old-stack defaults back when it rebuilds a config
            settings.pop(name, None)
        if settings:
            known = ", ".join(LearningSettings.model_fields)
            raise TypeError(
                f"MirrorPPOConfig.training() does not know {', '.join(settings)}: use "
                f".learning(...) with {known}"
            )
        return self

    def update_from_dict(self, config_dict: Mapping[str, Any]) -> Self:
        """RLlib's own; the entries `mirror`, `population` and `learning` go to the methods of these
        names.

        So a search space may vary them: `{**config.to_dict(), "mirror": {"weight":
        tune.grid_search([0.0, 1.0])}}`.
        """
        ours = {
            name: config_dict[name]
            for name in ("mirror", "population", "learning")
            if name in config_dict
        }
        super().update_from_dict(
            {name: value for name, value in config_dict.items() if name not in ours}
        )
        # after `learning_settings`, which `to_dict` holds too, so that a search over lr counts
        for name in LEARNING_NAMES:
            if name in config_dict:
                setattr(self, name, config_dict[name])
        for name, settings in ours.items():
            getattr(self, name)(**settings)
        return self

    def world_spaces(self) -> tuple[Any, Any]:
        """Observation and action space of one agent."""
        return self.settled().spaces

    def get_default_rl_module_spec(self) -> RLModuleSpec:
        """One module for the whole population."""
        settled = self.settled()
        return RLModuleSpec(
            module_class=PopulationModule,
            model_config={
                "shape": settled.shape.model_dump(),
                "population": settled.population.model_dump(),
                "learning": self.learning_settings.model_dump(),
                "seed": int(self.seed or 0),
                "mirror": self.mirror_settings.model_dump(),
            },
        )

    def get_default_learner_class(self) -> type:
        """The population's learner."""
        return PopulationLearner

    def validate(self) -> None:
        """Check what RLlib does not, options without effect among it."""
        if not self.in_evaluation:
            check_nothing_ignored(self, type(self)())
            check_evaluation(self)
        super().validate()
        if self.mirror_settings.final_weight is not None and not self.total_steps:
            raise ConfigError(
                "mirror.final_weight is reached at the end of the run, and nothing says when that "
                "is: give .learning(total_steps=...)"
            )
        self.settled()  # an unknown world is refused here, before any actor starts

    def settled(self) -> Settled:
        """What the world makes of these settings: found out once for all who ask, by making one
        copy of it.

        Raises:
            MirrorError: for whatever is wrong with the world, the population or the reward.
        """
        asked = (
            self.env,
            repr(self.env_config),
            self.validate_world,
            self.population_settings,
            self.mirror_settings,
        )
        if self._settled.get("asked") != asked:
            made = settle(make_world(self, 1), self.population_settings, self.mirror_settings)
            self._settled.update(asked=asked, made=made)
        found: Settled = self._settled["made"]
        return found


class MirrorPPO(PPO):
    """Sample whole episodes, pay for recognition, update actors and observers, send all weights to
    the runners."""

    @classmethod
    def get_default_config(cls) -> MirrorPPOConfig:
        """The default configuration."""
        return MirrorPPOConfig()

    @classmethod
    def from_checkpoint(cls, path: Any, *args: Any, **kwargs: Any) -> MirrorPPO:
        """RLlib's, which takes no relative path."""
        found = Path(path).absolute() if isinstance(path, str) and "://" not in path else path
        made: MirrorPPO = super().from_checkpoint(found, *args, **kwargs)
        return made

    def setup(self, config: Any) -> None:
        """Build runners and learners."""
        self._next_episode = 0
        self._steps = 0
        super().setup(config)

    @property
    def population(self) -> Population:
        """The local copy of the population with the newest weights."""
        module: PopulationModule = self.env_runner.module
        return module.population

    def step(self) -> dict[str, Any]:
        """RLlib's step. Metrics of objectives stand under `objectives` and, for whoever asks for
        one by its name alone, beside RLlib's own."""
        result: dict[str, Any] = super().step()
        learner = result.get("learners", {}).get(MODULE_ID, {})
        for name, value in learner.get(OBJECTIVE_METRICS, {}).items():
            learner.setdefault(name, value)
        return result

    @property
    def steps_done(self) -> int:
        """Environment steps sampled so far."""
        return self._steps

    def mirror_weight(self) -> float:
        """The weight of the mirror reward now."""
        mirror: MirrorSettings = self.config.mirror_settings
        if mirror.final_weight is None:
            return mirror.weight
        return mirror.weight_at(min(1.0, self._steps / self.config.total_steps))

    def training_step(self) -> None:
        """One iteration.

        Raises:
            TrainingError: if no sample arrived in several attempts.
        """
        columns = until_sampled(self, self._sample)
        weight = self.mirror_weight()
        steps = int(columns["mask"].any(axis=2).sum())
        self._steps += steps
        summary = {
            "episode_return_mean": float(columns["environment_return"].mean()),
            "mirror_return_mean": float(columns["mirror_return"].mean()),
            "mirror_weight": weight,
        }
        batch = learner_columns(columns, weight)
        batch["iteration"] = np.full(len(batch["mask"]), self.iteration, np.int64)
        sample = MultiAgentBatch({MODULE_ID: SampleBatch(batch)}, env_steps=steps)
        results = self._update(sample)
        self.metrics.aggregate(results, key="learners")
        self.env_runner_group.sync_weights(
            from_worker_or_learner_group=self.learner_group, inference_only=False
        )
        # the driver's own copy, which evaluation and checkpoints read
        if self.config.num_env_runners:
            state = self.learner_group.get_state(components="learner/rl_module")["learner"][
                "rl_module"
            ]
            self.env_runner.multi_module.set_state(state)
        self.metrics.log_value(("env_runners", "num_env_steps_sampled"), steps, reduce="sum")
        self.metrics.log_value(
            ("env_runners", "num_env_steps_sampled_lifetime"), steps, reduce="lifetime_sum"
        )
        for name, value in summary.items():
            self.metrics.log_value(("env_runners", name), value, window=1)

    def evaluate(self, parallel_train_future: Any = None) -> dict[str, Any]:
        """RLlib's `evaluate`, see `mirrorenv.rllib.held_out.evaluated`."""
        return evaluated(self.config, self.population)

    def _update(self, sample: MultiAgentBatch) -> Any:
        """Let the learners learn.

        Raises:
            TrainingError: if one of them is lost.
        """
        try:
            return self.learner_group.update(batch=sample)
        except RayError as error:
            if isinstance(error, MirrorError):  # a learner's own words
                raise
            reason = str(error).strip().splitlines()[0]
            raise TrainingError(
                f"a learner was lost in iteration {self.iteration + 1} ({type(error).__name__}: "
                f"{reason}). "
                "Start the run again: it goes on from its last checkpoint"
            ) from error

    def cleanup(self) -> None:
        """Stop everything. Env runners hold nothing to give back, and RLlib would wait for ever for
        a frozen one."""
        if getattr(self, "env_runner_group", None) is not None:
            self.env_runner_group._worker_manager.clear()
        super().cleanup()

    def _sample(self) -> Columns | None:
        """Episodes from every healthy runner; None if none arrived in this attempt."""
        learning: LearningSettings = self.config.learning_settings
        episodes = np.arange(
            self._next_episode, self._next_episode + learning.episodes_per_iteration
        )
        iteration = self.iteration
        runners = self.config.num_env_runners
        if not runners:
            self._next_episode += len(episodes)
            columns: Columns = self.env_runner.sample(episodes=episodes, iteration=iteration)
            return columns
        shares = dict(enumerate(np.array_split(episodes, runners), start=1))
        parts = self._ask(shares)
        if not parts:
            return None
        self._next_episode += len(episodes)
        if len(parts) < runners:
            logger.warning(
                "iteration %d: samples from %d of %d env runners", iteration, len(parts), runners
            )
            lost = np.concatenate([share for index, share in shares.items() if index not in parts])
            again = zip(sorted(parts), np.array_split(lost, len(parts)), strict=True)
            replayed = self._ask({index: share for index, share in again if len(share)})
            arrived = [*parts.values(), *replayed.values()]
        else:
            arrived = list(parts.values())
        return join_columns(arrived, np.concatenate)

    def _ask(self, shares: dict[int, NDArray[np.int64]]) -> dict[int, Columns]:
        """Episodes by env runner, of those that answer; `shares` holds the ids that each is to
        play."""
        iteration = self.iteration
        answers = self.env_runner_group.foreach_env_runner(
            lambda runner: (
                runner.worker_index,
                runner.attempt(episodes=shares[runner.worker_index], iteration=iteration),
            ),
            local_env_runner=False,
            remote_worker_ids=list(shares),
            timeout_seconds=self.config.sample_timeout_s,
        )
        for _, answer in answers:
            # wrong in one runner, wrong in all: no retry heals a world
            if isinstance(answer, MirrorError):
                raise answer
        return dict(answers)

    # -- checkpoints -------------------------------------------------------------------------------

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """What Tune keeps: RLlib's own state to go on from, and the population to exchange, in
        safetensors and JSON."""
        super().save_checkpoint(checkpoint_dir)
        config = self.config
        about = {
            "algorithm": "MirrorPPO",
            "world": config.env if isinstance(config.env, str) else spec(config.env).id,
            "world_options": dict(config.env_config),
            "seed": int(config.seed or 0),
            "env_steps": self._steps,
            "mirror": config.mirror_settings.model_dump(mode="json"),
            "evaluation": {"draws": "own"},
        }
        save_population(Path(checkpoint_dir) / "population", self.population, about)

    def get_state(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """RLlib's state and our counters."""
        state: dict[str, Any] = super().get_state(*args, **kwargs)
        state["mirror_counters"] = {"next_episode": self._next_episode, "steps": self._steps}
        return state

    def set_state(self, state: dict[str, Any], *args: Any, **kwargs: Any) -> None:
        """Restore RLlib's state and our counters."""
        super().set_state(state, *args, **kwargs)
        counters = state.get("mirror_counters", {})
        self._next_episode = counters.get("next_episode", self._next_episode)
        self._steps = counters.get("steps", self._steps)
