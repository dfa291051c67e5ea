"""Environments that others wrote play in a batch what they play bare."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

import mirrorenv
from tests.envs.bare import compare

OTHERS = [
    ("mpe2.simple_spread_v3:parallel_env", {}),
    ("mpe2.simple_spread_v3:env", {}),  # AEC that says it may be converted
    ("mpe2.simple_tag_v3:parallel_env", {"continuous_actions": True}),
    ("pettingzoo.sisl.pursuit_v5:parallel_env", {"max_cycles": 12, "n_pursuers": 3}),
    ("pettingzoo.sisl.multiwalker_v9:parallel_env", {"max_cycles": 12}),  # needs Box2D
    ("pettingzoo.butterfly.pistonball_v6:parallel_env", {"max_cycles": 3, "n_pistons": 3}),
]


@pytest.mark.parametrize(("id", "kwargs"), OTHERS)
def test_environments_of_others_play_what_they_play_bare(id: str, kwargs: dict[str, Any]) -> None:
    module, _, name = id.partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        factory = getattr(
            pytest.importorskip(module, reason=f"{module} is not installed", exc_type=ImportError),
            name,
        )
        options = {"agents": ["adversary_0", "adversary_1", "adversary_2"]} if "tag" in id else {}
        world = mirrorenv.make_batch(id, 2, **kwargs, **options)
        if options:  # the hare's moves are ours to draw: only the start can be compared
            seen, _ = factory(**kwargs).reset(seed=4)
            first = world.reset([4, 5])
            np.testing.assert_array_equal(
                first[0], np.stack([seen[agent] for agent in options["agents"]])
            )
            return
        bare = getattr(importlib.import_module(module), "parallel_env")  # noqa: B009
        discrete = isinstance(world.action_space, spaces.Discrete)
        compare(
            lambda: bare(**kwargs), world, [4, 5], translate=int if discrete else lambda move: move
        )


def test_padded_simple_tag_plays_what_it_plays_bare() -> None:
    module = pytest.importorskip("mpe2.simple_tag_v3", reason="mpe2 is not installed")

    def padded(value: Any) -> Any:
        return np.concatenate([value, np.zeros(16 - len(value), np.float32)])

    world = mirrorenv.make_batch("mpe2.simple_tag_v3:parallel_env", 2, pad=True)
    compare(module.parallel_env, world, [4, 5], see=padded)
