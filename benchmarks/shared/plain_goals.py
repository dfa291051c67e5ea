"""The table hierarchy in plain loops over NumPy arrays: what the vectorised one is compared with.

One walk after the other, one node after the other, as one would write it down from the idea. No
line is shared with `mirrorenv.goals`.
"""

from __future__ import annotations

import numpy as np


def plain_walks(edges, count, rng):
    """Self-avoiding walks until every way leads back, as lists of nodes."""
    following = [np.flatnonzero(row) for row in edges]
    walks = []
    for _ in range(count):
        walk = [int(rng.integers(len(edges)))]
        while True:
            open_ = [node for node in following[walk[-1]].tolist() if node not in walk]
            if not open_:
                break
            walk.append(open_[int(rng.integers(len(open_)))])
        walks.append(walk)
    return walks


def plain_tables(walks, nodes, levels=3, skip=4, reach=2, asymmetric=True):
    """Subgoals and steps of every level: two (levels, V, V) arrays, -1 and infinity where nothing
    was seen."""
    subgoals = np.full((levels, nodes, nodes), -1)
    steps = np.full((levels, nodes, nodes), np.inf)
    for level in range(levels):
        top = level == levels - 1
        rounds = 1 if top else reach
        for ahead in range(rounds):
            for walk in walks:
                last = len(walk) - 1
                goal_step = last if top else skip ** (level + 1)
                goals = [p for p in range(len(walk)) if p % max(goal_step, 1) == 0 or p == last]
                goals = [last] if top else goals
                below = skip**level
                for t in range(last):
                    later = [p for p in goals if p > t]
                    if len(later) <= ahead:
                        continue
                    end = later[ahead]
                    way = t + 1 if level == 0 else min((t // below + 1) * below, last, end)
                    distance = end - t
                    s, g = walk[t], walk[end]
                    if s != g and (not asymmetric or distance < steps[level, s, g]):
                        subgoals[level, s, g] = walk[way]
                        steps[level, s, g] = distance
    return subgoals, steps


def plain_trip(subgoals, edges, start, goal, most):
    """Steps of one trip by reacting, or None if it does not arrive in `most`."""
    here = start
    for step in range(most + 1):
        if here == goal:
            return step
        aim = goal
        for level in range(len(subgoals) - 1, 0, -1):
            found = int(subgoals[level, here, aim])
            if found >= 0 and found != here:
                aim = found
        chosen = int(subgoals[0, here, aim])
        if chosen >= 0 and edges[here, chosen]:
            here = chosen
    return None
