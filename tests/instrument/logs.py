"""Logs of agents whose habits are known."""

from __future__ import annotations

import numpy as np

from mirrorenv.instrument.record import Lineups, StepRecord
from mirrorenv.mirror.arrays import Floats64

HABITS = np.array([[0.7, 0.2, 0.1], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7]])
"""(N, A) of three agents that differ."""
ALIKE = np.full((3, 3), 1 / 3)


def log_of(law: Floats64, episodes: int = 40, steps: int = 10, seed: int = 0) -> StepRecord:
    """Agents with these laws of action, beside two numbers that say nothing of who acts."""
    rng = np.random.default_rng(seed)
    agents, choices = law.shape
    agent = np.tile(np.arange(agents), episodes)
    episode = np.repeat(np.arange(episodes), agents)
    draws = rng.random((len(agent), steps, 1))
    actions = (draws > law.cumsum(1)[agent][:, None, :-1]).sum(-1).reshape(-1, 1)
    seen = rng.normal(size=(len(agent) * steps, 2)).astype(np.float32)
    return StepRecord(
        Lineups(tuple("abc"[:agents]), agent, episode),
        np.repeat(np.arange(len(agent)), steps),
        seen,
        ("x", "y"),
        actions.astype(np.float64),
        ("action",),
        (choices,),
    )


def columns_of(record: StepRecord) -> dict[str, np.ndarray]:
    """The same log as columns."""
    lineups = record.lineups
    step = np.concatenate([np.arange(length) for length in record.lengths()])
    return {
        "agent": np.array(lineups.names)[lineups.agent[record.trajectory]],
        "episode": lineups.episode[record.trajectory],
        "step": step,
        "action": record.actions[:, 0].astype(int),
        "x": record.observations[:, 0],
        "y": record.observations[:, 1],
    }
