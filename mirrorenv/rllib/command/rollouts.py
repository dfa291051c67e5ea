"""`rllib evaluate`: play a checkpoint's agents, print what they earn and how well they are
recognised.

Only safetensors and JSON are read, and only npz and JSON written.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from mirrorenv.envs import make_batch, spec
from mirrorenv.errors import CheckpointError, ConfigError, ShapeError
from mirrorenv.mirror import EpisodeBatch
from mirrorenv.population.checkpoint import load_population, world_of
from mirrorenv.population.evaluate import evaluate
from mirrorenv.population.experience import play, population_shape, world_seeds
from mirrorenv.population.migration import read_draws
from mirrorenv.population.population import Population
from mirrorenv.population.settings import MirrorSettings, PopulationSettings
from mirrorenv.rllib.command.stock import load_stock, stock_runner

__all__ = ["Rollouts", "StopAfter", "find_checkpoint", "roll_out", "write_rollouts"]

_SMALLEST = 8  # episodes that a recognition rate is estimated from, at least
_TURN = 64  # episodes of a population played side by side
_DEFAULT_SEED = 1_000_000


@dataclass(frozen=True)
class StopAfter:
    """When to stop: whichever comes first; 0 is no limit."""

    steps: int
    episodes: int

    def __post_init__(self) -> None:
        if self.steps < 0 or self.episodes < 0 or not (self.steps or self.episodes):
            raise ConfigError("--steps and --episodes are counts, and one of them must be above 0")

    def reached(self, steps: int, episodes: int) -> bool:
        """Whether enough was played."""
        return bool(
            (self.steps and steps >= self.steps) or (self.episodes and episodes >= self.episodes)
        )

    def episodes_at_most(self, horizon: int) -> int:
        """How many episodes of full length fit, at least one."""
        fitting = math.ceil(self.steps / horizon) if self.steps else self.episodes
        return max(1, min(fitting, self.episodes or fitting))


@dataclass
class Rollouts:
    """Episodes as they were played, and what they amount to.

    Attributes:
        algorithm: "MirrorPPO" or "PPO".
        env: id of the world.
        agents: N names.
        episodes: for each episode a dictionary by agent of observations (T + 1, *obs), or (T, *obs)
            from a population; actions (T,) or (T, A), as the policy chose them, or a column
            `actions.KEY` for each part of a Dict; rewards (T,); terminated and truncated.
        recognition: top-1 and information of the learned observers, or None if there are none.
    """

    algorithm: str
    env: str
    agents: list[str]
    episodes: list[dict[str, dict[str, NDArray[Any]]]] = field(default_factory=list)
    recognition: dict[str, Any] | None = None

    def returns(self) -> NDArray[np.float64]:
        """(E, N) returns of each agent in each episode; 0 for an agent that took no part."""
        returns = np.zeros((len(self.episodes), len(self.agents)))
        for row, episode in zip(returns, self.episodes, strict=True):
            for n, agent in enumerate(self.agents):
                if agent in episode:
                    row[n] = episode[agent]["rewards"].sum()
        return returns

    def steps(self) -> int:
        """Joint steps played."""
        return sum(_length(episode) for episode in self.episodes)

    def summary(self) -> dict[str, Any]:
        """What is printed: means over episodes."""
        returns = self.returns()
        return {
            "algorithm": self.algorithm,
            "env": self.env,
            "episodes": len(self.episodes),
            "env_steps": self.steps(),
            "return_mean": float(returns.sum(axis=1).mean()),
            "agent_return_mean": dict(zip(self.agents, returns.mean(axis=0).tolist(), strict=True)),
            "recognition": self.recognition,
        }


def _length(episode: dict[str, dict[str, NDArray[Any]]]) -> int:
    """Joint steps of an episode: those of the agent that took part longest."""
    return max((len(columns["rewards"]) for columns in episode.values()), default=0)


def find_checkpoint(path: Path) -> Path:
    """A checkpoint folder: `path` itself, or the newest under a trial or run folder.

    Raises:
        CheckpointError: if there is none.
    """
    if _is_checkpoint(path):
        return path
    inside = (
        sorted(one for one in path.rglob("checkpoint_*") if _is_checkpoint(one))
        if path.is_dir()
        else []
    )
    inside = inside or sorted(one for one in path.glob("checkpoints/*") if _is_checkpoint(one))
    if not inside:
        raise CheckpointError(
            f"{path} is no checkpoint of this command: no population and no modules in it. "
            "Checkpoints of other "
            "programs are not opened (RLlib's own are pickles). rllib train writes one at the end, "
            "and more with "
            "--checkpoint-freq"
        )
    return inside[-1]


def _is_checkpoint(path: Path) -> bool:
    return _population_folder(path) is not None or (path / "modules").is_dir()


def _population_folder(path: Path) -> Path | None:
    """Where a checkpoint holds its population: below RLlib's, or at its top in a run folder of
    `mirrorenv train`."""
    found = [
        one for one in (path / "population", path) if (one / "population.safetensors").is_file()
    ]
    return found[0] if found else None


def roll_out(
    checkpoint: Path | None,
    stop_after: StopAfter,
    *,
    algorithm: str | None = None,
    env: str | None = None,
    config: Mapping[str, Any] | None = None,
    progress: Callable[[int, int], None] = lambda steps, episodes: None,
) -> Rollouts:
    """Play.

    Args:
        checkpoint: a checkpoint folder, or None for an untrained algorithm.
        stop_after: when to stop.
        algorithm: "MirrorPPO" or "PPO"; must agree with the checkpoint.
        env: another world than the checkpoint's, with the same spaces.
        config: `env_config` (merged over the checkpoint's), `seed` and `explore`.
        progress: called with steps and episodes so far.

    Raises:
        ConfigError: if something is missing, or does not agree with the checkpoint.
        CheckpointError: if the checkpoint is damaged, or does not fit the world.
    """
    options = dict(config or {})
    unknown = set(options) - {"env_config", "seed", "explore"}
    if unknown:
        raise ConfigError(
            f"--config: {sorted(unknown)} have no effect on evaluation; known: env_config, seed, "
            "explore"
        )
    saved = "MirrorPPO" if checkpoint is not None and _population_folder(checkpoint) else "PPO"
    if checkpoint is not None and algorithm not in (None, saved):
        raise ConfigError(f"--algo {algorithm}: {checkpoint} was trained by {saved}")
    if checkpoint is None and (algorithm is None or env is None):
        raise ConfigError(
            "without a checkpoint an untrained algorithm is played: give --algo and --env"
        )
    chosen = algorithm or saved
    if chosen not in ("MirrorPPO", "PPO"):
        raise ConfigError(f"--algo {chosen}: known are MirrorPPO and PPO")
    run = _population_rollouts if chosen == "MirrorPPO" else _stock_rollouts
    return run(checkpoint, stop_after, env, options, progress)


def _population_rollouts(
    checkpoint: Path | None,
    stop_after: StopAfter,
    env: str | None,
    options: dict[str, Any],
    progress: Callable[..., None],
) -> Rollouts:
    if options.get("explore") is False:
        raise ConfigError(
            "--config explore=false: a population always draws its actions, as it was trained to"
        )
    seed = int(options.get("seed", _DEFAULT_SEED))
    about: dict[str, Any] = {
        "world": env,
        "world_options": {},
        "mirror": {},
        "evaluation": {"draws": "own"},
    }
    population: Population | None = None
    if checkpoint is not None:
        population, about = load_population(_population_folder(checkpoint) or checkpoint)
    id, kept = world_of({**about, "world": env or about["world"]}, env)
    world_options = {**kept, **options.get("env_config", {})}
    horizon = make_batch(id, 1, **world_options).horizon
    count = stop_after.episodes_at_most(horizon)
    world = make_batch(id, min(count, _TURN), **world_options)
    if population is None:
        population = Population(population_shape(world), PopulationSettings(), seed)
    elif population_shape(world) != population.shape:
        raise CheckpointError(
            f"the checkpoint {checkpoint} was trained with other agents or spaces than {id} has"
        )
    result = Rollouts("MirrorPPO", id, list(world.agents))
    generator = torch.Generator().manual_seed(seed)
    while len(result.episodes) < count:
        first = len(result.episodes)
        seeds = world_seeds(seed, np.arange(first, first + world.num_envs))
        result.episodes += _by_agent(play(world, population, seeds, generator), world.agents)[
            : count - first
        ]
        progress(result.steps(), len(result.episodes))
    held_out = make_batch(id, max(_SMALLEST, min(count, 256)), **world_options)
    mirror = MirrorSettings(**about["mirror"])
    found = evaluate(
        population,
        held_out,
        world_spec=spec(id, **world_options),
        seed=seed,
        mirror=mirror,
        draws=read_draws(about),
    )
    row = found.to_dict()
    result.recognition = {
        "episodes": found.episodes,
        "chance": 1.0 / len(result.agents),
        "top1": row["learned"]["top1"],
        "information": row["learned"]["information"],
        "limit": row["limit"]["information"],
        "mirror_return": row["mirror_return"],
    }
    return result


def _by_agent(
    record: EpisodeBatch, agents: tuple[str, ...]
) -> list[dict[str, dict[str, NDArray[Any]]]]:
    episodes = []
    for row, lengths in enumerate(record.lengths):
        one = {}
        for i, agent in enumerate(agents):
            end = int(lengths[i])
            one[agent] = {
                "observations": record.observations[row, :end, i],
                "actions": record.actions[row, :end, i],
                "rewards": record.rewards[row, :end, i],
            }
        episodes.append(one)
    return episodes


def _stock_rollouts(
    checkpoint: Path | None,
    stop_after: StopAfter,
    env: str | None,
    options: dict[str, Any],
    progress: Callable[..., None],
) -> Rollouts:
    seed = int(options.get("seed", _DEFAULT_SEED))
    env_config = options.get("env_config", {})
    if checkpoint is None:
        assert env is not None
        runner = stock_runner(env, env_config, None, {}, seed)
        id = env
    else:
        runner, about = load_stock(checkpoint, env=env, env_config=env_config, seed=seed)
        id = about["env"]
    explore = bool(options.get("explore", True))
    played = runner.env.envs[0].unwrapped
    if not explore and any(_mixes_numbers(space) for space in played.action_spaces.values()):
        raise ConfigError(
            f"--config explore=false: RLlib 2.60 fails on {id}, whose actions are a Dict or Tuple "
            "with numbers in it "
            "(its deterministic distribution has one log probability for each number). Leave "
            "explore=false out"
        )
    agents = [str(agent) for agent in played.possible_agents]
    result = Rollouts("PPO", id, agents)
    steps = 0
    while not stop_after.reached(steps, len(result.episodes)):
        # One episode at a time: of several side by side, the short ones would come back first and
        # too often.
        (episode,) = runner.sample(num_episodes=1, explore=explore)
        result.episodes.append(
            {str(agent): _columns(part) for agent, part in episode.agent_episodes.items()}
        )
        steps += len(episode)
        progress(steps, len(result.episodes))
    return result


def _mixes_numbers(space: spaces.Space[Any]) -> bool:
    """Whether it is a Dict or Tuple with a Box in it."""
    if not isinstance(space, spaces.Dict | spaces.Tuple):
        return False
    parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
    return any(isinstance(part, spaces.Box) or _mixes_numbers(part) for part in parts)


def _columns(episode: Any) -> dict[str, NDArray[Any]]:
    return {
        "observations": np.asarray(episode.get_observations()),
        **_leaves("actions", episode.get_actions()),
        "rewards": np.asarray(episode.get_rewards(), np.float32),
        "terminated": np.asarray(bool(episode.is_terminated)),
        "truncated": np.asarray(bool(episode.is_truncated)),
    }


def _leaves(name: str, value: Any) -> dict[str, NDArray[Any]]:
    """One column, or one for each part of a Dict or Tuple: `actions.act`."""
    if not isinstance(value, Mapping | tuple):
        return {name: np.asarray(value)}
    parts = value.items() if isinstance(value, Mapping) else enumerate(value)
    return {
        key: column
        for part, inner in parts
        for key, column in _leaves(f"{name}.{part}", inner).items()
    }


def check_output(path: Path) -> None:
    """Refuse what cannot be written before anything is played.

    Raises:
        ConfigError: if the name does not end in .npz or .json, or its folder does not exist.
    """
    if path.suffix not in (".npz", ".json"):
        raise ConfigError(
            f"--out {path}: no pickle is written. Name it .npz (NumPy arrays) or .json"
        )
    if not path.parent.is_dir():
        raise ConfigError(f"--out {path}: there is no folder {path.parent}")


def write_rollouts(rollouts: Rollouts, path: Path) -> None:
    """Write every episode.

    An `.npz` holds an array `episode/agent/column` for each, and `summary`, a JSON string;
    `numpy.load` reads it with its defaults, which allow no pickle. A `.json` holds the same as
    nested lists.

    Raises:
        ShapeError: if an array holds objects.
    """
    arrays = {
        f"{number}/{agent}/{name}": value
        for number, episode in enumerate(rollouts.episodes)
        for agent, columns in episode.items()
        for name, value in columns.items()
    }
    if bad := [name for name, value in arrays.items() if value.dtype == object]:
        raise ShapeError(f"{bad[0]} is no array of numbers and cannot be written without pickle")
    summary = rollouts.summary()
    if path.suffix == ".npz":
        everything: dict[str, Any] = {"summary": np.array(json.dumps(summary)), **arrays}
        np.savez_compressed(path, **everything)
        return
    episodes = [_episode_as_lists(episode) for episode in rollouts.episodes]
    path.write_text(json.dumps({"summary": summary, "episodes": episodes}), "utf-8")


def _episode_as_lists(episode: dict[str, dict[str, NDArray[Any]]]) -> dict[str, Any]:
    lists: dict[str, Any] = {}
    for agent, columns in episode.items():
        lists[agent] = {name: value.tolist() for name, value in columns.items()}
    return lists
