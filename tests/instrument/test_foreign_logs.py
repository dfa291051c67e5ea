"""Logs of other people's environments, whose agents' laws are known."""

from __future__ import annotations

import numpy as np
import pytest

import mirrorenv
from mirrorenv.mirror.arrays import AnyArray

STEPS = 10


def _spread(laws: AnyArray, episodes: int) -> dict[str, AnyArray]:
    """What agents of simple_spread did who draw actions by these laws, whatever they see."""
    spread = pytest.importorskip("mpe2.simple_spread_v3")
    env = spread.parallel_env(N=3, max_cycles=STEPS)
    rng = np.random.default_rng(0)
    rows: dict[str, list[object]] = {"agent": [], "episode": [], "obs": [], "action": []}
    for episode in range(episodes):
        seen, _ = env.reset(seed=episode)
        while env.agents:
            done = {}
            for law, agent in zip(laws, env.agents, strict=True):
                done[agent] = int(rng.choice(5, p=law))
                rows["agent"].append(agent)
                rows["episode"].append(episode)
                rows["obs"].append(seen[agent])
                rows["action"].append(done[agent])
            seen, *_ = env.step(done)
    env.close()
    return {name: np.asarray(values) for name, values in rows.items()}


def test_agents_of_one_law_have_no_identity_in_a_world_of_others() -> None:
    found = mirrorenv.identity(_spread(np.full((3, 5), 0.2), 60))
    assert found.reading.identity.low <= 0.0
    assert found.reading.identity.value < 0.03
    assert found.watched.first_past_20 is None
    assert not found.warnings


def test_an_agent_of_another_law_is_found_and_what_tells_is_said() -> None:
    laws = np.full((3, 5), 0.2)
    laws[1] = [0.05, 0.05, 0.5, 0.2, 0.2]
    found = mirrorenv.identity(_spread(laws, 60))
    assert found.reading.identity.low > 0.1
    assert found.reading.matrix[1].argmax() == 1
    assert found.reading.matrix[0, 2] > 0.3  # the two alike are taken for each other
    assert found.parts[0].name in ("actions", "policy", "after", "actions_where", "columns")
