"""Whole episodes recorded once: a world that changes must get a new version, or a reason to rewrite
its record.

    python -m tests.envs.test_golden_playthroughs [NAME ...]  # writes records: of all, or of these

The digest is taken over rounded numbers, so that it does not depend on the last bits of a
platform's arithmetic.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mirrorenv.envs.registry import registry
from tests.envs.world_cases import CASES, Case, play, uniform_actions

GOLDEN = Path(__file__).parent / "golden"
SEEDS = np.array([0, 1, 2**40])


def digest(array: np.ndarray) -> str:
    """Of the numbers in ten-thousandths, little-endian, in C order."""
    thousandths = np.rint(array.astype(np.float64) * 1e4).astype("<i8")
    return hashlib.sha256(np.ascontiguousarray(thousandths).tobytes()).hexdigest()[:32]


def playthrough(case: Case) -> dict[str, Any]:
    world = case.batch(len(SEEDS))
    record = play(world, SEEDS, uniform_actions(world, world.horizon, seed=5))
    return {
        "id": case.id,
        "kwargs": case.kwargs,
        "seeds": SEEDS.tolist(),
        "shape": list(record.observations.shape),
        "returns": np.round(record.rewards.sum(axis=0, dtype=np.float64), 4).tolist(),
        "steps": (~(record.terminated | record.truncated)).sum(axis=0).tolist(),
        "actions": digest(record.actions),
        "observations": digest(record.observations),
        "rewards": digest(record.rewards),
        "terminated": digest(record.terminated),
        "truncated": digest(record.truncated),
    }


def path_of(case: Case) -> Path:
    return GOLDEN / f"{str(case).replace('=', '-')}.json"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_recorded_episode_is_played_again(case):
    if not case.id.startswith("mirrorenv/"):
        pytest.skip("a world of another package")
    path = path_of(case)
    if not path.is_file():
        pytest.fail(
            f"{case.id} has no recorded episode yet. Once it is right, record it: "
            f"python -m tests.envs.test_golden_playthroughs {path.stem}"
        )
    recorded = json.loads(path.read_text())
    now = playthrough(case)
    assert now["returns"] == pytest.approx(np.array(recorded.pop("returns")), abs=1e-3)
    assert {name: value for name, value in now.items() if name != "returns"} == recorded


def test_every_record_belongs_to_a_world():
    assert {path.name for path in GOLDEN.glob("*.json")} == {
        path_of(case).name
        for case in CASES
        if case.id in registry() and case.id.startswith("mirrorenv/")
    }


if __name__ == "__main__":
    GOLDEN.mkdir(exist_ok=True)
    asked = set(sys.argv[1:])
    ours = {path_of(case).stem: case for case in CASES if case.id.startswith("mirrorenv/")}
    if unknown := asked - ours.keys():
        sys.exit(f"no such record: {', '.join(sorted(unknown))}. Known: {', '.join(ours)}")
    for stem in asked or ours:
        path_of(ours[stem]).write_text(json.dumps(playthrough(ours[stem]), indent=1) + "\n")
