"""What an environment says about itself: who takes part, how long, what is seen and done; and why
it is refused."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium.spaces.utils import flatdim

from mirrorenv.envs.adapters.third_party_masks import AgentMask, PaddedWriter, common_actions
from mirrorenv.envs.adapters.third_party_spaces import ActionWriter, ObservationReader
from mirrorenv.errors import ConfigError, WorldError

__all__ = ["Translators", "horizon", "members", "one_copy", "translators", "turns_of", "woken"]

_CLOCKS = ("max_cycles", "max_steps", "max_episode_steps", "horizon", "episode_length")


def one_copy(factory: Callable[..., Any], arguments: Mapping[str, Any], name: str) -> Any:
    """One environment, known to be a ParallelEnv; an AEC environment is converted.

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
        env = _in_parallel(env)
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
        raise WorldError(
            f"{name} made a {type(env).__name__}, which is no PettingZoo ParallelEnv: no "
            f"{missing}.{_of_gymnasium(env)}"
        )
    return env


def _in_parallel(env: Any) -> Any:
    """An AEC environment stepped for all at once: as it says that it may be, or turn by turn, those
    that wait having one choice only."""
    from pettingzoo.utils.conversions import aec_to_parallel, turn_based_aec_to_parallel

    if (getattr(env, "metadata", None) or {}).get("is_parallelizable"):
        return aec_to_parallel(env)
    return turn_based_aec_to_parallel(env)


def turns_of(env: Any) -> Any:
    """The AEC environment below, where agents take turns; None where all act at once."""
    from pettingzoo.utils.conversions import turn_based_aec_to_parallel_wrapper

    return env.aec_env if isinstance(env, turn_based_aec_to_parallel_wrapper) else None


def _of_gymnasium(env: Any) -> str:
    """Why an environment of gymnasium is none for several agents, and what would make it one."""
    from gymnasium import spaces

    if hasattr(env, "possible_agents"):
        return ""
    acts = getattr(env, "action_space", None)
    agents = getattr(getattr(env, "unwrapped", env), "n_agents", None)
    if isinstance(acts, spaces.Tuple | spaces.Dict):
        agents = len(acts.spaces)
    if isinstance(agents, int) and agents > 1:
        return (
            f" It is a gymnasium environment of {agents} agents, whose spaces stand in a "
            f"{type(acts).__name__}. What works: a ParallelEnv of some thirty lines around it, "
            "with one name for each of them; docs/your-environment.md has one."
        )
    return " A gymnasium environment has one agent: there is no one to tell apart."


def woken(env: Any) -> tuple[Mapping[Any, Any], frozenset[Any]]:
    """What a first reset shows that spaces do not say: infos by agent, and who is there.

    Some environments have spaces or agents only then. One whose reset fails says so when it is
    played.

    Args:
        env: a ParallelEnv.
    """
    try:
        answer = env.reset(seed=0)
        seen, infos = answer
        there = frozenset(getattr(env, "agents", None) or ()) | frozenset(seen)
        return dict(infos), there
    except Exception:  # whatever it is: it is said with seed and row when an episode begins
        return {}, frozenset(getattr(env, "possible_agents", ()))


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


class Translators(NamedTuple):
    """What turns observations and actions of M agents into array rows and back; all present the
    same shapes."""

    readers: list[ObservationReader]
    writers: list[ActionWriter | PaddedWriter]
    masks: list[AgentMask] | None
    """What each may do; None where everybody may always do everything."""


def translators(
    env: Any,
    members: Sequence[Any],
    pad: bool,
    name: str,
    *,
    infos: Mapping[Any, Any] | None = None,
    waiting: bool = False,
) -> Translators:
    """What turns observations and actions of each agent into array rows and back.

    Args:
        env: a ParallelEnv.
        members: M agents.
        pad: whether shorter observations get zeros at their end, so that all are equally long, and
            agents with fewer choices are never allowed those of others.
        name: what errors call the environment.
        infos: of a first reset, by agent: they may hold masks.
        waiting: whether agents take turns or join late, so that some cannot act in some steps.

    Raises:
        ConfigError: if spaces differ.
    """
    where = [f"{name}, agent '{member}'" for member in members]
    seen = [env.observation_space(member) for member in members]
    done = [env.action_space(member) for member in members]
    own = [ActionWriter(space, place) for space, place in zip(done, where, strict=True)]
    same_acts = all(space == done[0] for space in done)
    writers: list[ActionWriter | PaddedWriter] = [*own]
    if not same_acts and pad:
        scaled = [
            ActionWriter(space, place, scaled=True)
            for space, place in zip(done, where, strict=True)
        ]
        shared = common_actions(scaled)
        own = scaled
        writers = [PaddedWriter(one, shared) for one in scaled]
    masks = [
        AgentMask(sight, writer, mine, place)
        for sight, writer, mine, place in zip(seen, writers, own, where, strict=True)
    ]
    known = infos or {}
    found = [mask.has(known.get(member)) for mask, member in zip(masks, members, strict=True)]
    rest = [mask.rest for mask in masks]
    readers = [ObservationReader(space, place) for space, place in zip(rest, where, strict=True)]
    same_sight = all(reader.space.shape == readers[0].space.shape for reader in readers)
    if not pad and not (same_sight and same_acts):
        raise ConfigError(_differing(members, seen, done, name))
    if not same_sight:
        largest = max(flatdim(space) for space in rest)
        readers = [
            ObservationReader(space, place, largest)
            for space, place in zip(rest, where, strict=True)
        ]
    needed = any(found) or waiting or not same_acts
    return Translators(readers, writers, masks if needed else None)


def _differing(members: Sequence[Any], seen: Sequence[Any], done: Sequence[Any], name: str) -> str:
    """Why agents with different spaces are refused, and what would work."""
    groups: dict[str, list[str]] = {}
    for member, sees, acts in zip(members, seen, done, strict=True):
        groups.setdefault(f"see {sees} and do {acts}", []).append(str(member))
    listed = "; ".join(f"{names} {what}" for what, names in groups.items())
    largest = max(groups.values(), key=len)
    ways = [
        f"teach one group, the others acting at random or by others=...: agents={largest}",
        "pad=True fills observations up with zeros and actions with choices that are never "
        "allowed, and says in the spec that the padding names agents",
    ]
    return (
        f"{name}: the agents' spaces differ, so anybody could tell them apart by what they see or "
        "can do, whatever "
        f"their policies: {listed}. What works: {'; or '.join(ways)}."
    )
