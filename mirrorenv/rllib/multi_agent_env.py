"""Any PettingZoo `ParallelEnv` as RLlib's `MultiAgentEnv`, for the algorithms that Ray ships.

RLlib's own `ParallelPettingZooEnv` sets `__all__` only when all agents end in the same way. An
episode in which one agent terminates and another is cut off in the same step then continues with no
agent alive. And an episode whose agents are all cut off is stored as terminated (RLlib 2.60 does so
whenever every agent carries a flag of its own), so that the value of the last state is taken for
zero. Both are put right here, and spaces that RLlib's default networks do not know are translated
(:mod:`mirrorenv.rllib.plain_spaces`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from ray.rllib.env.multi_agent_env import MultiAgentEnv

from mirrorenv.envs import make
from mirrorenv.envs.adhoc import mirror_test_of
from mirrorenv.errors import WorldError
from mirrorenv.rllib.plain_spaces import PlainActs, PlainSight

__all__ = ["PettingZooMultiAgentEnv", "WorldCreator", "make_multi_agent_env"]

_MAX_SEED = 2**31  # many environments hand their seed to a generator that takes no more


def make_multi_agent_env(id: str, env_config: Mapping[str, Any]) -> PettingZooMultiAgentEnv:
    """One copy of a world, as `tune.register_env` wants it made.

    Args:
        id: a registered id, or `"package.module:Env"`.
        env_config: arguments of the world. What makes a :class:`~mirrorenv.MirrorTest` is played
            with its recognition phase.
    """
    game = mirror_test_of(id, env_config)
    return PettingZooMultiAgentEnv(make(id, **dict(env_config)) if game is None else game, name=id)


class WorldCreator:
    """What `tune.register_env` takes for a world; a class, so that workers find it by its module
    and not by its code.

    Args:
        id: as for `make_multi_agent_env`.
    """

    def __init__(self, id: str) -> None:
        self.id = id

    def __call__(self, env_config: Mapping[str, Any]) -> PettingZooMultiAgentEnv:
        """One copy."""
        return make_multi_agent_env(self.id, env_config)


class PettingZooMultiAgentEnv(MultiAgentEnv):
    """A PettingZoo `ParallelEnv` as RLlib steps it.

    Agents keep the environment's order. Observations that are neither vector nor image become one
    vector; actions keep the form of a Dict or Tuple, with a vector for every Box in it. A `reset`
    without a seed draws the next one from a generator that the last seed started, so that a seeded
    runner plays the same episodes again (RLlib seeds the first reset only).

    Args:
        env: the environment.
        name: what messages call it.
    """

    def __init__(self, env: Any, name: str | None = None) -> None:
        self.env = env
        self.name = name or str(
            (getattr(env, "metadata", None) or {}).get("name") or type(env).__name__
        )
        self.render_mode = getattr(env, "render_mode", None)
        self.possible_agents = list(env.possible_agents)
        self.agents = list(self.possible_agents)
        where = {agent: f"{self.name}, agent '{agent}'" for agent in self.possible_agents}
        self._sights = {
            agent: PlainSight(env.observation_space(agent), place) for agent, place in where.items()
        }
        self._acts = {
            agent: PlainActs(env.action_space(agent), place) for agent, place in where.items()
        }
        self.observation_spaces = {agent: sight.space for agent, sight in self._sights.items()}
        self.action_spaces = {agent: acts.space for agent, acts in self._acts.items()}
        self.observation_space = spaces.Dict(self.observation_spaces)
        self.action_space = spaces.Dict(self.action_spaces)
        self._agent_ids = set(self.possible_agents)  # RLlib's own name: its checks look for it
        self._seeds = np.random.default_rng()
        self._gone: set[Any] = set()
        self._clock = 0
        self._seed = 0
        super().__init__()

    def reset(
        self, *, seed: int | None = None, options: Any = None
    ) -> tuple[dict[Any, Any], dict[Any, Any]]:
        """Start an episode; the seed of every reset decides the seeds of the unseeded ones after
        it."""
        if seed is not None:
            self._seeds = np.random.default_rng(seed)
        self._seed = int(seed if seed is not None else self._seeds.integers(_MAX_SEED))
        observations, infos = self.env.reset(seed=self._seed, options=options)
        self._clock = 0
        self._gone = set()
        self.agents = list(self.env.agents)
        return self._read(observations), dict(infos or {})

    def step(
        self, action_dict: Mapping[Any, Any]
    ) -> tuple[dict[Any, Any], dict[Any, float], dict[Any, bool], dict[Any, bool], dict[Any, Any]]:
        """Let the live agents act.

        Returns:
            observations, rewards, terminateds, truncateds and infos by agent. When no one is left,
            `__all__` is True in `terminateds` if all ended by themselves, else in
            `truncateds`; then the agents that were cut off carry no flag of their own, because
            RLlib would read a full set of flags as termination.

        Raises:
            WorldError: if an observation or a reward is not finite, a reward is missing, somebody
                unknown or gone is answered for, or an agent leaves without a flag. It names world,
                seed, step and agent.
        """
        self._clock += 1
        acted = list(action_dict)
        joint = {agent: self._acts[agent].write(action) for agent, action in action_dict.items()}
        observations, rewards, terminated, truncated, infos = self.env.step(joint)
        seen = self._read(observations)
        self._check("reward", rewards)
        for agent in acted:
            if agent not in rewards:
                raise self._error(agent, "acted, but was given no reward")
        ended = {agent for agent in acted if terminated.get(agent)}
        cut = {agent for agent in acted if truncated.get(agent)} - ended
        left = set(acted) - set(self.env.agents) - ended - cut
        if left:
            raise self._error(
                min(left, key=str), "is gone, but was neither terminated nor truncated"
            )
        self._gone |= ended | cut
        self.agents = [agent for agent in self.env.agents if agent not in self._gone]
        over = not self.agents
        flags_ended: dict[Any, bool] = {agent: agent in ended for agent in acted}
        flags_cut: dict[Any, bool] = {agent: agent in cut and not over for agent in acted}
        flags_ended["__all__"] = over and not cut
        flags_cut["__all__"] = over and bool(cut)
        return (
            seen,
            {a: float(r) for a, r in rewards.items()},
            flags_ended,
            flags_cut,
            dict(infos or {}),
        )

    def render(self) -> Any:
        """What the environment draws of itself."""
        return self.env.render()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _read(self, observations: Mapping[Any, Any]) -> dict[Any, Any]:
        """What the agents see, as RLlib's networks read it."""
        self._check("observation", observations)
        seen = {}
        for agent, value in observations.items():
            try:
                seen[agent] = self._sights[agent].read(value)
            except (ValueError, TypeError) as error:
                raise self._error(
                    agent, f"the observation does not fit its space: {error}"
                ) from error
        self._check("observation", seen)
        return seen

    def _check(self, what: str, values: Mapping[Any, Any]) -> None:
        for agent, value in values.items():
            if agent not in self._agent_ids:
                raise self._error(agent, f"has a {what}, but is none of {self.possible_agents}")
            if agent in self._gone:
                raise self._error(agent, f"has a {what}, but had left the episode")
            if what == "reward" and np.ndim(value) != 0:
                raise self._error(agent, f"the reward is not one number but {value!r}")
            if (
                isinstance(value, np.ndarray | np.number | float | int)
                and not np.isfinite(value).all()
            ):
                raise self._error(agent, f"the {what} is not finite")

    def _error(self, agent: Any, what: str) -> WorldError:
        return WorldError(
            f"{self.name}, seed {self._seed}, step {self._clock}, agent '{agent}': {what}"
        )
