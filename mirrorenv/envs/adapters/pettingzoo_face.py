"""The PettingZoo face of an array world: the same code with B = 1, in dictionaries keyed by
agent."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium import spaces
from pettingzoo import ParallelEnv

from mirrorenv.envs.actions import action_columns
from mirrorenv.envs.base import ArrayWorld, Space
from mirrorenv.envs.drawing.window import Window
from mirrorenv.envs.random import fresh_seed
from mirrorenv.envs.world_spec import WorldSpec
from mirrorenv.errors import ConfigError, WorldError
from mirrorenv.mirror.arrays import AnyArray, Floats32

__all__ = ["PettingZooFace"]


class PettingZooFace(ParallelEnv):  # type: ignore[misc]  # pettingzoo ships no types
    """One copy of an array world as a PettingZoo `ParallelEnv`.

    `reset(seed)` starts the episode that the array face plays for the same seed; without a seed
    it draws a new one from the operating system and reports it as `infos[agent]["seed"]`. The
    global random state is never touched.

    Args:
        world: an array world with B = 1.
        render_mode: `"rgb_array"`, `"human"` (a window that follows every step; needs pygame)
            or None.
        name: the registered id, for messages.

    Raises:
        ConfigError: if the world has more than one copy, or cannot be rendered that way.
    """

    def __init__(
        self, world: ArrayWorld, *, render_mode: str | None = None, name: str | None = None
    ) -> None:
        self.name = name or type(world.unwrapped).__name__
        if world.num_envs != 1:
            raise ConfigError(
                f"{self.name}: the PettingZoo face shows one copy, got a batch of {world.num_envs}"
            )
        modes = [*world.render_modes, *(["human"] if "rgb_array" in world.render_modes else [])]
        if render_mode is not None and render_mode not in modes:
            raise ConfigError(
                f"{self.name}: render_mode {render_mode!r} is unknown; known: {modes}"
            )
        self.world = world
        self.render_mode = render_mode
        # said where PettingZoo's environments say it; the world keeps its own clock
        self.max_cycles = world.horizon
        self.metadata = {"name": self.name, "render_modes": modes, "is_parallelizable": True}
        self.possible_agents: list[str] = list(world.agents)
        self.agents: list[str] = []
        self.observation_spaces = dict.fromkeys(world.agents, world.observation_space)
        self.action_spaces = dict.fromkeys(world.agents, world.action_space)
        self._window = Window(self.name) if render_mode == "human" else None
        self._idle = self._idle_action()  # what stands in for an agent that has finished

    def _idle_action(self) -> AnyArray:
        space = self.world.action_space
        if isinstance(space, spaces.Discrete):
            return np.asarray(space.start, np.int64)
        layout = action_columns(space)
        idle = np.clip(np.zeros(len(layout.counts)), layout.low, layout.high)
        return idle.astype(layout.dtype).reshape(layout.shape)

    @property
    def spec(self) -> WorldSpec | None:
        """What it was made from, where :func:`mirrorenv.make` made it; else None."""
        return self.world.spec

    def observation_space(self, agent: str) -> Space:
        """What `agent` sees: the same space for all."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space:
        """What `agent` may do: the same space for all."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Floats32], dict[str, dict[str, Any]]]:
        """Start an episode.

        Args:
            seed: an integer, zero or greater, or None for a fresh one.
            options: none are known; accepted because PettingZoo passes them.

        Returns:
            Observations by agent, and infos by agent that hold the seed in use.
        """
        used = fresh_seed() if seed is None else int(seed)
        observations = self.world.reset([used])[0]
        self.agents = list(self.possible_agents)
        self._show()
        return dict(zip(self.agents, observations, strict=True)), {
            agent: {"seed": used} for agent in self.agents
        }

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Floats32],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Let every live agent act once.

        Args:
            actions: one action for each live agent.

        Raises:
            WorldError: if an agent's action is missing, belongs to no live agent, or lies outside
                the space; also once the episode is over or before the first `reset`.
        """
        if not self.agents:
            raise WorldError(f"{self.name}: no agent is alive, call reset() before step()")
        if actions.keys() != set(self.agents):
            missing = sorted(set(self.agents) - actions.keys())
            extra = sorted(actions.keys() - set(self.agents))
            raise WorldError(
                f"{self.name}: one action for each live agent, missing {missing}, not alive {extra}"
            )
        joint = np.stack(
            [np.asarray(actions.get(agent, self._idle)) for agent in self.possible_agents]
        )
        step = self.world.step(joint[None])
        over = (step.terminated[0] | step.truncated[0]).tolist()
        rewards = step.rewards[0].tolist()
        terminated = step.terminated[0].tolist()
        truncated = step.truncated[0].tolist()
        index = {agent: i for i, agent in enumerate(self.possible_agents) if agent in self.agents}
        answer = (
            {agent: step.observations[0, i] for agent, i in index.items()},
            {agent: rewards[i] for agent, i in index.items()},
            {agent: terminated[i] for agent, i in index.items()},
            {agent: truncated[i] for agent, i in index.items()},
            {agent: dict[str, Any]() for agent in index},
        )
        self.agents = [agent for agent, i in index.items() if not over[i]]
        self._show()
        return answer

    def _show(self) -> None:
        if self._window is not None:
            self._window.show(self.world.render(0))

    def render(self) -> npt.NDArray[np.uint8] | None:
        """The current state as an (H, W, 3) uint8 picture; None in a window, or if no render mode
        was chosen."""
        return self.world.render(0) if self.render_mode == "rgb_array" else None

    def state(self) -> Floats32:
        """(S,) float32: the whole state, in agent order; for centralised critics, never for
        observers."""
        whole: Floats32 = self.world.state()[0]
        return whole

    def close(self) -> None:
        """Close the window, if there is one, and what the world holds open."""
        if self._window is not None:
            self._window.close()
        self.world.close()
