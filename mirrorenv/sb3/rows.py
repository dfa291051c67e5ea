"""One episode after the other of N agents, in the terms of Stable-Baselines3: arrays over agents,
one end for all.

Shape legend: N agents, D numbers in an observation, A in an action.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from gymnasium import spaces
from gymnasium.spaces.utils import flatdim
from numpy.typing import NDArray

from mirrorenv.envs.actions import action_columns
from mirrorenv.envs.adapters.mirror_test import EVIDENCE_BOUND, MirrorTest
from mirrorenv.envs.adapters.third_party_spaces import ActionWriter
from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.random import small_seed
from mirrorenv.errors import ConfigError
from mirrorenv.mirror.arrays import Bools, Floats32, join_columns

__all__ = ["GameRow", "Row", "RowStep", "Shown", "WorldRow"]

Shown = NDArray[Any] | dict[str, NDArray[Any]]
"""What N agents see: (N, D), or a dictionary of arrays that start with N."""


class RowStep(NamedTuple):
    """What one joint action led to."""

    shown: Shown
    rewards: Floats32  # (N,)
    live: Bools  # (N,) who acted
    over: bool  # the episode ended, for everybody
    truncated: Bools  # (N,) whom it ended for by the clock alone
    infos: list[dict[str, Any]]  # N


class Row(Protocol):
    """N agents that share one policy, playing one episode at a time."""

    num_agents: int
    observation_space: spaces.Space[Any]
    action_space: spaces.Space[Any]
    render_mode: str | None

    def reset(self, seed: int) -> Shown:
        """Start the episode of this seed."""

    def step(self, actions: NDArray[Any]) -> RowStep:
        """Let all agents act, (N,) or (N, A); those that are out of the game are ignored."""

    def picture(self) -> NDArray[np.uint8] | None:
        """(H, W, 3), or None if there is none."""


class WorldRow:
    """An array world with B = 1. An agent that is out early repeats its last observation and earns
    nothing.

    Args:
        world: one copy.
        agent_id: tell the policy, which all agents share, who is acting: N numbers, one-hot, after
            the observation; or, if that is no vector, a dictionary with `observation` and
            `agent`.
    """

    def __init__(self, world: ArrayWorld, agent_id: bool) -> None:
        self.world = world
        self.num_agents = world.num_agents
        self.render_mode = "rgb_array" if world.render_modes else None
        self.action_space: spaces.Space[Any] = world.action_space
        self._ids = np.eye(self.num_agents, dtype=np.float32)
        seen = world.observation_space
        assert isinstance(seen, spaces.Box)
        # the policy's networks are Stable-Baselines3's: images reach them as the numbers they are
        sight = spaces.Box(np.float32(seen.low), np.float32(seen.high), seen.shape, np.float32)
        names = spaces.Box(0.0, 1.0, (self.num_agents,), np.float32)
        self._as_vector = agent_id and len(sight.shape) == 1
        self._as_dict = agent_id and not self._as_vector
        self.observation_space: spaces.Space[Any] = sight
        if self._as_vector:
            low, high = (
                np.concatenate([getattr(sight, end), getattr(names, end)])
                for end in ("low", "high")
            )
            self.observation_space = spaces.Box(low, high, dtype=np.float32)
        elif self._as_dict:
            self.observation_space = spaces.Dict({"observation": sight, "agent": names})
        self._live = np.ones(self.num_agents, bool)
        self._terminated = np.zeros(self.num_agents, bool)

    def present(self, observations: Floats32) -> Shown:
        """(N, *obs) or (B, N, *obs) as the policy sees them, a row for each agent of each copy."""
        rows = observations.reshape(-1, *(self.world.observation_space.shape or ()))
        rows = rows.astype(np.float32, copy=False)
        ids = np.tile(self._ids, (len(rows) // self.num_agents, 1))
        if self._as_vector:
            return np.concatenate([rows, ids], axis=1)
        return {"observation": rows, "agent": ids} if self._as_dict else rows

    def reset(self, seed: int) -> Shown:
        """See :class:`Row`."""
        self.seen = self.world.reset([seed])[0]  # (N, *obs)
        self._live[:] = True
        self._terminated[:] = False
        return self.present(self.seen)

    def step(self, actions: NDArray[Any]) -> RowStep:
        """See :class:`Row`."""
        step = self.world.step(actions[None])
        live = self._live.copy()
        self.seen = step.observations[0]
        self._terminated |= live & step.terminated[0]
        self._live &= ~(step.terminated[0] | step.truncated[0])
        rewards = np.where(live, step.rewards[0], np.float32(0))
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_agents)]
        over = not self._live.any()
        return RowStep(self.present(self.seen), rewards, live, over, ~self._terminated, infos)

    def picture(self) -> NDArray[np.uint8] | None:
        """See :class:`Row`."""
        return self.world.render(0) if self.render_mode else None


class GameRow:
    """A :class:`~mirrorenv.envs.adapters.mirror_test.MirrorTest`, whose actions become one vector.

    Stable-Baselines3 knows no Dict actions. The vector holds the act, then the evidence (slot by
    agent, flattened). A choice among n is n numbers from -10 to 10, of which the largest counts; an
    act made of numbers runs from -1 to 1.

    Args:
        env: the game; all agents have the same spaces.
        agent_id: add `agent` to the observations, one-hot.

    Raises:
        ConfigError: if agents have different spaces: they cannot share a policy.
    """

    def __init__(self, env: MirrorTest, agent_id: bool) -> None:
        agents = env.possible_agents
        self.env = env
        self.num_agents = len(agents)
        self.render_mode = env.render_mode
        self._id = agent_id
        sights = [env.observation_space(agent) for agent in agents]
        acts = [env.action_space(agent) for agent in agents]
        if any(sight != sights[0] for sight in sights) or any(act != acts[0] for act in acts):
            raise ConfigError(f"{env.name}: agents with different spaces cannot share one policy")
        parts: dict[str, spaces.Space[Any]] = dict(sights[0].spaces)
        if agent_id:
            parts["agent"] = spaces.Box(0.0, 1.0, (self.num_agents,), np.float32)
        self.observation_space: spaces.Space[Any] = spaces.Dict(parts)
        self._writer = ActionWriter(acts[0]["act"], f"{env.name}, act")
        self._layout = action_columns(self._writer.space)
        self._width = flatdim(self._writer.space)
        bound = np.full(self._width + self.num_agents**2, EVIDENCE_BOUND, np.float32)
        low = -bound
        high = bound.copy()
        if isinstance(self._writer.space, spaces.Box):
            low[: self._width] = self._writer.space.low
            high[: self._width] = self._writer.space.high
        self.action_space: spaces.Space[Any] = spaces.Box(low, high, dtype=np.float32)

    def reset(self, seed: int) -> Shown:
        """See :class:`Row`."""
        observations, _ = self.env.reset(seed=small_seed(seed))
        return self._stack(observations)

    def step(self, actions: NDArray[Any]) -> RowStep:
        """See :class:`Row`."""
        agents = self.env.possible_agents
        joint = {}
        for agent, vector in zip(agents, actions, strict=True):
            act = vector[: self._width]
            evidence = vector[self._width :]
            chosen = self._writer.write(self._chosen(act))
            joint[agent] = {"act": chosen, "evidence": evidence.reshape(self.num_agents, -1)}
        observations, rewards, _, _, infos = self.env.step(joint)
        paid = np.array([rewards[agent] for agent in agents], np.float32)
        all_agents = np.ones(self.num_agents, bool)
        no_agent = np.zeros(self.num_agents, bool)
        told = [infos[agent] for agent in agents]
        return RowStep(
            self._stack(observations), paid, all_agents, not self.env.agents, no_agent, told
        )

    def picture(self) -> NDArray[np.uint8] | None:
        """See :class:`Row`."""
        return np.asarray(self.env.render()) if self.render_mode == "rgb_array" else None

    def _chosen(self, act: NDArray[Any]) -> NDArray[Any]:
        """The action in a row of numbers: the largest of those that stand for choices."""
        chosen = []
        first = 0
        for count in self._layout.counts:
            block = act[first : first + (count or 1)]
            chosen.append(block[0] if count is None else block.argmax())
            first += count or 1
        return np.array(chosen, self._layout.dtype).reshape(self._layout.shape)

    def _stack(self, observations: dict[Any, dict[str, Any]]) -> Shown:
        shown = [observations[agent] for agent in self.env.possible_agents]
        stacked = join_columns(shown, np.stack)
        return (
            {**stacked, "agent": np.eye(self.num_agents, dtype=np.float32)} if self._id else stacked
        )
