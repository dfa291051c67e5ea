"""RLlib's multi-agent environments as the PettingZoo environments that worlds are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv

from mirrorenv.errors import WorldError
from mirrorenv.rllib.multi_agent_env import PettingZooMultiAgentEnv

__all__ = ["ParallelView", "as_parallel"]


def as_parallel(made: Any) -> Any:
    """What an environment creator of RLlib's made, as a PettingZoo `ParallelEnv`.

    Args:
        made: a `ParallelEnv`, RLlib's or our wrapper around one (unwrapped again), or any other
            `MultiAgentEnv`.
    """
    if not isinstance(made, MultiAgentEnv):
        return made
    # these two alone: somebody else's wrapper may change what it wraps
    if isinstance(made, ParallelPettingZooEnv):
        return made.par_env
    if isinstance(made, PettingZooMultiAgentEnv):
        return made.env
    return ParallelView(made)


class ParallelView:
    """A `MultiAgentEnv` in which all live agents act in every step.

    Args:
        env: the environment.

    Raises:
        WorldError: if it does not say who may play, or what they see and do.
    """

    render_mode = None

    def __init__(self, env: MultiAgentEnv) -> None:
        self.env = env
        name = type(env).__name__
        self.metadata = {"name": name, **(getattr(env, "metadata", None) or {})}
        self.possible_agents = list(getattr(env, "possible_agents", None) or ())
        if len(self.possible_agents) < 2:
            raise WorldError(
                f"{name}: fill possible_agents with at least two names; a MultiAgentEnv says there "
                "who may play"
            )
        self.agents = list(self.possible_agents)

    @property
    def unwrapped(self) -> Any:
        """The environment itself."""
        return self.env

    def observation_space(self, agent: Any) -> Any:
        """What one agent sees."""
        return self._space("observation", agent)

    def action_space(self, agent: Any) -> Any:
        """What one agent does."""
        return self._space("action", agent)

    def reset(self, seed: int | None = None, options: Any = None) -> tuple[Any, Any]:
        """See `ParallelEnv.reset`."""
        observations, infos = self.env.reset(seed=seed, options=options)
        self.agents = [agent for agent in self.possible_agents if agent in observations]
        return observations, {agent: infos.get(agent, {}) for agent in self.agents}

    def step(self, actions: Mapping[Any, Any]) -> tuple[Any, Any, Any, Any, Any]:
        """See `ParallelEnv.step`; what is said of `__all__` is said of everybody."""
        seen, rewards, terminated, truncated, infos = self.env.step(dict(actions))
        acted = self.agents
        ended = {agent: self._over(terminated, agent) for agent in acted}
        cut = {agent: self._over(truncated, agent) for agent in acted}
        paid = {agent: float(rewards.get(agent, 0.0)) for agent in acted}
        told = {agent: infos.get(agent, {}) for agent in acted}
        self.agents = [agent for agent in acted if not (ended[agent] or cut[agent])]
        return seen, paid, ended, cut, told

    def render(self) -> Any:
        """What the environment draws."""
        return self.env.render()

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _space(self, which: str, agent: Any) -> Any:
        found = getattr(self.env, f"get_{which}_space")(agent)
        if found is None:
            raise WorldError(
                f"{type(self.env).__name__} has no {which} space for agent '{agent}': fill "
                f"{which}_spaces"
            )
        return found

    def _over(self, flags: Mapping[Any, Any], agent: Any) -> bool:
        return bool(flags.get(agent, False) or flags.get("__all__", False))
