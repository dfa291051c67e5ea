"""The live mirror: its ideal observer is exact, and only who acts can tell what it causes."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from pettingzoo.test import parallel_api_test

import mirrorenv
from mirrorenv.envs import UniformPolicy
from mirrorenv.errors import ConfigError, WorldError
from mirrorenv.instrument.live.automaton import Automaton, explored
from mirrorenv.instrument.live.environment import LiveMirror
from mirrorenv.instrument.live.film import belief_in_images, live_frames
from mirrorenv.instrument.live.ideal import (
    acted,
    contingent_evidence,
    evidence_of_sources,
    law_evidence,
)
from mirrorenv.instrument.live.images import CONTINGENT, Distortion, shown_moves
from mirrorenv.mirror.arrays import Floats32, Floats64
from mirrorenv.mirror.permutations import log_permutation_marginals


@pytest.fixture(scope="module")
def short_line() -> Automaton:
    def make(rows: int):  # type: ignore[no-untyped-def]
        return mirrorenv.make_batch("mirrorenv/ants-v0", rows, horizon=4, length=3)

    return explored(make, 3)


def _leans(seen: Floats32, time: int) -> Floats64:
    """A law that depends on the cell and on the time."""
    left = np.clip(0.3 + 0.2 * seen[:, 0] + 0.05 * time, 0.05, 0.9)
    return np.stack([left, (1 - left) / 3, 2 * (1 - left) / 3], axis=1)


def test_the_automaton_of_ants_is_its_line(short_line: Automaton) -> None:
    assert [len(seen) for seen in short_line.seen] == [1, 3, 3, 3]
    assert short_line.leads[1].tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2]]


@pytest.mark.parametrize(("delay", "noise"), [(0, 0.0), (0, 0.4), (1, 0.4), (2, 1.0)])
def test_the_evidence_of_a_law_is_the_sum_over_all_that_may_have_been_done(
    delay: int, noise: float, short_line: Automaton
) -> None:
    distortion = Distortion(delay, noise, 3)
    shown = np.random.default_rng(0).integers(3, size=(5, 4, 2))
    found = law_evidence(shown, _leans, short_line, distortion)[:, -1]
    chance = distortion.chance()
    for row, image in product(range(5), range(2)):
        total = 0.0
        for done in product(range(3), repeat=4):
            state = 0
            weight = 1.0
            for time, move in enumerate(done):
                weight *= _leans(short_line.seen[time], time)[state, move]
                state = int(short_line.leads[time][state, move])
            for time in range(4):
                late = time - delay
                seen = int(shown[row, time, image])
                weight *= chance[done[late], seen] if late >= 0 else 1 / 3
            total += weight
        assert np.exp(found[row, image]) == pytest.approx(total)


def test_only_an_agent_that_knows_what_it_did_tells_its_image_from_the_yoked_one(
    short_line: Automaton,
) -> None:
    distortion = Distortion(0, 0.5, 3)
    rng = np.random.default_rng(0)
    done, before = (acted(short_line, _leans, 600, rng) for _ in range(2))
    shown = shown_moves(np.stack([done, before], axis=2), distortion, rng)
    told = {}
    for knows in (True, False):
        evidence = evidence_of_sources(
            shown, done if knows else None, [_leans], short_line, distortion
        )
        belief = log_permutation_marginals(evidence[:, -1])
        told[knows] = np.log(2) + belief[:, CONTINGENT, CONTINGENT].mean()
    assert told[False] == pytest.approx(0.0, abs=1e-12)
    assert told[True] > 0.05


def test_an_image_without_noise_shows_what_was_done_so_much_later() -> None:
    done = np.arange(6).reshape(1, 6) % 3
    shown = shown_moves(done[..., None], Distortion(2, 0.0, 3), np.random.default_rng(0))
    assert shown[0, 2:, 0].tolist() == done[0, :4].tolist()
    evidence = contingent_evidence(shown, done, Distortion(2, 0.0, 3))
    assert evidence[0, -1, 0] == pytest.approx(2 * np.log(1 / 3))


@pytest.mark.parametrize("options", [{"start": "random"}, {"see_others": True}])
def test_worlds_with_chance_or_company_have_no_automaton(options: dict[str, object]) -> None:
    with pytest.raises(WorldError, match="no automaton"):
        explored(lambda rows: mirrorenv.make_batch("mirrorenv/ants-v0", rows, **options), 3)


def _game(**options: object) -> LiveMirror:
    return LiveMirror(mirrorenv.make("mirrorenv/ants-v0", horizon=6), **options)  # type: ignore[arg-type]


def test_the_game_is_a_pettingzoo_environment() -> None:
    parallel_api_test(_game(delay=1, noise=0.3), num_cycles=30)


def _watching(game: LiveMirror, seed: int) -> dict[str, float]:
    """Play an episode in which each agent believes in the image that matched its moves most."""
    seen, _ = game.reset(seed=seed)
    rng = np.random.default_rng(seed)
    inner = game.env.observation_space(game.possible_agents[0]).shape[0]
    matches = {agent: np.zeros(game.images) for agent in game.agents}
    paid = dict.fromkeys(game.agents, 0.0)
    while game.agents:
        actions = {}
        for agent in game.agents:
            lines = seen[agent][inner:].reshape(game.images + 1, 3)
            matches[agent] += lines[1:] @ lines[0]
            best = (matches[agent] == matches[agent].max()).astype(int)
            actions[agent] = np.array([rng.integers(3), *(10 * best)])
        seen, rewards, *_, infos = game.step(actions)
        for agent, reward in rewards.items():
            paid[agent] += reward
    assert all("contingent" in told for told in infos.values())
    return paid


def test_who_moves_by_lot_and_watches_finds_itself() -> None:
    game = _game()
    paid = [_watching(game, seed) for seed in range(40)]
    worth = np.mean([list(one.values()) for one in paid])
    assert 0.6 < worth <= 0.8  # at most 1 - 1/5


def test_an_even_belief_is_paid_nothing() -> None:
    game = _game()
    game.reset(seed=0)
    total = 0.0
    while game.agents:
        rewards = game.step({agent: np.zeros(6, int) for agent in game.agents})[1]
        total += sum(rewards.values())
    assert total == pytest.approx(0.0)


def test_the_same_seed_is_the_same_game() -> None:
    games = [_game(noise=0.5) for _ in range(2)]
    assert _watching(games[0], 3) == _watching(games[1], 3)


def test_an_agent_that_joins_late_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    game = _game()
    game.reset(seed=0)
    step = game.env.step

    def joined(moves: dict[str, int]) -> object:
        answer = step(moves)
        game.env.agents = [*game.env.agents, "ant_9"]
        return answer

    monkeypatch.setattr(game.env, "step", joined)
    with pytest.raises(WorldError, match="ant_9 joined late"):
        game.step({agent: np.zeros(6, int) for agent in game.agents})


def test_what_is_no_such_environment_is_refused() -> None:
    with pytest.raises(WorldError, match="must choose among moves"):
        LiveMirror(mirrorenv.make("mirrorenv/point-v0"))
    with pytest.raises(ConfigError, match="noise"):
        _game(noise=1.5)


def test_an_animation_shows_an_agent_finding_itself() -> None:
    world = mirrorenv.make_batch("mirrorenv/ants-v0", 1, horizon=12)
    frames = list(live_frames(world, UniformPolicy(world, 0), 3, Distortion(0, 0.2, 3)))
    assert [frame.step for frame in frames] == list(range(13))
    assert len({frame.picture.shape for frame in frames}) == 1
    alone = world.render(0)
    assert frames[0].picture.shape[0] > alone.shape[0]
    np.testing.assert_array_equal(frames[-1].picture[: len(alone)], alone)


def test_belief_in_images_goes_to_the_one_that_moves_along() -> None:
    rng = np.random.default_rng(0)
    done = rng.integers(3, size=40)
    others = rng.integers(3, size=(40, 3))
    shown = np.concatenate([others, np.roll(done, 2)[:, None]], axis=1)
    belief = belief_in_images(shown, done, Distortion(2, 0.1, 3))
    assert belief[1] == pytest.approx(np.full(4, 0.25))
    assert belief[-1, 3] > 0.99
