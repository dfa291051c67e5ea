"""Somebody else's environment as a batch: it plays what the copies play bare, and is refused in
words that help.

Shapes: B batch, T time, N agents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.spaces.utils import flatten

import mirrorenv
from mirrorenv.envs import play_episodes
from mirrorenv.errors import ConfigError, UnknownNameError, WorldError
from tests.envs.bare import compare
from tests.envs.strangers import Dying, Many, Pictures, Roles, Stranger

SEEDS = [7, 0, 2**31 - 1, 7]


@pytest.mark.parametrize("kind", [Stranger, Dying, Pictures])
def test_the_batch_plays_what_its_copies_play_bare(kind: Any) -> None:
    compare(kind, mirrorenv.make_batch(kind, 4), SEEDS)


def test_dict_observations_and_multidiscrete_actions_are_flattened_in_gymnasiums_order() -> None:
    world = mirrorenv.make_batch(Many, 4)
    assert world.action_space == spaces.MultiDiscrete([3, 2])
    assert world.observation_space.shape == (2 + 3 + 5 + 2 + 2,)
    compare(
        Many,
        world,
        SEEDS,
        translate=np.asarray,
        see=lambda value: flatten(Many.sight, value),
    )


def test_a_row_depends_on_its_seed_alone() -> None:
    alone, batch = mirrorenv.make_batch(Dying, 1), mirrorenv.make_batch(Dying, 3)
    one = play_episodes(alone, lambda seen, t: np.ones((1, 3), int), [5])
    many = play_episodes(batch, lambda seen, t: np.ones((3, 3), int), [9, 5, 2])
    np.testing.assert_array_equal(one.observations[0], many.observations[1])
    np.testing.assert_array_equal(one.mask[0], many.mask[1])


def test_lengths_differ_between_agents_and_episodes_and_only_live_agents_act() -> None:
    envs: list[Dying] = []

    def make() -> Dying:
        envs.append(Dying(max_cycles=12))
        return envs[-1]

    record = play_episodes(
        mirrorenv.make_batch(make, 8), lambda seen, t: np.ones((8, 3), int), range(8)
    )
    lengths = record.mask.sum(axis=1)  # (B, N)
    assert len(np.unique(lengths)) > 3
    assert (lengths.min(axis=1) < lengths.max(axis=1)).any()
    # each agent was given exactly as many actions as it lived steps
    for row, env in enumerate(envs):
        given = [sum(agent in joint for joint in env.received) for agent in env.possible_agents]
        assert given == lengths[row].tolist()


def test_the_given_horizon_truncates_who_is_still_alive() -> None:
    world = mirrorenv.make_batch(lambda: Dying(max_cycles=50), 16, horizon=3)
    world.reset(range(16))
    for _ in range(3):
        step = world.step(np.zeros((16, 3), int))
    assert step.terminated.any()
    np.testing.assert_array_equal(step.truncated, ~step.terminated)
    after = world.step(np.zeros((16, 3), int))
    np.testing.assert_array_equal(after.truncated, step.truncated)
    np.testing.assert_array_equal(after.observations, step.observations)
    assert not after.rewards.any()


def test_an_environment_without_a_horizon_is_told_the_remedy() -> None:
    class Endless(Stranger):
        def __init__(self) -> None:
            super().__init__()
            self.limit = self.__dict__.pop("max_cycles")

        def step(self, actions: Any) -> Any:
            self.max_cycles = self.limit
            return super().step(actions)

    with pytest.raises(ConfigError, match=r"horizon=.*--set world_options\.horizon.*max_cycles"):
        mirrorenv.make_batch(Endless, 2)
    assert mirrorenv.make_batch(Endless, 2, horizon=4).horizon == 4


def test_large_seeds_become_31_bits_and_stay_different() -> None:
    world = mirrorenv.make_batch(Stranger, 3)
    first = world.reset([2**63, 2**63 + 1, 2**63])
    np.testing.assert_array_equal(first[0], first[2])
    assert (first[0] != first[1]).any()


def test_returned_arrays_belong_to_the_caller() -> None:
    world = mirrorenv.make_batch(Dying, 2)
    first = world.reset([1, 2])
    kept = first.copy()
    step = world.step(np.zeros((2, 3), int))
    np.testing.assert_array_equal(first, kept)
    truth = [part.copy() for part in step]
    for part in step:
        part[...] = 1
    again = mirrorenv.make_batch(Dying, 2)
    again.reset([1, 2])
    again.step(np.zeros((2, 3), int))
    one, other = world.step(np.zeros((2, 3), int)), again.step(np.zeros((2, 3), int))
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(truth) == 4


# -- roles -----------------------------------------------------------------------------------------


def test_agents_with_different_spaces_are_refused_with_what_would_work() -> None:
    with pytest.raises(
        ConfigError, match=r"tell them apart.*agents=\['hunter_0', 'hunter_1'\].*pad=True"
    ):
        mirrorenv.make_batch(Roles, 2)


def test_padding_is_explicit_and_marked_as_a_leak() -> None:
    world = mirrorenv.make_batch(Roles, 2, pad=True)
    first = world.reset([1, 2])
    assert first.shape == (2, 3, 4)
    assert not first[:, 1, 2:].any()
    assert first[:, 0, 2:].any()
    spec = mirrorenv.spec(Roles, pad=True)
    assert not spec.slot_exchangeable
    assert "padded" in str(spec.leaks)
    with pytest.raises(ConfigError, match="padding names the agent"):
        mirrorenv.make_batch(Roles, 2, pad=True, slot_exchangeable=True)


def test_one_group_is_taught_while_the_others_act_by_their_policy() -> None:
    envs: list[Roles] = []

    def make() -> Roles:
        envs.append(Roles())
        return envs[-1]

    def hare(agent: str, observation: Any, rng: np.random.Generator) -> int:
        assert agent == "hare"
        assert observation.shape == (2,)
        return int(rng.integers(3))

    world = mirrorenv.make_batch(make, 2, agents=["hunter_1", "hunter_0"], others=hare)
    assert world.agents == ("hunter_0", "hunter_1")
    played = []
    for _ in range(2):
        play_episodes(world, lambda seen, t: np.full((2, 2), 2), [4, 5])
        played.append([joint for env in envs for joint in env.received])
    assert played[0] == played[1]  # the seed decides what the others do
    assert all(joint["hunter_0"] == joint["hunter_1"] == 2 for joint in played[0])
    assert len({joint["hare"] for joint in played[0]}) > 1


def test_random_others_follow_from_the_seed() -> None:
    envs: list[Roles] = []

    def make() -> Roles:
        envs.append(Roles())
        return envs[-1]

    world = mirrorenv.make_batch(make, 3, agents=["hunter_0", "hunter_1"])
    play_episodes(world, lambda seen, t: np.zeros((3, 2), int), [4, 5, 4])
    hares = [[joint["hare"] for joint in env.received] for env in envs]
    assert hares[0] == hares[2] != hares[1]


# -- actions ---------------------------------------------------------------------------------------


def _world_of(acts: Any) -> Any:
    """A world of two agents with these actions."""
    kind = type("Acting", (Stranger,), {"acts": acts, "pay": lambda self, agent, action: 0.0})
    return mirrorenv.make_batch(kind, 1, num_agents_=1)


def _given(acts: Any, ours: Any) -> Any:
    """What an environment with action space `acts` receives for one action of ours."""
    received: list[Any] = []

    class Listening(Stranger):
        def pay(self, agent: str, action: Any) -> float:
            received.append(action)
            return 0.0

    Listening.acts = acts
    world = mirrorenv.make_batch(Listening, 1, num_agents_=1)
    world.reset([0])
    world.step(np.asarray(ours)[None, None])
    assert acts.contains(received[0]), received
    return received[0]


def test_every_part_of_a_choice_is_a_number_of_its_own() -> None:
    nested = spaces.Dict(
        {"b": spaces.Discrete(2, start=-1), "a": spaces.MultiDiscrete([2, 3], start=[1, 0])}
    )
    sizes = [int(size) for size in _world_of(nested).action_space.nvec]
    seen = {str(_given(nested, np.array(parts))) for parts in np.ndindex(*sizes)}
    assert sorted(sizes) == [2, 2, 3] and len(seen) == 12
    assert _given(spaces.Discrete(3, start=5), 2) == 7
    binary = {
        tuple(_given(spaces.MultiBinary(3), np.array(parts))) for parts in np.ndindex(2, 2, 2)
    }
    assert len(binary) == 8
    assert _world_of(spaces.MultiDiscrete([64] * 8)).action_space.nvec.tolist() == [64] * 8


def test_choices_and_numbers_side_by_side_are_one_row_of_numbers() -> None:
    mixed = spaces.Dict({"go": spaces.Discrete(3, start=1), "far": spaces.Box(0, 4, (2,))})
    order = list(mixed.spaces)
    row = {"go": [2.0], "far": [-1.0, 0.5]}
    taken = _given(mixed, np.float32([number for name in order for number in row[name]]))
    assert taken["go"] == 3
    np.testing.assert_allclose(taken["far"], [0.0, 3.0])
    world = _world_of(mixed)
    world.reset([0])
    half = np.float32([[0.5 if name == "go" else 0.0 for name in order for _ in row[name]]])
    with pytest.raises(WorldError, match="number"):
        world.step(half[None])


def test_boxes_are_scaled_to_the_bounds_of_each_entry() -> None:
    uneven = spaces.Box(np.float32([[0, -2]]), np.float32([[1, 6]]))
    np.testing.assert_allclose(_given(uneven, np.float32([-1, 1])), [[0, 6]])
    np.testing.assert_allclose(_given(uneven, np.float32([0, 0.5])), [[0.5, 4]])
    even = spaces.Box(0, 5, (2,), np.float64)
    np.testing.assert_allclose(_given(even, np.float32([1.5, 5])), [1.5, 5])
    parts = _given(
        spaces.Tuple((spaces.Box(0, 1, (1,)), spaces.Box(-3, 3, (1, 1)))), np.float32([1, -1])
    )
    np.testing.assert_allclose([parts[0][0], parts[1][0, 0]], [1, -3])


# -- the doors -------------------------------------------------------------------------------------


def test_make_gives_the_pettingzoo_face_of_the_same_episode() -> None:
    env = mirrorenv.make(Dying, render_mode="rgb_array")
    seen, _ = env.reset(seed=5)
    world = mirrorenv.make_batch(Dying, 1)
    first = world.reset([5])
    for i, agent in enumerate(env.possible_agents):
        np.testing.assert_array_equal(seen[agent], first[0, i])
    lived = 0
    while env.agents:
        env.step(dict.fromkeys(env.agents, 1))
        lived += 1
    assert 0 < lived <= 6
    assert env.render().tolist() == np.full((4, 5, 3), lived).tolist()


def test_an_unknown_world_claims_nothing_unless_the_user_does() -> None:
    spec = mirrorenv.spec("some.module:Env")
    assert (spec.id, spec.slot_exchangeable) == ("some.module:Env", False)
    assert "mirrorenv audit" in str(spec.leaks)
    trusted = mirrorenv.spec("some.module:Env", slot_exchangeable=True)
    assert trusted.slot_exchangeable
    assert trusted.leaks is None
    mirrorenv.make_batch(Stranger, 1, slot_exchangeable=True)


def test_names_that_lead_nowhere_are_answered() -> None:
    with pytest.raises(WorldError, match="cannot load"):
        mirrorenv.make_batch("no_such_module_here:Env", 2)
    with pytest.raises(ConfigError, match=r"package\.module:Env"):
        mirrorenv.make_batch("module:", 2)
    with pytest.raises(UnknownNameError):
        mirrorenv.make_batch("module", 2)


def test_an_array_world_by_its_path_needs_no_registration() -> None:
    world = mirrorenv.make_batch("mirrorenv.envs.worlds.ants:Ants", 3, num_agents=2)
    assert (world.num_envs, world.num_agents) == (3, 2)
    with pytest.raises(ConfigError, match="world argument"):
        mirrorenv.make_batch("mirrorenv.envs.worlds.ants:Ants", 3, antennae=2)
