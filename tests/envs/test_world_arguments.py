"""Any allowed arguments make a world that keeps its spaces and its clock; any others are refused by
name."""

from __future__ import annotations

import inspect
from typing import Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import mirrorenv
from mirrorenv.errors import ConfigError
from tests.envs.world_cases import play, uniform_actions

few, steps, money = st.integers(1, 6), st.integers(1, 12), st.floats(-5, 5)
# Numbers whose range no signature tells. Choices, truth values and the clock need no line here: a
# world without an entry is tried with these.
NUMBERS = {
    "mirrorenv/ants-v0": {
        "num_agents": few,
        "length": st.integers(2, 9),
        "food_items": few,
    },
    "mirrorenv/chain-v0": {
        "num_agents": st.integers(4, 6),
        "num_jobs": st.integers(2, 4),
        "glean": st.floats(0, 1),
        "harvest": st.floats(2, 5),
    },
    "mirrorenv/conformity-v0": {
        "num_agents": st.integers(2, 6),
        "num_actions": st.integers(6, 9),
        "reward": money,
    },
    "mirrorenv/dirichlet-v0": {
        "num_agents": few,
        "num_states": few,
        "num_actions": few,
    },
    "mirrorenv/dispersion-v0": {
        "num_agents": few,
        "speed": st.floats(0.01, 3),
        "goal_radius": st.floats(0.01, 0.49),
        "time_penalty": money,
    },
    "mirrorenv/identity-v0": {"num_agents": few, "num_actions": few, "reward": money},
    "mirrorenv/pacmen-v0": {
        "num_agents": st.integers(1, 9),
        "reward_scale": money,
    },
    "mirrorenv/point-v0": {"num_agents": few, "speed": st.floats(0.01, 3)},
    "mirrorenv/turn-v0": {
        "size": st.integers(2, 7),
    },
}


def strategies(world: type) -> dict[str, st.SearchStrategy]:
    """What the signature of a world tells by itself: choices, truth values and the clock."""
    found = {}
    for name, kind in get_type_hints(world.__init__).items():
        if get_origin(kind) is Literal:
            found[name] = st.sampled_from(get_args(kind))
        elif kind is bool:
            found[name] = st.booleans()
        elif name == "horizon":
            found[name] = steps
    return found


ARGUMENTS = {
    id: {**strategies(spec.load()), **NUMBERS.get(id, {})}
    for id, spec in mirrorenv.registry().items()
    if id.startswith("mirrorenv/") and spec.kind == "array"
}


def test_every_entry_belongs_to_a_world():
    assert NUMBERS.keys() <= ARGUMENTS.keys()


@pytest.mark.parametrize("id", ARGUMENTS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_allowed_arguments_keep_the_contract(id, data):
    kwargs = {
        name: data.draw(values, label=name)
        for name, values in ARGUMENTS[id].items()
        if data.draw(st.booleans())
    }
    # the one rule that ties two arguments: gleaning pays less than the harvest (1.0 if not drawn)
    assume(kwargs.get("glean", 0.2) < kwargs.get("harvest", 1.0))
    seeds = np.array(data.draw(st.lists(st.integers(0, 2**63 - 1), min_size=2, max_size=2)))
    world = mirrorenv.make_batch(id, 2, **kwargs)
    assert world.num_agents == kwargs.get("num_agents", world.num_agents) == len(set(world.agents))
    record = play(world, seeds, uniform_actions(world, world.horizon, seed=int(seeds[0] % 1000)))
    space = world.observation_space
    assert record.observations.shape[2:] == (world.num_agents, *space.shape)
    assert ((record.observations >= space.low) & (record.observations <= space.high)).all()
    assert np.isfinite(record.rewards).all()
    assert (record.terminated | record.truncated)[-1].all()


@pytest.mark.parametrize("id", ARGUMENTS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_numbers_below_their_range_are_refused_by_name(id, data):
    counts = {"num_agents", "num_actions", "num_states", "length", "horizon"} & kinds(id).keys()
    if not counts:
        pytest.skip("nothing to count")
    name = data.draw(st.sampled_from(sorted(counts)))
    with pytest.raises(ConfigError, match=name):
        mirrorenv.make_batch(id, 2, **{name: data.draw(st.integers(-5, 0))})


WRONG = {int: ["3", 2.5, True, None], float: ["3", True, None], bool: ["yes", 1, None]}


def kinds(id):
    """The arguments of a world whose default is a number or a truth value, with that kind."""
    defaults = {
        name: p.default
        for name, p in inspect.signature(mirrorenv.spec(id).load()).parameters.items()
    }
    return {
        name: type(value)
        for name, value in defaults.items()
        if type(value) in WRONG and name != "num_envs"
    }


@pytest.mark.parametrize("id", ARGUMENTS)
def test_arguments_of_a_wrong_kind_are_refused_by_name(id):
    for name, kind in kinds(id).items():
        for value in WRONG[kind]:
            with pytest.raises(
                ConfigError, match=rf"{id}: world argument '{name}' must be .*, got {value!r}"
            ):
                mirrorenv.make_batch(id, 2, **{name: value})


def test_numbers_of_numpy_and_whole_numbers_as_measures_are_fine():
    assert mirrorenv.make_batch("mirrorenv/ants-v0", 2, length=np.int64(5)).length == 5
    assert mirrorenv.make_batch("mirrorenv/identity-v0", 2, reward=np.float32(2)).reward == 2.0
    assert mirrorenv.make_batch("mirrorenv/identity-v0", 2, reward=3).reward == 3.0
    assert mirrorenv.make_batch("mirrorenv/conformity-v0", 2, num_actions=None).action_space.n == 4
