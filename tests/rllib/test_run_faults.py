"""Every fault of a run that we know how to inject: survived and said, or stopped with an error that
names it."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mirrorenv.errors import CheckpointError
from mirrorenv.named_code import name_code
from mirrorenv.population.checkpoint import world_of
from mirrorenv.rllib.state import load_state, save_state
from tests.faults.judging import Happening, RunFault, judge, measure
from tests.faults.of_files import foreign_pickle
from tests.faults.table import RUN_FAULTS

pytestmark = pytest.mark.ray

# The default tests take a choice that covers each kind of handling; `make test-slow` takes all.
QUICK = {
    "NaN reward",
    "missing observation",
    "observation outside its space, array world",
    "raises in step, once",
    "never returns",
    "agent dies early",
    "full disk",
    "run folder disappears",
    "torn checkpoint",
    "lost metrics lines",
    "torn run.json",
    "foreign pickle",
    "weights replaced by a pickle",
}


def cases() -> list[object]:
    return [
        pytest.param(fault, id=fault.name, marks=() if fault.name in QUICK else pytest.mark.slow)
        for fault in RUN_FAULTS
    ]


@pytest.mark.parametrize("fault", cases())
def test_no_fault_is_silent(fault: RunFault, tmp_path: Path) -> None:
    row = measure(fault, tmp_path)
    if row["why"].startswith("skipped"):
        pytest.skip(row["why"])
    assert row["outcome"] == fault.wanted, f"{row['message']} ({row['why']})"


def test_there_are_faults_of_every_kind_and_each_has_its_own_name() -> None:
    names = [fault.name for fault in RUN_FAULTS]
    assert len(names) == len(set(names)) >= 20
    assert set(names) >= QUICK


def test_the_judge_takes_no_word_for_it(tmp_path: Path) -> None:
    fault = RunFault("kind", "where", "stopped", ("step 4",), Happening)
    assert judge(fault, Happening(tmp_path, "World, step 4: bad")).outcome == "stopped"
    assert judge(fault, Happening(tmp_path, "World: bad")).outcome == "silent"
    assert judge(fault, Happening(tmp_path, "step 4", typed=False)).outcome == "silent"
    assert judge(fault, Happening(tmp_path, "step 4", claims="finished")).outcome == "silent"
    assert (
        judge(
            fault, Happening(tmp_path, "step 4", problem="the same command did not go on")
        ).outcome
        == "silent"
    )


def test_a_training_state_comes_back_as_it_was(tmp_path: Path) -> None:
    state = {
        "steps": {0: {"step": 2.0, "exp_avg": np.arange(6, dtype=np.float32).reshape(2, 3)}},
        "betas": (0.9, 0.999),
        "rate": np.float64(1e-3),
        "limit": float("inf"),
        "scalar": np.array(3, np.int64),
        "weights": torch.ones(2, 2),
        "rest": [None, True, "text", -1],
    }
    save_state(tmp_path, state)
    back = load_state(tmp_path)
    np.testing.assert_array_equal(
        back["steps"][0].pop("exp_avg"), np.arange(6, dtype=np.float32).reshape(2, 3)
    )
    np.testing.assert_array_equal(back["weights"], np.ones((2, 2), np.float32))
    assert back["scalar"].shape == ()
    assert back["steps"] == {0: {"step": 2.0}}
    assert (back["betas"], back["rate"], back["limit"]) == ((0.9, 0.999), 1e-3, float("inf"))
    assert back["rest"] == [None, True, "text", -1]


def test_what_is_no_plain_value_is_not_kept(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"state\.model is a \w*Path"):
        save_state(tmp_path, {"model": Path("x")})


def test_the_pickle_of_these_tests_would_do_harm_if_it_were_loaded(tmp_path: Path) -> None:
    mark = tmp_path / "loaded"
    pickle.loads(foreign_pickle(mark))  # noqa: S301  (our own, to see that it works)
    assert mark.exists()


@pytest.mark.parametrize("others", [None, "os:system"])
def test_a_checkpoint_cannot_make_us_run_a_function_of_its_choice(others: str | None) -> None:
    world = "subprocess:getoutput" if others is None else "mirrorenv/ants-v0"
    about = {
        "world": world,
        "world_options": {"cmd": "touch loaded"} if others is None else {"others": others},
    }
    with pytest.raises(CheckpointError, match="names code to run"):
        world_of(about)
    with pytest.raises(CheckpointError, match="name it yourself"):
        world_of(about, "mirrorenv/turn-v0")
    if others is None:
        assert world_of(about, world)[0] == world
    else:  # to name the world is not to name the function
        with pytest.raises(CheckpointError, match="--code os:system"):
            world_of(about, world)
        name_code(others)
        assert world_of(about, world)[0] == world
    plain = {"world": "mirrorenv/ants-v0", "world_options": {"horizon": 8}}
    assert world_of(plain) == ("mirrorenv/ants-v0", {"horizon": 8})
