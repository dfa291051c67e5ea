"""What the checks look at: episodes that were played once, and the means to play more."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from typing import Any

from gymnasium import spaces

from mirrorenv.envs.base import AgentId, Space
from mirrorenv.envs.checks.compare import difference
from mirrorenv.envs.checks.findings import Played, Seen
from mirrorenv.envs.checks.session import Patience, Session, Turn
from mirrorenv.envs.checks.subject import Subject

__all__ = ["Evidence", "first_difference"]


class Evidence:
    """Recorded episodes of one environment, all played in the same copy, one after the other.

    Args:
        subject: what is checked.
        seeds: one for each recorded episode.
        patience: how long to be patient.

    Attributes:
        env: the copy in which the episodes were played.
        observation_spaces: by agent, as first declared; what is no space is missing.
        action_spaces: likewise.
        undeclared: why a space is missing, by (kind, agent).
        horizon: steps at most, as the environment says itself, or None.
        episodes: the turns of each recorded episode.
    """

    def __init__(self, subject: Subject, seeds: list[int], patience: Patience) -> None:
        self.subject = subject
        self.seeds = seeds
        self.patience = patience
        self.env = subject.make()
        self.undeclared: dict[tuple[str, AgentId], str] = {}
        self.observation_spaces = self._spaces("observation_space")
        self.action_spaces = self._spaces("action_space")
        self.horizon = subject.declared_horizon(self.env)
        self.episodes: list[list[Turn]] = []
        self._fresh: dict[int, list[Turn]] = {}

    def _spaces(self, kind: str) -> dict[AgentId, Space]:
        found: dict[AgentId, Space] = {}
        for agent in self.env.possible_agents:
            try:
                space = getattr(self.env, kind)(agent)
            except Exception as error:
                self.undeclared[kind, agent] = f"raised {type(error).__name__}: {error}"
                continue
            if isinstance(space, spaces.Space):
                found[agent] = space
            else:
                self.undeclared[kind, agent] = f"returned {space!r}, which is no gymnasium space"
        return found

    # -- playing -----------------------------------------------------------------------------------

    def record(self) -> None:
        """Play the episodes that most checks look at; a crash ends it."""
        session = self.session(self.env, watch=True)
        for seed in self.seeds:
            self.episodes.append(session.play(seed))
            last = session.turns[-1]
            if last.error is not None or last.hung:
                return

    def session(self, env: Any = None, **how: bool) -> Session:
        """A player of `env`, or of a fresh copy."""
        return Session(
            self.subject.make() if env is None else env, self.action_spaces, self.patience, **how
        )

    def fresh(self, seed: int) -> list[Turn]:
        """The episode of this seed in a copy of its own; played once and kept."""
        if seed not in self._fresh:
            self._fresh[seed] = self.session().play(seed)
        return self._fresh[seed]

    def replay_steps(self, replays: int) -> int:
        """How many steps of an episode can be played so often in the time there is; at least 8.

        Args:
            replays: how often the episode is to be played.
        """
        step = max(self.played().microseconds * 1e-6, 1e-5)
        return max(
            8, min(self.patience.max_steps, int(self.patience.replay_seconds / (replays * step)))
        )

    # -- looking -----------------------------------------------------------------------------------

    def turns(self) -> Iterator[Turn]:
        """Every recorded turn."""
        for episode in self.episodes:
            yield from episode

    def values(self, part: str) -> Iterator[tuple[Turn, AgentId, Any]]:
        """Every recorded (turn, agent, value) of one part of the answers.

        Args:
            part: a name in :data:`~mirrorenv.envs.checks.session.PARTS`.
        """
        for turn in self.turns():
            for agent, value in turn.answers(part).items():
                yield turn, agent, value

    def played(self) -> Played:
        """What the recorded episodes exercised."""
        steps = [turn.seconds for turn in self.turns() if turn.number]
        endings = [_endings(episode) for episode in self.episodes]
        flags = [flag for one in endings for flag in one.values()]
        return Played(
            episodes=len(self.episodes),
            steps=len(steps),
            longest=max((episode[-1].number for episode in self.episodes), default=0),
            whole=sum(_is_whole(episode) for episode in self.episodes),
            terminated=sum(terminated for terminated, _ in flags),
            truncated=sum(truncated for _, truncated in flags),
            early=sum(len(turn.ended) for episode in self.episodes for turn in episode[:-1]),
            mixed=sum(_is_mixed(one) for one in endings),
            microseconds=1e6 * statistics.median(steps) if steps else 0.0,
        )


Endings = dict[AgentId, tuple[bool, bool]]
"""Agents that ended, with their flags: terminated, truncated."""


def _endings(episode: list[Turn]) -> Endings:
    """Who ended in an episode, and how."""
    found: Endings = {}
    for turn in episode:
        found |= turn.ended
    return found


def _is_whole(episode: list[Turn]) -> bool:
    """Whether all agents had ended after the last turn."""
    last = episode[-1]
    return not set(last.after) - last.ended.keys()


def _is_mixed(endings: Endings) -> bool:
    """Whether some agents were terminated and others (only) truncated."""
    return len({terminated for terminated, _ in endings.values()}) == 2


def first_difference(one: list[Turn], other: list[Turn], start: int = 0) -> Seen | None:
    """Where two episodes part, from turn `start` on; infos are not compared, they may hold the
    time of day.

    Args:
        one: turns of an episode.
        other: turns of another one.
        start: the first turn that is compared.
    """
    for a, b in zip(one[start:], other[start:], strict=False):
        if (a.error is None, a.hung) != (b.error is None, b.hung):
            raised = a.error or b.error
            return a.seen(f"one of the two raised {raised!r}")
        for part in ("observations", "rewards", "terminations", "truncations"):
            mine = a.answers(part)
            theirs = b.answers(part)
            if mine.keys() != theirs.keys():
                return a.seen(
                    f"the {part} name {sorted(map(str, mine))} and {sorted(map(str, theirs))}"
                )
            for agent in mine:
                if found := difference(mine[agent], theirs[agent]):
                    return a.seen(f"the {part} differ: {found}", agent)
    if len(one) != len(other):
        return one[-1].seen(
            f"one ends after {one[-1].number} steps, the other after {other[-1].number}"
        )
    return None
