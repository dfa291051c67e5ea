"""What the report of byte agents finds by itself."""

from __future__ import annotations

import numpy as np
import pytest

import mirrorenv
from mirrorenv.bytes.world import ByteMeditation

pytest.importorskip("unicorn", reason="unicorn is not installed: pip install '.[bytes]'")


def test_a_loop_and_a_copy_are_found_and_every_reward_stands_apart() -> None:
    world = mirrorenv.make_batch("mirrorenv/bytes-v0", 2, num_agents=2, length=16, horizon=2)
    assert isinstance(world, ByteMeditation)
    world.reset([0, 1])
    said = np.random.default_rng(0).integers(0, 256, (2, 2, 16))
    said[1, 0] = [0xEB, 0xFE, *[0x90] * 14]  # a jump to itself
    said[0, 1] = 0x90
    world.step(said)
    world.step(said)
    tables = {table.title: table for table in world.account()}
    found = tables["Loops, copies, going haywire"].rows
    assert ("byte_0", "a loop without end", "2", "episode 2, step 1", "bytes 0") in found
    assert ("byte_1", "one piece again and again", "2", "episode 1, step 1", "90") in found
    assert [row[0] for row in tables["What was paid"].rows] == list(world.weights)
    world.close()
