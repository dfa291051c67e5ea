"""What somebody's log holds: trajectories with authors, and the steps or texts they consist of.

Shape legend: M trajectories, S steps of all trajectories, N agents, E episodes, D observation
columns, A action columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from mirrorenv.errors import LogError
from mirrorenv.mirror.arrays import Bools, Floats32, Floats64, Ints64

__all__ = ["ChatRecord", "Lineups", "StepRecord", "check_enough"]

MAX_AGENTS = 256


@dataclass(frozen=True, eq=False)
class Lineups:
    """Who made which trajectory, and in which episode.

    Args:
        names: of the N agents.
        agent: (M,) int64, index of each trajectory's author.
        episode: (M,) int64, index of its episode, 0 to E - 1. An agent has one trajectory in an
            episode at most.
    """

    names: tuple[str, ...]
    agent: Ints64  # (M,)
    episode: Ints64  # (M,)

    @property
    def num_agents(self) -> int:
        """N."""
        return len(self.names)

    @property
    def num_episodes(self) -> int:
        """E."""
        return int(self.episode.max()) + 1

    @property
    def together(self) -> bool:
        """Whether episodes have several agents. If no episode has, each trajectory is read among
        all agents instead of among those of its episode."""
        return len(self.agent) > self.num_episodes

    def candidates(self) -> Bools:
        """(M, N) who may have made a trajectory: the agents of its episode, or everybody where
        each agent played alone."""
        if not self.together:
            return np.ones((len(self.agent), self.num_agents), bool)
        present = np.zeros((self.num_episodes, self.num_agents), bool)
        present[self.episode, self.agent] = True
        return present[self.episode]

    def shares(self) -> Floats64:
        """(M,) how much each trajectory counts, 1 in all: episodes count alike, and so do the
        trajectories of one; where each agent played alone, agents count alike."""
        group = self.episode if self.together else self.agent
        sizes = np.bincount(group)
        return 1.0 / (len(sizes) * sizes[group])


@dataclass(frozen=True, eq=False)
class StepRecord:
    """Steps, in order of trajectory and time.

    Args:
        lineups: M trajectories.
        trajectory: (S,) int64, non-decreasing: which trajectory a step belongs to.
        observations: (S, D) float32; D is 0 if the log has none.
        columns: names of the D observation columns.
        actions: (S, A) float64.
        action_columns: names of the A action columns.
        choices: for each action column how many different values it has if it is a choice, whose
            values then are 0 to choices - 1; 0 if it is a number.
        law: (S, N) float64, log probability of the step's action under every agent, where the log
            says so; None if it does not.
    """

    lineups: Lineups
    trajectory: Ints64  # (S,)
    observations: Floats32  # (S, D)
    columns: tuple[str, ...]
    actions: Floats64  # (S, A)
    action_columns: tuple[str, ...]
    choices: tuple[int, ...]
    law: Floats64 | None = None  # (S, N)
    notes: tuple[str, ...] = field(default=())

    def lengths(self) -> Ints64:
        """(M,) steps of each trajectory."""
        return np.bincount(self.trajectory, minlength=len(self.lineups.agent))

    def firsts(self) -> Ints64:
        """(M,) index of the first step of each trajectory."""
        return np.searchsorted(self.trajectory, np.arange(len(self.lineups.agent)))


@dataclass(frozen=True, eq=False)
class ChatRecord:
    """What was said.

    Args:
        lineups: M trajectories; each is what one speaker said in one conversation.
        turns: M tuples of texts, in order.
    """

    lineups: Lineups
    turns: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = field(default=())


def check_enough(lineups: Lineups, folds: int) -> None:
    """Refuse what nothing can be said about.

    Args:
        lineups: of a log.
        folds: parts that readers are fitted and tried on in turn.

    Raises:
        LogError: if there are fewer than two agents, too many, or fewer than `folds` episodes;
            the message says which and what to do.
    """
    if not 2 <= lineups.num_agents <= MAX_AGENTS:
        raise LogError(
            f"identity is about two to {MAX_AGENTS} agents, and the log has {lineups.num_agents}; "
            "say which column names the agent with --columns agent=NAME"
        )
    counts = np.bincount(lineups.agent, minlength=lineups.num_agents)
    few = int(counts.min())
    if few < folds:
        name = lineups.names[int(counts.argmin())]
        raise LogError(
            f"agent {name!r} has {few} episode(s), and readers need at least {folds} of every "
            "agent: what they are fitted on is not what they are tried on. Give a longer log, say "
            "which column counts episodes with --columns episode=NAME, or cut long ones with "
            "--steps-per-episode"
        )
