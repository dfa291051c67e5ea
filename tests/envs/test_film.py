"""Watching an episode shows the episode that is played, and keeps it as a GIF that can be
opened."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import mirrorenv
from mirrorenv.envs import UniformPolicy, play_episodes, registry
from mirrorenv.envs.drawing.film import gif, watch
from mirrorenv.envs.drawing.window import Window
from mirrorenv.errors import ConfigError, ShapeError, WorldError

TEAMS = [(id, name) for id, spec in registry().items() for name in spec.load_players()]
WATCHED = [
    id
    for id, spec in registry().items()
    if spec.kind == "array" and "rgb_array" in spec.load().render_modes
]


@pytest.mark.parametrize("id", WATCHED)
def test_what_is_watched_is_the_episode_that_is_played(id):
    world = mirrorenv.make_batch(id, 1)
    frames = list(watch(world, UniformPolicy(world, 3), 7))
    record = play_episodes(world, UniformPolicy(world, 3), [7])
    assert [frame.step for frame in frames] == list(range(int(record.mask[0].any(1).sum()) + 1))
    np.testing.assert_allclose(
        frames[-1].returns, record.rewards[0].astype(np.float64).sum(0), rtol=1e-6
    )
    assert any((frame.picture != frames[0].picture).any() for frame in frames[1:])


def test_a_world_without_a_picture_and_a_batch_cannot_be_watched():
    world = mirrorenv.make_batch("mirrorenv/conformity-v0", 1)
    with pytest.raises(WorldError, match="no picture"):
        next(watch(world, UniformPolicy(world), 0))
    batch = mirrorenv.make_batch("mirrorenv/ants-v0", 2)
    with pytest.raises(ConfigError, match="batch of 2"):
        next(watch(batch, UniformPolicy(batch), 0))


@settings(max_examples=20, deadline=None)
@given(
    st.integers(1, 6),
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(0.5, 50.0),
    st.integers(0, 2**32),
)
def test_a_gif_opens_at_its_size_with_its_length(count, height, width, fps, seed):
    rng = np.random.default_rng(seed)
    pictures = [rng.integers(0, 256, (height, width, 3)).astype(np.uint8) for _ in range(count)]
    with Image.open(io.BytesIO(gif(pictures, fps))) as image:
        assert image.size == (width, height) and image.format == "GIF"
        assert 1 <= getattr(image, "n_frames", 1) <= count  # equal neighbours are merged


def test_an_agent_keeps_its_colour_in_every_frame_of_a_gif():
    world = mirrorenv.make_batch("mirrorenv/pacmen-v0", 1)
    pictures = [
        frame.picture
        for frame, _ in zip(watch(world, UniformPolicy(world), 0), range(12), strict=False)
    ]
    with Image.open(io.BytesIO(gif(pictures))) as image:
        for number, picture in enumerate(pictures):
            image.seek(number)
            shown = np.asarray(image.convert("RGB")).astype(int)
            assert np.abs(shown - picture).mean() < 2.0


@pytest.mark.parametrize(
    ("pictures", "fps", "error"),
    [
        ([], 8.0, ShapeError),
        ([np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)], 8.0, ShapeError),
        ([np.zeros((4, 4), np.uint8)], 8.0, ShapeError),
        ([np.zeros((4, 4, 3), np.uint8)], 0.0, ConfigError),
        ([np.zeros((4, 4, 3), np.uint8)], 51.0, ConfigError),
    ],
)
def test_what_cannot_become_a_gif_is_refused(pictures, fps, error):
    with pytest.raises(error):
        gif(pictures, fps)


@pytest.mark.parametrize(("id", "name"), TEAMS)
def test_a_scripted_team_stays_inside_the_action_space(id, name):
    world = mirrorenv.make_batch(id, 3)
    # step() checks the actions
    record = play_episodes(world, registry()[id].load_players()[name](world), [0, 1, 2])
    assert record.mask.any()


@pytest.mark.parametrize(
    ("id", "better", "worse"),
    [
        ("mirrorenv/conformity-v0", "alike", "different"),
        ("mirrorenv/identity-v0", "alike", "different"),
        ("mirrorenv/chain-v0", "divided", "crowd"),
        ("mirrorenv/dispersion-v0", "apart", "together"),
        ("mirrorenv/pacmen-v0", "specialists", "coordinated"),
    ],
)
def test_the_better_team_comes_last_and_earns_more(id, better, worse):
    players, world = registry()[id].load_players(), mirrorenv.make_batch(id, 32)
    assert list(players)[-1] == better
    earned = {
        n: play_episodes(world, players[n](world), np.arange(32)).rewards.sum()
        for n in (better, worse)
    }
    assert earned[better] > earned[worse]


def test_the_turn_seekers_earn_far_more_than_chance():
    world = mirrorenv.make_batch("mirrorenv/turn-v0", 16)
    seekers = registry()["mirrorenv/turn-v0"].load_players()["seekers"](world)
    earned = play_episodes(world, seekers, np.arange(16)).rewards[:, :, 0].sum(1).mean()
    chance = (
        play_episodes(world, UniformPolicy(world), np.arange(16)).rewards[:, :, 0].sum(1).mean()
    )
    assert earned > 100 > 0 > chance


@pytest.fixture
def _no_display(monkeypatch):
    pytest.importorskip("pygame")
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


@pytest.mark.usefixtures("_no_display")
def test_a_human_watches_every_step_in_a_window(monkeypatch):
    shown = []
    monkeypatch.setattr(Window, "show", lambda self, picture: shown.append(picture) or True)
    env = mirrorenv.make("mirrorenv/ants-v0", render_mode="human", horizon=3)
    env.reset(seed=1)
    while env.agents:
        env.step(dict.fromkeys(env.agents, 2))
    assert len(shown) == 4 and env.render() is None
    env.close()


@pytest.mark.usefixtures("_no_display")
def test_a_window_opens_shows_and_closes():
    import pygame

    window = Window("test", fps=1000)
    assert window.show(np.zeros((20, 30, 3), np.uint8))
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_q))
    assert not window.show(np.zeros((20, 30, 3), np.uint8))
    window.close()


def test_only_worlds_with_a_picture_know_the_window():
    with pytest.raises(ConfigError, match=r"known: \[\]"):
        mirrorenv.make("mirrorenv/conformity-v0", render_mode="human")
