"""Identity is right where the truth is known."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

import mirrorenv
from mirrorenv.errors import LogError
from mirrorenv.instrument.diversity import system_neural_diversity
from mirrorenv.instrument.measured import limit_reading
from mirrorenv.instrument.over_episodes import _log_e
from mirrorenv.instrument.record import ChatRecord, Lineups
from mirrorenv.instrument.telling_apart import identity_of
from tests.instrument.logs import ALIKE, HABITS, log_of


def test_agents_that_do_not_differ_have_no_identity() -> None:
    for seed in range(5):
        found = identity_of(log_of(ALIKE, seed=seed))
        assert found.reading.identity.low <= 0.0 <= found.reading.identity.high + 1e-12
        assert found.reading.identity.value < 0.02
        assert found.watched.first_past_20 is None


def test_identity_comes_close_to_the_exact_ceiling_and_its_parts_say_what_tells() -> None:
    record = log_of(HABITS, episodes=100)
    law = np.log(HABITS[:, record.actions[:, 0].astype(int)]).T  # (S, N)
    found = identity_of(replace(record, law=law))
    assert found.ceiling is not None
    exact = limit_reading(law, record.trajectory, record.lineups).identity
    assert found.ceiling.identity == exact
    assert exact.value - 0.08 < found.reading.identity.value < exact.value + 0.02
    assert found.columns[0].name == "action"
    assert found.columns[-1].identity.value < 0.02
    assert found.watched.first_past_20 is not None
    assert not found.warnings
    assert found.lineup is not None
    assert found.lineup.recognised.value > found.reading.recognised.value


def test_readers_that_know_more_than_the_ceiling_are_pointed_out() -> None:
    record = log_of(HABITS, episodes=60)
    seen = record.observations.copy()
    seen[:, 0] = record.lineups.agent[record.trajectory]
    law = np.log(HABITS[:, record.actions[:, 0].astype(int)]).T
    found = identity_of(replace(record, observations=seen, law=law))
    said = " ".join(found.warnings)
    assert "first observation" in said
    assert "x: the same in all of a trajectory" in said
    assert "more than the ceiling allows" in said


def test_a_policy_that_depends_on_what_is_seen_is_told_by_the_fitted_policy() -> None:
    record = log_of(ALIKE, episodes=60, steps=20, seed=1)
    agent = record.lineups.agent[record.trajectory]
    turned = np.where(agent == 0, record.observations[:, 0], -record.observations[:, 0])
    done = (turned > 0).astype(float)[:, None]
    found = identity_of(replace(record, actions=done, choices=(2,)))
    assert found.parts[0].name in ("policy", "actions_where")
    names = {one.name: one.identity.value for one in found.parts}
    assert names["actions"] < 0.02
    assert found.reading.identity.value > 0.4  # two of three do the same: at most .637


def test_more_known_episodes_tell_more() -> None:
    curve = identity_of(log_of(HABITS, episodes=80)).curve
    assert [k for k, _ in curve] == [1, 2, 4, 8, 16]
    assert curve[-1][1].value > curve[0][1].value + 0.1


def test_a_bet_of_the_e_value_is_fair_if_agents_may_be_exchanged() -> None:
    rng = np.random.default_rng(0)
    belief = np.repeat(rng.normal(size=(1, 3, 3)), 6, axis=0).reshape(18, 3)
    agent = np.array(list(permutations(range(3)))).reshape(-1)
    lineups = Lineups(("a", "b", "c"), agent, np.repeat(np.arange(6), 3))
    steps = np.diff(_log_e(belief, lineups, lineups.episode), prepend=0.0)
    assert np.exp(steps).mean() == pytest.approx(1.0)


def test_agents_that_played_alone_are_read_among_all() -> None:
    record = log_of(HABITS, episodes=60)
    alone = replace(record.lineups, episode=np.arange(len(record.lineups.agent)))
    found = identity_of(replace(record, lineups=alone))
    assert found.lineup is None
    assert found.reading.identity.value > 0.4
    assert found.watched.first_past_20 is not None
    same = log_of(ALIKE, episodes=60)
    alone = replace(same.lineups, episode=np.arange(len(same.lineups.agent)))
    assert identity_of(replace(same, lineups=alone)).watched.first_past_20 is None


def test_speakers_are_told_by_their_words_and_own_names_are_pointed_out() -> None:
    rng = np.random.default_rng(0)
    words = ["the", "cat", "sees", "a", "big", "house", "by", "the", "river", "at", "night"]
    turns = []
    for agent in range(40):
        said = " ".join(rng.choice(words, 12))
        turns.append((f"Well {said}" if agent % 2 else f"{said} says Ann",))
    lineups = Lineups(("Ann", "Bo"), np.tile([0, 1], 20), np.repeat(np.arange(20), 2))
    found = identity_of(ChatRecord(lineups, tuple(turns)))
    assert found.reading.identity.value > 0.5
    assert any("Ann" in one and "own names" in one for one in found.warnings)


@pytest.mark.parametrize("episodes", [1, 4])
def test_too_few_episodes_are_refused_with_what_to_do(episodes: int) -> None:
    with pytest.raises(LogError, match="--steps-per-episode"):
        identity_of(log_of(HABITS, episodes=episodes))


def test_diversity_is_a_distance_of_laws() -> None:
    seen = np.zeros((5, 2), np.float32)
    one = np.tile([1.0, 0.0], (5, 1))
    half = np.tile([0.5, 0.5], (5, 1))
    assert system_neural_diversity({"a": lambda _: one, "b": lambda _: half}, seen) == 0.5
    near = np.tile([[[0.0], [1.0]]], (5, 1, 1))
    far = np.tile([[[3.0], [5.0]]], (5, 1, 1))
    assert system_neural_diversity({"a": lambda _: near, "b": lambda _: far}, seen) == 5.0


def test_the_function_reads_arrays_by_name() -> None:
    record = log_of(HABITS)
    log = {
        "agent": record.lineups.agent[record.trajectory],
        "episode": record.lineups.episode[record.trajectory],
        "action": record.actions[:, 0],
    }
    found = mirrorenv.identity(log)
    assert found.reading.identity.value > 0.4
