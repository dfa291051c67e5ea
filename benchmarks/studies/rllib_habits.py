"""What RLlib users do with any algorithm, tried on MirrorPPO: each works, or is refused by a line
that names it and says what to use.

Prints the table. A traceback, or an option without effect, would be neither, and ends the script
with code 1.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np
import ray
from gymnasium import spaces
from ray import cloudpickle, tune
from ray.rllib.algorithms.algorithm import Algorithm
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.callbacks.callbacks import RLlibCallback
from ray.rllib.core.rl_module.rl_module import RLModule, RLModuleSpec
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

import mirrorenv
from benchmarks.shared.runner import Script
from mirrorenv.errors import MirrorError
from mirrorenv.rllib import MirrorPPOConfig, register_worlds

ANTS = "mirrorenv/ants-v0"
Habit = Callable[[Any, Path], Any]


class Walkers(MultiAgentEnv):
    """Two agents of RLlib's own kind, eight steps."""

    horizon = 8

    def __init__(self, config: Any = None) -> None:
        super().__init__()
        self.possible_agents = ["a", "b"]
        self.agents = ["a", "b"]
        self.observation_spaces = dict.fromkeys(self.agents, spaces.Box(-1.0, 1.0, (2,)))
        self.action_spaces = dict.fromkeys(self.agents, spaces.Discrete(3))
        self.clock = 0

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        """See `MultiAgentEnv.reset`."""
        self.clock = 0
        return self._seen(), {}

    def step(self, action_dict: Any) -> Any:
        """See `MultiAgentEnv.step`."""
        self.clock += 1
        over = self.clock >= self.horizon
        paid = dict.fromkeys(self.possible_agents, 0.0)
        return self._seen(), paid, {"__all__": False}, {"__all__": over}, {}

    def _seen(self) -> dict[str, Any]:
        return {agent: np.zeros(2, np.float32) for agent in self.possible_agents}


class OfEpisodes(RLlibCallback):
    """Wants to be called with episodes."""

    def on_episode_end(self, **kwargs: Any) -> None:
        """Never called here."""


class OfResults(RLlibCallback):
    """Wants to be called with results."""

    def on_train_result(self, *, result: dict[str, Any], **kwargs: Any) -> None:
        """Leaves a mark."""
        result["marked"] = True


def small(env: Any = ANTS, **options: Any) -> MirrorPPOConfig:
    """A few short episodes."""
    arguments = options or {"horizon": 8}
    config = MirrorPPOConfig().environment(env, env_config=arguments)
    config.learning(episodes_per_iteration=8, minibatch_episodes=8, epochs=1)
    return config


def trained(config: MirrorPPOConfig) -> dict[str, Any]:
    """One iteration's result."""
    algorithm = config.build_algo()
    try:
        result: dict[str, Any] = algorithm.train()
        return result
    finally:
        algorithm.stop()


def _checkpoint(algorithm: Any, folder: Path) -> None:
    algorithm.save_to_path(folder / "one")
    Algorithm.from_checkpoint(str(folder / "one")).stop()
    algorithm.restore_from_path(folder / "one")


def _module(algorithm: Any, folder: Path) -> None:
    algorithm.save_to_path(folder / "two")
    path = folder / "two" / "learner_group" / "learner" / "rl_module" / "default_policy"
    assert type(RLModule.from_checkpoint(path)) is type(algorithm.get_module())


def _serve(algorithm: Any, folder: Path) -> None:
    module = algorithm.get_module()
    seen = np.zeros((3, 4, 2), np.float32)
    assert module.forward_exploration({"obs": seen})["actions"].shape == (3, 4)
    assert module.forward_inference({"obs": seen[:, 0], "agent": 2})["actions"].shape == (3,)


def _weights(algorithm: Any, folder: Path) -> None:
    algorithm.set_weights(algorithm.get_weights())


def _sample(algorithm: Any, folder: Path) -> None:
    assert len(algorithm.env_runner.sample(num_episodes=3)["mask"]) == 3


def _evaluate(algorithm: Any, folder: Path) -> None:
    assert algorithm.evaluate()["env_runners"]["num_episodes"] > 1


def _interval(algorithm: Any, folder: Path) -> None:
    result = trained(small().evaluation(evaluation_interval=1, evaluation_duration=8))
    assert result["evaluation"]["env_runners"]["num_episodes"] == 8


def _marked(algorithm: Any, folder: Path) -> None:
    assert trained(small().callbacks(OfResults))["marked"]


def _episodes(algorithm: Any, folder: Path) -> None:
    small().callbacks(OfEpisodes).build_algo()


def _output(algorithm: Any, folder: Path) -> None:
    config = small().offline_data(output=str(folder))
    config.env_runners(batch_mode="complete_episodes").build_algo()


def _searched(algorithm: Any, folder: Path) -> None:
    config = MirrorPPOConfig().update_from_dict({**small().to_dict(), "lr": 3e-4})
    assert config.learning_settings.learning_rate == 3e-4


def _changed(**options: Any) -> Habit:
    def habit(algorithm: Any, folder: Path) -> None:
        small().update_from_dict(options).build_algo()

    return habit


def _runners(**options: Any) -> Habit:
    def habit(algorithm: Any, folder: Path) -> None:
        small().env_runners(**options).build_algo()

    return habit


def _training(algorithm: Any, folder: Path) -> None:
    try:
        small().training(lr=1e-3)
    except TypeError as error:  # RLlib's own kind of refusal
        raise MirrorError(str(error)) from error


def _policies(algorithm: Any, folder: Path) -> None:
    small().multi_agent(policies={"p0", "p1"}).build_algo()


def _rl_module(algorithm: Any, folder: Path) -> None:
    spec = PPOConfig().get_default_rl_module_spec()
    assert isinstance(spec, RLModuleSpec)
    small().rl_module(rl_module_spec=spec).build_algo()


def _grid(algorithm: Any, folder: Path) -> None:
    small().mirror(weight=tune.grid_search([0.0, 1.0]))


def _walkers(algorithm: Any, folder: Path) -> None:
    trained(small(Walkers))


def _registered(algorithm: Any, folder: Path) -> None:
    tune.register_env("zoo", lambda given: ParallelPettingZooEnv(mirrorenv.make(ANTS, **given)))
    trained(small("zoo"))


def _registered_zoo(algorithm: Any, folder: Path) -> None:
    tune.register_env("bare", lambda given: mirrorenv.make(ANTS, **given))
    trained(small("bare"))


def _copies(algorithm: Any, folder: Path) -> None:
    config = small()
    assert MirrorPPOConfig().update_from_dict(config.copy().to_dict()).env == ANTS
    assert cloudpickle.loads(cloudpickle.dumps(config)).env == ANTS


def _add_module(algorithm: Any, folder: Path) -> None:
    try:
        algorithm.add_module("more", RLModuleSpec())
    except RuntimeError as error:
        raise MirrorError(f"by RLlib: {error}") from error


def _stock(algorithm: Any, folder: Path) -> None:
    register_worlds()
    config = PPOConfig().environment("mirrorenv/pacmen-v0").env_runners(num_env_runners=0)
    config.multi_agent(policies={"one"}, policy_mapping_fn=lambda *_, **__: "one")
    config.training(train_batch_size_per_learner=128, minibatch_size=64, num_epochs=1)
    config.evaluation(evaluation_interval=1, evaluation_duration=1)
    stock = config.build_algo()
    try:
        assert stock.train()["evaluation"]
    finally:
        stock.stop()


HABITS: dict[str, Habit] = {
    "build_algo, train": lambda algorithm, folder: algorithm.train(),
    "save_to_path, from_checkpoint, restore_from_path": _checkpoint,
    "RLModule.from_checkpoint, get_module": _module,
    "forward_inference, forward_exploration": _serve,
    "evaluate": _evaluate,
    "evaluation(evaluation_interval=1)": _interval,
    "callbacks of results": _marked,
    "callbacks of episodes": _episodes,
    "set_weights(get_weights())": _weights,
    "env_runner.sample": _sample,
    "offline_data(output=...)": _output,
    "env_runners(explore=False)": _runners(explore=False),
    "env_runners(num_envs_per_env_runner=4)": _runners(num_envs_per_env_runner=4),
    "env_runners(env_to_module_connector=...)": _runners(env_to_module_connector=lambda *_: []),
    "environment(clip_rewards=...)": _changed(clip_rewards=1e-4),
    "update_from_dict({'lr': ...}), as Tune does": _searched,
    "update_from_dict({'train_batch_size_per_learner': 7})": _changed(
        train_batch_size_per_learner=7
    ),
    "training(lr=...)": _training,
    "multi_agent(policies=...)": _policies,
    "rl_module(rl_module_spec=...)": _rl_module,
    "mirror(weight=tune.grid_search(...))": _grid,
    "environment(a MultiAgentEnv class)": _walkers,
    "register_env(ParallelPettingZooEnv)": _registered,
    "register_env(a PettingZoo environment)": _registered_zoo,
    "to_dict, copy, cloudpickle": _copies,
    "add_module": _add_module,
    "our worlds under stock PPO, with evaluation": _stock,
}


def answer(habit: Habit, algorithm: Any, folder: Path) -> str:
    """`works`, or the refusal.

    Raises:
        Exception: if it is neither.
    """
    try:
        habit(algorithm, folder)
    except MirrorError as error:
        return f"refused: {error}"
    return "works"


def main() -> None:
    """Print the table."""
    script = Script(__doc__, json=True, smoke={})
    script.parse()
    ray.init(
        address="local", ignore_reinit_error=True, include_dashboard=False, logging_level="ERROR"
    )
    answers: dict[str, str] = {}
    algorithm = small().build_algo()
    with tempfile.TemporaryDirectory() as folder:
        for name, habit in HABITS.items():
            try:
                answers[name] = answer(habit, algorithm, Path(folder))
            except Exception as error:
                answers[name] = f"FAILED: {type(error).__name__}: {error}"
            print(f"{name:54} {answers[name].splitlines()[0][:200]}", flush=True)
    algorithm.stop()
    failed = [name for name, said in answers.items() if said.startswith("FAILED")]
    print(f"{len(answers) - len(failed)} of {len(answers)} work or are refused by name")
    script.save({"benchmark": "rllib_habits", "answers": answers})
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
