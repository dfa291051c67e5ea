"""A VecEnv whose sub-environments are agents: all share one policy, and those of one row one
episode.

Shape legend: R rows (copies of the world), N agents, A action dimensions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env import VecEnv

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.mirror.arrays import join_columns
from mirrorenv.population.experience import world_seeds
from mirrorenv.population.settings import MirrorSettings
from mirrorenv.sb3.episodes import EpisodeLog
from mirrorenv.sb3.rows import Row, Shown, WorldRow

__all__ = ["SharedPolicyVecEnv", "holder"]


class SharedPolicyVecEnv(VecEnv):
    """R rows of N agents as R * N sub-environments; sub-environment `row * N + agent`.

    A row begins its next episode as soon as its last one is over for everybody. An agent that is
    out earlier goes on as a sub-environment that sees its last observation and earns nothing, so
    all N end in the same step. Episode e of a run has the world's seed (run, e), whichever row
    plays it.

    Args:
        rows: what is played.
        seed: of the run; `seed()` sets another, from the next `reset` on.
        bootstrap: say `TimeLimit.truncated` where the clock ended an episode, so that
            Stable-Baselines3 adds the critic's value of what might have followed.
        mirror: settings of the mirror reward that :class:`~mirrorenv.sb3.MirrorCallback` is to pay.
        log: where trajectories are written down for observers, if there are any.
        make_batch: makes so many copies of the world at once, to measure on.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        *,
        seed: int,
        bootstrap: bool,
        mirror: MirrorSettings | None = None,
        log: EpisodeLog | None = None,
        make_batch: Callable[[int], ArrayWorld] | None = None,
    ) -> None:
        self.rows = list(rows)
        self.num_agents = rows[0].num_agents
        self.run = int(seed)
        self.bootstrap = bootstrap
        self.mirror = mirror
        self.log = log
        self.make_batch = make_batch
        self._episodes = 0
        self._actions: NDArray[Any] = np.zeros(0)
        count = len(self.rows) * self.num_agents
        self._returns = np.zeros(count)
        self._lengths = np.zeros(count, int)
        self._began = time.time()
        super().__init__(count, rows[0].observation_space, rows[0].action_space)

    # -- playing -----------------------------------------------------------------------------------

    def reset(self) -> Any:
        """Start an episode in every row."""
        if self._seeds[0] is not None:
            self.run = int(self._seeds[0])
            self._episodes = 0
            self._reset_seeds()
        self._returns[:] = 0.0
        self._lengths[:] = 0
        return _joined([self._begin(index) for index in range(len(self.rows))])

    def step_async(self, actions: NDArray[Any]) -> None:
        """Keep the actions, (R * N,) or (R * N, A)."""
        self._actions = np.asarray(actions)

    def step_wait(self) -> Any:
        """Step all rows: observations, (R * N,) rewards, (R * N,) dones, infos."""
        agents = self.num_agents
        joint = self._actions.reshape(len(self.rows), agents, *self._actions.shape[1:])
        shown: list[Shown] = []
        rewards = np.zeros((len(self.rows), agents), np.float32)
        dones = np.zeros((len(self.rows), agents), bool)
        infos: list[dict[str, Any]] = []
        for index, row in enumerate(self.rows):
            before = (
                row.seen.reshape(agents, -1)
                if isinstance(row, WorldRow) and self.log is not None
                else None
            )
            step = row.step(joint[index])
            rewards[index] = step.rewards
            dones[index] = step.over
            if self.log is not None and before is not None:
                self.log.write(index, before, self.as_read(joint[index]), step.rewards, step.live)
            now = slice(index * agents, (index + 1) * agents)
            self._returns[now] += step.rewards
            self._lengths[now] += step.live
            after = step.shown
            if step.over:
                for agent, info in enumerate(step.infos):
                    info["terminal_observation"] = _of_one(after, agent)
                    info["TimeLimit.truncated"] = bool(self.bootstrap and step.truncated[agent])
                    info["episode"] = self._summary(index * agents + agent)
                if self.log is not None:
                    self.log.end(index)
                self._returns[now] = 0.0
                self._lengths[now] = 0
            infos += step.infos
            shown.append(after)
        if self.log is not None:
            self.log.tick()
        for index in np.flatnonzero(dones[:, 0]).tolist():
            shown[index] = self._begin(index)
        return _joined(shown), rewards.reshape(-1), dones.reshape(-1), infos

    def _begin(self, index: int) -> Shown:
        episode = self._episodes
        self._episodes += 1
        if self.log is not None:
            self.log.begin(index, episode)
        return self.rows[index].reset(int(world_seeds(self.run, np.array([episode]))[0]))

    def _summary(self, index: int) -> dict[str, float]:
        """What Stable-Baselines3's Monitor would say: return, length, seconds."""
        return {
            "r": float(self._returns[index]),
            "l": int(self._lengths[index]),
            "t": time.time() - self._began,
        }

    def as_read(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Actions as observers read them: choices as they are, numbers scaled to (-1, 1)."""
        if isinstance(self.action_space, spaces.Box):
            low = self.action_space.low
            high = self.action_space.high
            scaled: NDArray[Any] = (2.0 * (actions - low) / (high - low) - 1.0).astype(np.float32)
            return scaled
        return actions

    # -- the rest of the interface -----------------------------------------------------------------

    def close(self) -> None:
        """Nothing is held open."""

    def get_images(self) -> list[NDArray[np.uint8] | None]:
        """A picture for each row, not for each agent."""
        return [row.picture() for row in self.rows]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """An attribute of the row each sub-environment belongs to, or of the environment in it."""
        return [
            getattr(holder(self.rows[index // self.num_agents], attr_name), attr_name)
            for index in self._get_indices(indices)
        ]

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """See `VecEnv.set_attr`; an index counts agents, and its whole row gets the value: the
        environment in it, where that has such an attribute."""
        for index in self._get_indices(indices):
            setattr(holder(self.rows[index // self.num_agents], attr_name), attr_name, value)

    def env_method(
        self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any
    ) -> list[Any]:
        """Call a method of the row each sub-environment belongs to, or of the environment in it."""
        rows = [self.rows[index // self.num_agents] for index in self._get_indices(indices)]
        holders = [holder(row, method_name) for row in rows]
        return [getattr(one, method_name)(*args, **kwargs) for one in holders]

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No sub-environment is a gymnasium wrapper."""
        return [False for _ in self._get_indices(indices)]


def holder(row: Row, name: str) -> Any:
    """Who has an attribute of this name: the row, its world, or the environment that it steps.

    Args:
        row: of the VecEnv.
        name: of the attribute.

    Raises:
        AttributeError: if none of them has it.
    """
    known: list[Any] = [row]
    for inner in ("world", "_copies", "env", "env"):
        found = getattr(known[-1], inner, None)
        found = found[0] if isinstance(found, list | tuple) and found else found
        if found is not None:
            known += [found, getattr(found, "unwrapped", found)]
    for one in known:
        if hasattr(one, name):
            return one
    kinds = ", ".join(dict.fromkeys(type(one).__name__ for one in known))
    raise AttributeError(f"none of {kinds} has an attribute {name!r}")


def _joined(parts: list[Shown]) -> Any:
    """Rows one after the other; a tuple of dictionaries key by key."""
    first = parts[0]
    if isinstance(first, dict):
        return join_columns([part for part in parts if isinstance(part, dict)], np.concatenate)
    return np.concatenate([part for part in parts if not isinstance(part, dict)])


def _of_one(shown: Shown, agent: int) -> Any:
    return (
        {name: part[agent] for name, part in shown.items()}
        if isinstance(shown, dict)
        else shown[agent]
    )
