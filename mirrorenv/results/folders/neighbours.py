"""Whether observers of neighbourhoods were shown the agents nearest to them, and whether the exact
limit counts what being shown says. Both follow from the trajectories alone.

Shape legend: B episodes, N agents, J observers (J = N), K slots.
"""

from __future__ import annotations

import numpy as np

from mirrorenv.errors import ResultError
from mirrorenv.mirror import Belief, mean_distance, nearest_agents, with_selection
from mirrorenv.results.folders.lineups import (
    Shown,
    Tables,
    lineups,
    recorded_episodes,
    shown_lineups,
)
from mirrorenv.results.folders.rescore import stream_belief
from mirrorenv.results.folders.schema import Result

__all__ = ["LIMIT", "POLICIES", "check_neighbours"]

POLICIES = "policies"
"""The stream of what the exact policies say of the trajectories shown, wherever agents were."""
LIMIT = "limit"
"""The stream of the exact limit: the same, and what being shown says."""

_CLOSE = 1e-6  # relative: another machine's sums


def check_neighbours(result: Result, tables: Tables) -> tuple[str, ...]:
    """Choose the agents shown again, and compute the limit again from the policies' evidence.

    Args:
        result: content of `result.json`.
        tables: of a population result.

    Returns:
        What was found true, in words; nothing where all observers were shown everybody.

    Raises:
        ResultError: if observers were shown others than the nearest, the limit is not what policies
            and places give, or only one of table and description speaks of neighbours.
    """
    told = result.neighbours
    if told is None and "shown" not in tables:
        return ()
    if told is None or "shown" not in tables:
        raise ResultError(
            "the table 'shown' and 'neighbours' in result.json belong together, and one is missing"
        )
    seen = lineups(tables)
    shown = shown_lineups(tables, seen)
    record = recorded_episodes(tables, seen)
    if not 0 <= min(told.place) <= max(told.place) < record.observations.shape[-1]:
        raise ResultError(
            f"neighbours.place = {list(told.place)}: an observation has "
            f"{record.observations.shape[-1]} numbers, from 0 on"
        )
    if told.count >= record.num_agents:
        raise ResultError(f"neighbours.count = {told.count} of {record.num_agents} agents")
    distance = mean_distance(record.observations[..., list(told.place)], record.mask)
    episodes = told.first_episode + seen.trials
    nearest = nearest_agents(distance, told.count, run=told.run, episodes=episodes)  # (B, J, K)
    if nearest.shape != shown.candidates.shape or (nearest != shown.candidates).any():
        raise ResultError("shown: an observer was shown others than the agents nearest to it")
    said = f"the {told.count} agents nearest to each of {nearest[..., 0].size} observers found"
    if not {POLICIES, LIMIT} <= set(result.streams):
        return (said,)
    policies, limit = (
        _in_order(stream_belief(result, tables, name, seen.trials), shown)
        for name in (POLICIES, LIMIT)
    )
    found = with_selection(policies, distance, nearest)
    if limit.shape != found.shape or not np.allclose(found, limit, rtol=_CLOSE, atol=1e-9):
        raise ResultError(
            f"beliefs: the stream '{LIMIT}' is not what '{POLICIES}' and the places of agents give"
        )
    return (said, "the limit of neighbourhoods computed again from policies and places")


def _in_order(belief: Belief, shown: Shown) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Evidence (B, J, K, K) with its rows in the order of the candidates."""
    slot_of = np.argsort(shown.truth, axis=2)  # (B, J, K) slot of each candidate
    if belief.evidence.shape[:3] != slot_of.shape:
        raise ResultError(
            f"beliefs: evidence of shape {belief.evidence.shape} does not fit the "
            f"{slot_of.shape} trajectories shown"
        )
    return np.take_along_axis(belief.evidence, slot_of[..., None], axis=2)
