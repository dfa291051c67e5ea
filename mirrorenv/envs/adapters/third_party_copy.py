"""One copy of somebody else's environment: it writes its dictionaries into rows of arrays and is
believed nothing.

Shapes: N agents (those that are taught), A action dimensions, obs the observation shape of one
agent.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
from gymnasium import spaces

from mirrorenv.envs.adapters.third_party_facts import Translators, turns_of
from mirrorenv.errors import ConfigError, WorldError
from mirrorenv.mirror.arrays import Bools, Floats32

__all__ = ["EnvironmentCopy", "OtherPolicy", "other_policy"]

OtherPolicy = Callable[[str, Any, np.random.Generator], Any]
"""(agent, its observation, a generator made from the seed) -> its action, both as the environment
has them."""


def other_policy(policy: str | OtherPolicy) -> OtherPolicy | None:
    """What the agents do that are not taught: a function, or None for uniformly random actions.

    Args:
        policy: `"random"`, a function, or `"package.module:function"`.

    Raises:
        ConfigError: if it is none of these.
    """
    if policy == "random":
        return None
    if isinstance(policy, str):
        module, _, name = policy.partition(":")
        try:
            policy = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise ConfigError(
                f"others={policy!r}: write 'random' or 'package.module:function' ({error})"
            ) from error
    if not callable(policy):
        raise ConfigError(
            f"others={policy!r}: expected 'random' or a function of (agent, observation, generator)"
        )
    return policy


class EnvironmentCopy:
    """One environment whose agents are followed by index.

    What it answers is checked in every step: who is there, that each live agent has an observation
    of the right shape, a number as reward and both flags, and that no one joins, leaves without a
    flag or comes back.

    Args:
        env: a PettingZoo `ParallelEnv`.
        agents: names of the agents that are taught, as the environment spells them.
        translate: how each of them sees and acts, and what it may do.
        others: what the rest does; None for random actions.
        name: the environment and the row, for messages.
    """

    def __init__(
        self,
        env: Any,
        agents: Sequence[Any],
        translate: Translators,
        others: OtherPolicy | None,
        name: str,
    ) -> None:
        self.env = env
        self.agents = tuple(agents)
        self.name = name
        self.live: list[int] = []  # indices of those that act
        self._readers = tuple(translate.readers)
        self._writers = tuple(translate.writers)
        self._masks = translate.masks
        self._room = translate.readers[0].space.shape  # of an observation without a mask
        self._numbers = int(np.prod(self._room))
        self._here: set[int] = set()  # who has joined
        self._others = others
        self._known = frozenset(env.possible_agents)
        self._taught = frozenset(agents)
        # of the others: copies, so that sampling is ours alone
        self._spaces: dict[Any, spaces.Space[Any]] = {}
        self._seen: dict[Any, Any] = {}  # what the others saw last
        self._random = np.random.default_rng(0)  # made again by every reset
        self.seed = 0
        self._step = 0

    def reset(self, seed: int, observations: Floats32) -> None:
        """Start an episode and write the first observations, (N, *obs)."""
        self.seed = seed
        self._step = 0
        self.live = list(range(len(self.agents)))
        try:
            answer = self.env.reset(seed=seed)
        except Exception as error:
            self._fail(f"reset(seed={seed}) raised {type(error).__name__}: {error}", cause=error)
        if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[0], Mapping):
            self._fail("reset() must return (observations, infos), two dictionaries by agent")
        seen, infos = answer
        self._check_known(seen)
        self._here = set()
        for index in self.live:
            if self.agents[index] not in seen:
                if self._masks is None or self.agents[index] in self.env.agents:
                    self._fail(
                        "is not there after reset(), though it was there when the environment was "
                        "first looked at, or is listed in env.agents. What works: show it from the "
                        "start, or leave it out of both until it joins, in every episode",
                        index,
                    )
                self._show_waiting(index, observations)
                continue
            self._read(seen, index, observations, infos)
        if len(self._known) > len(self.agents):
            self._begin_others(seen)

    def step(
        self,
        actions: npt.NDArray[Any],
        observations: Floats32,
        rewards: Floats32,
        ended: Bools,
        cut: Bools,
    ) -> None:
        """Let the live agents act and write what comes of it; rows of the others stay as they are.

        Args:
            actions: (N,) or (N, A), checked.
            observations: (N, *obs), overwritten for agents that are alive.
            rewards: (N,), zeros, filled in for agents that are alive.
            ended: (N,) terminated flags, set and never cleared.
            cut: (N,) truncated flags, set and never cleared.
        """
        acting = [i for i in self.live if i in self._here]
        joint = {self.agents[i]: self._writers[i].write(actions[i]) for i in acting}
        if self._spaces:
            joint |= self._moves_of_others()
        try:
            answer = self.env.step(joint)
        except Exception as error:
            self._fail(f"step() raised {type(error).__name__}: {error}", cause=error)
        if not isinstance(answer, tuple) or len(answer) != 5:
            self._fail(
                "step() must return (observations, rewards, terminations, truncations, infos)"
            )
        seen, paid, over, late, infos = answer
        self._step += 1
        self._check_known(seen)
        still = []
        for i in self.live:
            agent = self.agents[i]
            if i not in self._here:  # one that has yet to join
                still.append(i)
                if agent in seen:
                    self._read(seen, i, observations, infos)
                continue
            for what, part in (
                ("termination flag", over),
                ("truncation flag", late),
                ("reward", paid),
            ):
                if agent not in part:
                    self._fail(f"has no {what}", i)
            died = bool(over[agent])
            left = bool(late[agent])
            done = died or left
            if done:
                ended[i] = died
                cut[i] = left
            reward = paid[agent]
            rewards[i] = reward if isinstance(reward, float) else self._number(reward, i)
            if agent in seen:
                self._read(seen, i, observations, infos)
            elif not done:
                self._fail("has no observation", i)
            if not done:
                still.append(i)
        self._check_alive(still, seen, over, late)
        self.live = still
        if self._spaces:
            self._seen = {
                agent: value for agent, value in seen.items() if agent not in self._taught
            }

    # -- checks ------------------------------------------------------------------------------------

    def _fail(
        self, problem: str, index: int | None = None, cause: Exception | None = None
    ) -> NoReturn:
        who = "" if index is None else f", agent '{self.agents[index]}'"
        raise WorldError(
            f"{self.name}, seed {self.seed}, step {self._step}{who}: {problem}"
        ) from cause

    def _check_known(self, seen: Mapping[Any, Any]) -> None:
        if not seen.keys() <= self._known:
            strangers = sorted(map(str, seen.keys() - self._known))
            self._fail(
                f"unknown agents {strangers}: possible_agents must name everybody who may ever "
                "take part"
            )

    def _check_alive(self, still: list[int], seen: Mapping[Any, Any], over: Any, late: Any) -> None:
        """No one leaves without a flag, no one comes back."""
        alive = self.env.agents
        for i in still:
            if i in self._here and self.agents[i] not in alive:
                self._fail("left env.agents without a termination or truncation flag", i)
        if len(still) < len(self.agents):
            for i in set(range(len(self.agents))) - set(self.live):
                agent = self.agents[i]
                if agent in alive and agent in seen and not (over.get(agent) or late.get(agent)):
                    self._fail(
                        "came back after its end. What works: keep it alive and show it an empty "
                        "observation",
                        i,
                    )

    def _number(self, reward: Any, index: int) -> float:
        try:
            if np.ndim(reward):
                raise TypeError(f"an array of shape {np.shape(reward)}")
            return float(reward)
        except (TypeError, ValueError) as error:
            self._fail(f"the reward {reward!r} is not a number ({error})", index)

    def _read(
        self, seen: Mapping[Any, Any], index: int, observations: Floats32, infos: Any
    ) -> None:
        """Write what an agent is shown and may do."""
        self._here.add(index)
        value = seen[self.agents[index]]
        row = observations[index]
        try:
            if self._masks is None:
                self._readers[index].read(value, row)
                return
            mask = self._masks[index]
            self._readers[index].read(mask.seen(value), row[: self._numbers].reshape(self._room))
            info = infos.get(self.agents[index]) if isinstance(infos, Mapping) else None
            mask.read(value, info, self._has_turn(index, info), row[self._numbers :])
        except (ValueError, TypeError) as error:
            self._fail(f"the observation does not fit its space: {error}", index)

    def _show_waiting(self, index: int, observations: Floats32) -> None:
        """Zeros and no choice, for one that has yet to join."""
        assert self._masks is not None
        observations[index] = 0
        self._masks[index].read(None, None, False, observations[index, self._numbers :])

    def _has_turn(self, index: int, info: Any) -> bool:
        """Whether what an agent does now has an effect: all do but in games of turns."""
        turns = turns_of(self.env)
        if turns is not None:
            return bool(turns.agent_selection == self.agents[index])
        active = info.get("active_agent") if isinstance(info, Mapping) else None
        return active is None or active == self.agents[index]

    # -- agents that are not taught ----------------------------------------------------------------

    def _begin_others(self, seen: Mapping[Any, Any]) -> None:
        """Their random numbers follow from the seed alone."""
        self._random = np.random.default_rng(self.seed)
        self._seen = {agent: value for agent, value in seen.items() if agent not in self._taught}
        for agent in self.env.possible_agents:
            if agent not in self._taught:
                space = self._spaces.setdefault(agent, copy.deepcopy(self.env.action_space(agent)))
                space.seed(int(self._random.integers(2**31)))

    def _moves_of_others(self) -> dict[Any, Any]:
        present = [agent for agent in self.env.agents if agent not in self._taught]
        if self._others is None:
            return {agent: self._spaces[agent].sample() for agent in present}
        return {
            agent: self._others(agent, self._seen.get(agent), self._random) for agent in present
        }
