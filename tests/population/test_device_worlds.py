"""Our worlds on a device: the same episodes as on NumPy, and nothing that waits for the host.

PyTorch's meta device stands in for a GPU: it holds no numbers, so whoever asks for one fails.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import mirrorenv
from mirrorenv.envs import UniformPolicy
from mirrorenv.envs.random import BatchRandom
from mirrorenv.errors import WorldError
from mirrorenv.population.device import DeviceRandom, DeviceWorld

# beside the defaults: whatever else a world's code can do
VARIANTS: dict[str, list[dict[str, Any]]] = {
    "ants": [{"start": "random", "see_others": True, "food": True, "food_items": 3}],
    "cartpole": [{"start": "own"}],
    "chain": [{"reward": "agent", "num_agents": 7, "num_jobs": 3}],
    "conformity": [{"num_agents": 3, "num_actions": 6, "horizon": 5}],
    "dispersion": [{"reward": "agent", "time_penalty": 0.1, "num_agents": 6, "speed": 0.4}],
    "graph": [{"tasks": "own", "step_cost": 0.01, "num_nodes": 9}],
    "keydoor": [{"step_cost": 0.1}],
    "pacmen": [{"size": "small", "reward": "agent", "reward_scale": 0.3, "num_agents": 9}],
    "rooms": [{"side": 7, "step_cost": 0.01}],
    "turn": [{"reward": "agent", "start": "random", "size": 3}],
}
NOT_ON_DEVICE = {"mirrorenv/bytes-v0"}  # its programs are executed by a machine
OURS = sorted(
    id for id, spec in mirrorenv.registry().items() if spec.kind == "array" and "mirrorenv/" in id
)
CASES = [
    pytest.param(id, options, id=f"{id} {options}")
    for id in sorted(set(OURS) - NOT_ON_DEVICE)
    for options in ({}, *VARIANTS.get(id.split("/")[1].removesuffix("-v0"), ()))
]
BATCH = 9


@pytest.mark.parametrize(("id", "options"), CASES)
def test_whole_episodes_are_equal_on_numpy_and_on_torch(id: str, options: dict[str, Any]) -> None:
    world = mirrorenv.make_batch(id, BATCH, **options)
    other = DeviceWorld(mirrorenv.make_batch(id, BATCH, **options), "cpu")
    for episode in range(2):
        seeds = np.arange(BATCH) + 100 * episode
        seen = world.reset(seeds)
        np.testing.assert_array_equal(seen, other.reset(seeds).numpy())
        policy = UniformPolicy(world, episode)
        for t in range(world.horizon):
            actions = policy(seen, t)
            if t % 2 and id in ("mirrorenv/pacmen-v0", "mirrorenv/turn-v0"):
                actions = np.full_like(actions, 4)  # eat, which chance does too seldom
            step = world.step(actions)
            found = other.step(torch.from_numpy(actions.copy()))
            seen = step.observations
            for name in step._fields:
                expected = getattr(step, name)
                tensor = getattr(found, name).numpy()
                assert tensor.dtype == expected.dtype
                np.testing.assert_array_equal(tensor, expected, err_msg=f"{name} after step {t}")


@pytest.mark.parametrize(("id", "options"), CASES)
def test_a_world_asks_the_host_for_nothing(id: str, options: dict[str, Any]) -> None:
    world = DeviceWorld(mirrorenv.make_batch(id, 3, **options), "meta")
    space = world.world.action_space
    shape = (3, world.world.num_agents, *(space.shape or ()))
    dtype = torch.float32 if space.shape else torch.int64
    world.reset([1, 2, 3])
    step = world.step(torch.zeros(shape, dtype=dtype, device="meta"))
    assert {one.device.type for one in step} == {"meta"}
    assert step.rewards.shape == shape[:2]


@settings(max_examples=30)
@given(
    seeds=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=4),
    high=st.integers(1, 2**31),
    size=st.integers(1, 5),
    data=st.data(),
)
def test_numbers_are_the_same_bits_whoever_draws_them(
    seeds: list[int], high: int, size: int, data: st.DataObject
) -> None:
    keys = np.array(seeds, np.uint64)
    plain = BatchRandom(keys)
    device = DeviceRandom(keys, torch.device("cpu"))
    for _ in range(3):
        where = np.array(data.draw(st.lists(st.booleans(), min_size=len(keys), max_size=len(keys))))
        asked = torch.from_numpy(where)
        pairs = [
            (plain.bits((size,)).view(np.int64), device.bits((size,))),
            (plain.uniform((2,), -1.0, 3.0), device.uniform((2,), -1.0, 3.0)),
            (
                plain.integers(high, (size,), where=where)[where],
                device.integers(high, (size,), where=asked)[asked],
            ),
            (
                plain.permutation(size, (2,), where=where)[where],
                device.permutation(size, (2,), where=asked)[asked],
            ),
        ]
        for expected, found in pairs:
            np.testing.assert_array_equal(found.numpy(), expected)


def test_a_world_that_runs_on_numpy_only_is_refused_by_name() -> None:
    with pytest.raises(WorldError, match="runs on NumPy only"):
        DeviceWorld(mirrorenv.make_batch(lambda: mirrorenv.make("mirrorenv/identity-v0"), 1), "cpu")
