"""Auxiliaries that look inward in MirrorPPO, on one learner and on two."""

from __future__ import annotations

from typing import Any

import pytest

from mirrorenv.envs import make_batch
from mirrorenv.population.objectives.mind_state import TRANSITIONS_KEPT
from mirrorenv.rllib import MirrorPPOConfig

SMALL = {"episodes_per_iteration": 8, "minibatch_episodes": 4, "epochs": 1}
CODES = 4


@pytest.mark.parametrize("learners", [0, 2])
def test_codes_are_counted_over_all_learners_and_shares_are_set(learners):
    auxiliaries: list[dict[str, Any]] = [
        {"name": "mind_state", "codes": CODES, "fed": "true", "warm_up": 99},
        {"name": "self_model", "share": 0.3, "measure_every": 1},
    ]
    config = MirrorPPOConfig().environment("mirrorenv/chain-v0").mirror(weight=1.0)
    config = config.population(hidden=8, auxiliaries=auxiliaries).learning(**SMALL)
    config = config.learners(num_learners=learners).debugging(seed=2, log_level="ERROR")
    algorithm = config.build_algo()
    try:
        algorithm.train()
        state = algorithm.population.state_dict()
    finally:
        algorithm.stop()
    world = make_batch("mirrorenv/chain-v0", 1)
    counted = float(world.num_agents * CODES * CODES)
    each = SMALL["minibatch_episodes"] * (world.horizon - 1) * world.num_agents
    for _ in range(2):  # updates
        counted = TRANSITIONS_KEPT * counted + each
    total = state["auxiliaries.mind_state.transitions"].sum().item()
    assert total == pytest.approx(counted, rel=1e-3)
    assert state["auxiliaries.self_model.scale"] > 1e-5
