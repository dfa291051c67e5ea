"""A careful player: it acts by the declared spaces and writes down all that an environment answers.

A turn is one call: number 0 is `reset`, number t the t-th `step`.
"""

from __future__ import annotations

import copy
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from gymnasium import spaces

from mirrorenv.envs.base import AgentId, Space
from mirrorenv.envs.checks.compare import LARGE, arrays, summarised
from mirrorenv.envs.checks.findings import Seen
from mirrorenv.envs.masks import mask_in

__all__ = ["PARTS", "Hang", "Patience", "Session", "Turn", "global_random_state", "time_limit"]

PARTS = ("observations", "rewards", "terminations", "truncations", "infos")
"""What `step` answers, in order; each a dictionary by agent."""
_WHOLE_TURNS = 3  # of an episode, whose pictures are kept as they are


@dataclass(frozen=True)
class Patience:
    """How long the checker is patient.

    Attributes:
        max_steps: steps of an episode that are played at most.
        step_seconds: seconds that one call may take.
        replay_seconds: seconds for each of the checks that play one episode over and over.
        opinion_seconds: seconds for each of PettingZoo's own tests; 0 leaves them out.
    """

    max_steps: int = 1000
    step_seconds: float = 10.0
    replay_seconds: float = 1.0
    opinion_seconds: float = 20.0


class Hang(BaseException):
    """A call took longer than allowed. Not an Exception, so that an environment does not catch
    it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise :class:`Hang` in the block after so many seconds; without effect outside the main
    thread and on Windows.

    Args:
        seconds: above 0.
    """
    if (
        not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    def ring(*_: Any) -> None:
        raise Hang

    began = time.monotonic()
    handler = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:  # an alarm set elsewhere, by a test runner for example, keeps running
            signal.setitimer(
                signal.ITIMER_REAL, max(left - (time.monotonic() - began), 1e-3), interval
            )


def global_random_state() -> dict[str, Any]:
    """The state of the generators that are shared by the whole process; torch's if it is
    imported."""
    legacy: Any = np.random.get_state()  # noqa: NPY002  (looked at, never drawn from)
    state: dict[str, Any] = {"random": random.getstate(), "numpy.random": legacy[1:3]}
    if (torch := sys.modules.get("torch")) is not None:
        state["torch"] = torch.get_rng_state().numpy()
    return state


@dataclass
class Turn:
    """One call and what came of it.

    Attributes:
        number: 0 for `reset`, else the number of the step.
        seed: of the episode.
        before: `env.agents` before the call; for `reset` empty.
        live: who should be alive before the call, by the flags so far; for `reset` those in
            `env.agents` after it.
        actions: the actions, copied before the call.
        handed: the very dictionary that was handed over.
        raw: the very answer; None where it is too large to keep.
        form: what is wrong with the form of the answer, or nothing.
        after: `env.agents` after the call.
        possible: `env.possible_agents` after the call.
        parts: copies of the answer's dictionaries by name, made at once; after the first turns,
            large arrays are
            :class:`~mirrorenv.envs.checks.compare.Summary`.
        ended: who was terminated or truncated in this turn, with both flags.
        finished: who had ended in earlier turns.
        touched: names of global random generators that the call moved.
        error: what the call raised, or None.
        hung: whether it took too long.
        seconds: processor time of the call, of this thread: a profiling timer makes that of the
            process coarse.
    """

    number: int
    seed: int
    before: list[AgentId] = field(default_factory=list)
    live: set[AgentId] = field(default_factory=set)
    actions: dict[AgentId, Any] = field(default_factory=dict)
    handed: dict[AgentId, Any] = field(default_factory=dict)
    raw: Any = None
    form: str = ""
    after: list[AgentId] = field(default_factory=list)
    possible: list[AgentId] = field(default_factory=list)
    parts: dict[str, Mapping[AgentId, Any]] = field(default_factory=dict)
    ended: dict[AgentId, tuple[bool, bool]] = field(default_factory=dict)
    finished: set[AgentId] = field(default_factory=set)
    touched: list[str] = field(default_factory=list)
    error: BaseException | None = None
    hung: bool = False
    seconds: float = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parts that the call should answer."""
        return PARTS if self.number else ("observations", "infos")

    def seen(self, what: str, agent: AgentId = None) -> Seen:
        """Something seen in this turn."""
        return Seen(what, agent, self.number, self.seed)

    def answers(self, part: str) -> Mapping[AgentId, Any]:
        """One part of the answer, by agent; empty if there is none."""
        return self.parts.get(part, {})


class Session:
    """One environment being played. Actions are drawn from copies of its spaces and follow from the
    seed.

    Args:
        env: a PettingZoo `ParallelEnv`.
        action_spaces: by agent.
        patience: when to stop.
        watch: also look at the global random state around every call.
        scribble: write over returned observations once they are copied, as a careless caller may.
        keep: keep all turns, not only the last.

    Attributes:
        turns: what happened since `reset`.
        over: whether the episode has ended, or cannot continue.
    """

    def __init__(
        self,
        env: Any,
        action_spaces: Mapping[AgentId, Space],
        patience: Patience,
        *,
        watch: bool = False,
        scribble: bool = False,
        keep: bool = True,
    ) -> None:
        self.env = env
        self.patience = patience
        self.turns: list[Turn] = []
        self.over = True
        self._declared = action_spaces
        self._watch = watch
        self._scribble = scribble
        self._keep = keep
        self._spaces: dict[AgentId, Space] = {}
        self._live: set[AgentId] = set()
        self._finished: set[AgentId] = set()

    def play(self, seed: int, max_steps: int | None = None) -> list[Turn]:
        """A whole episode; at most `max_steps` steps of it.

        Args:
            seed: of the episode.
            max_steps: as many steps at most; None for what the checker is willing to play.
        """
        self.reset(seed)
        self.play_on(max_steps)
        return self.turns

    def play_on(self, max_steps: int | None = None) -> None:
        """Step until the episode is over, or until step `max_steps`.

        Args:
            max_steps: the number of the last step; None for what the checker is willing to play.
        """
        limit = self.patience.max_steps if max_steps is None else max_steps
        while not self.over and self.turns[-1].number < limit:
            self.step()

    def fork(self, env: Any) -> Session:
        """Another session that stands where this one stands, in `env`.

        Args:
            env: another copy of the environment, in the same state.
        """
        twin = copy.copy(self)
        twin.env = env
        twin.turns = list(self.turns)
        twin._spaces = copy.deepcopy(self._spaces)
        twin._live = set(self._live)
        twin._finished = set(self._finished)
        return twin

    def reset(self, seed: int) -> None:
        """Start an episode."""
        self._spaces = copy.deepcopy(dict(self._declared))
        for index, space in enumerate(self._spaces.values()):
            space.seed((seed * 1009 + index) % 2**31)
        self.turns = []
        self._finished = set()
        turn = Turn(0, seed)
        self._call(turn, lambda: self.env.reset(seed=seed))
        self._live = turn.live = set(turn.after)
        self.over = turn.error is not None or turn.hung or not self._acting()

    def step(self) -> None:
        """Let all agents in `env.agents` act once."""
        last = self.turns[-1]
        actions = {agent: self._sample(agent, last) for agent in self._acting()}
        turn = Turn(last.number + 1, last.seed, before=list(self.env.agents), live=set(self._live))
        turn.finished = set(self._finished)
        turn.actions = copy.deepcopy(actions)
        turn.handed = actions
        self._call(turn, lambda: self.env.step(actions))
        self._follow(turn)
        self.over = turn.error is not None or turn.hung or not self._live or not self._acting()

    # -- inside ------------------------------------------------------------------------------------

    def _acting(self) -> list[AgentId]:
        """The agents that the environment lists as alive and whose action space is known."""
        return [agent for agent in _agents(self.env) if agent in self._spaces]

    def _sample(self, agent: AgentId, last: Turn) -> Any:
        space = self._spaces[agent]
        if not isinstance(space, spaces.Discrete):
            return space.sample()
        for place in ("observations", "infos"):
            try:
                mask = mask_in(last.answers(place).get(agent), int(space.n))
            except ValueError:  # of another size: what it may do is then what its space says
                continue
            if mask is not None:
                return space.sample(mask=mask.astype(np.int8))
        return space.sample()

    def _call(self, turn: Turn, call: Any) -> None:
        if self._keep or not self.turns:
            self.turns.append(turn)
        else:
            self.turns[-1] = turn
        before = global_random_state() if self._watch else {}
        began = time.thread_time()
        try:
            with time_limit(self.patience.step_seconds):
                turn.raw = call()
        except Hang:
            turn.hung = True
        except Exception as error:
            turn.error = error
        turn.seconds = time.thread_time() - began
        if self._watch:
            after = global_random_state()
            turn.touched = [
                name for name, state in before.items() if not _same_state(state, after[name])
            ]
        turn.after = _agents(self.env)
        turn.possible = list(getattr(self.env, "possible_agents", []))
        self._copy_answer(turn)

    def _copy_answer(self, turn: Turn) -> None:
        if turn.error is not None or turn.hung:
            return
        if not isinstance(turn.raw, tuple) or len(turn.raw) != len(turn.names):
            size = f" of {len(turn.raw)}" if isinstance(turn.raw, tuple) else ""
            turn.form = f"a {type(turn.raw).__name__}{size} instead of a tuple of {len(turn.names)}"
            return
        for name, part in zip(turn.names, turn.raw, strict=True):
            if isinstance(part, Mapping):
                turn.parts[name] = dict(part) if name == "infos" else copy.deepcopy(dict(part))
            else:
                turn.form = f"the {name} are a {type(part).__name__} instead of a dictionary"
        if self._scribble:
            for array in arrays(turn.raw[0]):
                if array.flags.writeable and array.dtype.kind in "fiub":
                    array[...] = 1
        if turn.number >= _WHOLE_TURNS and any(
            array.nbytes > LARGE for array in arrays(turn.raw[0])
        ):
            turn.raw = None
            turn.parts["observations"] = summarised(turn.parts["observations"])

    def _follow(self, turn: Turn) -> None:
        """Who ended, left or joined."""
        over = turn.answers("terminations")
        late = turn.answers("truncations")
        for agent in turn.live:
            flags = _is_set(over.get(agent)), _is_set(late.get(agent))
            if any(flags):
                turn.ended[agent] = flags
        self._finished |= turn.ended.keys()
        joined = {agent for agent in turn.after if agent in turn.possible}
        self._live = (self._live & set(turn.after) | joined) - self._finished


def _agents(env: Any) -> list[AgentId]:
    listed = getattr(env, "agents", None)
    return list(listed) if isinstance(listed, list | tuple) else []


def _is_set(flag: Any) -> bool:
    try:
        return bool(flag)
    except (TypeError, ValueError):  # no flag at all; its check says so
        return False


def _same_state(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, tuple):
        return all(_same_state(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
