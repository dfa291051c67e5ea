"""What an environment says about itself: who takes part, how long, what is seen and done; and why
it is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces.utils import flatdim

from mirrorenv.envs.adapters.third_party_spaces import ActionWriter, ObservationReader
from mirrorenv.errors import ConfigError, WorldError

__all__ = ["horizon", "members", "one_copy", "translators"]

_CLOCKS = ("max_cycles", "max_steps", "max_episode_steps", "horizon", "episode_length")


def one_copy(factory: Callable[..., Any], arguments: Mapping[str, Any], name: str) -> Any:
    """One environment, known to be a ParallelEnv; an AEC environment is converted if it says that
    it may be.

    A :class:`~mirrorenv.envs.adapters.mirror_test.MirrorTest` is taken off, and that is said.

    Args:
        factory: makes one.
        arguments: its keyword arguments.
        name: what errors call it.

    Raises:
        WorldError: if it cannot be made, or is no ParallelEnv and cannot become one.
    """
    try:
        env = factory(**arguments)
    except Exception as error:
        raise WorldError(
            f"{name}: could not be made with {dict(arguments)}: {type(error).__name__}: {error}"
        ) from error
    if hasattr(env, "agent_iter"):
        if not getattr(env, "metadata", {}).get("is_parallelizable"):
            raise WorldError(
                f"{name} is an AEC environment, whose agents take turns. What works: its "
                "parallel_env, or, if no one "
                "needs to see what others do within a round, metadata['is_parallelizable'] = True "
                "and "
                "pettingzoo.utils.conversions.aec_to_parallel(env)"
            )
        from pettingzoo.utils.conversions import aec_to_parallel

        env = aec_to_parallel(env)
    if hasattr(env, "without_recognition"):
        warnings.warn(
            f"{name} is a MirrorTest: it is taken off. Here observers read every lineup anyway and "
            "are trained beside "
            "the agents, and recognition is paid as mirror.weight and mirror.credit say, not as "
            "the wrapper says.",
            stacklevel=2,
        )
        env = env.without_recognition
    missing = [
        part
        for part in ("reset", "step", "possible_agents", "observation_space")
        if not hasattr(env, part)
    ]
    if missing:
        hint = (
            " A gymnasium environment has one agent: there is no one to tell apart."
            if "possible_agents" in missing
            else ""
        )
        raise WorldError(
            f"{name} made a {type(env).__name__}, which is no PettingZoo ParallelEnv: no "
            f"{missing}.{hint}"
        )
    return env


def members(env: Any, agents: Sequence[Any] | None, name: str) -> list[Any]:
    """The agents to teach, in the environment's order.

    Args:
        env: a ParallelEnv.
        agents: names of some of its agents; None for all.
        name: what errors call the environment.

    Raises:
        ConfigError: if a name is not one of its agents, or none is given.
    """
    known = list(env.possible_agents)
    if agents is None:
        return known
    by_name = {str(agent): agent for agent in known}
    strangers = [agent for agent in map(str, agents) if agent not in by_name]
    if strangers or not agents or isinstance(agents, str):
        raise ConfigError(f"{name}: agents must be some of {list(by_name)}, got {agents!r}")
    return [agent for agent in known if str(agent) in set(map(str, agents))]


def horizon(env: Any, arguments: Mapping[str, Any], given: int | None, name: str) -> int:
    """Steps of an episode at most: what was given, or what the environment says somewhere.

    Args:
        env: a ParallelEnv.
        arguments: it was made with; `max_cycles` and its like are looked for here first.
        given: by the user, at least 1; None to look for it.
        name: what errors call the environment.

    Raises:
        ConfigError: if it is said nowhere.
    """
    if given is not None:
        if isinstance(given, bool) or not isinstance(given, int | np.integer) or given < 1:
            raise ConfigError(
                f"{name}: horizon must be a whole number of at least 1, got {given!r}"
            )
        return int(given)
    bare = getattr(env, "unwrapped", env)
    places: list[Mapping[str, Any]] = [arguments, getattr(env, "metadata", None) or {}]
    things = (env, bare, getattr(bare, "env", None))
    for thing in things:
        places.append({clock: getattr(thing, clock, None) for clock in _CLOCKS})  # noqa: PERF401
    for place in places:
        for clock in _CLOCKS:
            value = place.get(clock)
            if isinstance(value, int | np.integer) and not isinstance(value, bool) and value >= 1:
                return int(value)
    raise ConfigError(
        f"{name} does not say how long an episode may be: pass horizon=..., the number of steps at "
        "most "
        "(on the command line: --set world_options.horizon=100), or give the environment an "
        "attribute max_cycles"
    )


def translators(
    env: Any, members: Sequence[Any], pad: bool, name: str
) -> tuple[list[ObservationReader], list[ActionWriter]]:
    """What turns observations and actions of each agent into array rows and back.

    Args:
        env: a ParallelEnv.
        members: M agents.
        pad: whether shorter observations get zeros at their end, so that all are equally long.
        name: what errors call the environment.

    Returns:
        M readers and M writers; all present the same shapes.

    Raises:
        ConfigError: if spaces differ.
    """
    where = [f"{name}, agent '{member}'" for member in members]
    seen = [env.observation_space(member) for member in members]
    done = [env.action_space(member) for member in members]
    readers = [ObservationReader(space, place) for space, place in zip(seen, where, strict=True)]
    writers = [ActionWriter(space, place) for space, place in zip(done, where, strict=True)]
    same_sight = all(reader.space.shape == readers[0].space.shape for reader in readers)
    same_acts = all(space == done[0] for space in done)
    if not same_acts or not (same_sight or pad):
        raise ConfigError(_differing(members, seen, done, same_acts, name))
    if not same_sight:
        largest = max(flatdim(space) for space in seen)
        readers = [
            ObservationReader(space, place, largest)
            for space, place in zip(seen, where, strict=True)
        ]
    return readers, writers


def _differing(
    members: Sequence[Any], seen: Sequence[Any], done: Sequence[Any], same_acts: bool, name: str
) -> str:
    """Why agents with different spaces are refused, and what would work."""
    groups: dict[str, list[str]] = {}
    for member, sees, acts in zip(members, seen, done, strict=True):
        groups.setdefault(f"see {sees} and do {acts}", []).append(str(member))
    listed = "; ".join(f"{names} {what}" for what, names in groups.items())
    largest = max(groups.values(), key=len)
    ways = [f"teach one group, the others acting at random or by others=...: agents={largest}"]
    if same_acts:
        ways.append(
            "pad=True fills observations up with zeros, and says in the spec that the padding "
            "names agents"
        )
    return (
        f"{name}: the agents' spaces differ, so anybody could tell them apart by what they see or "
        "can do, whatever "
        f"their policies: {listed}. What works: {'; or '.join(ways)}."
    )
