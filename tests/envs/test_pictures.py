"""Pictures show what is there: shapes, colours and how agents in one place are kept apart."""

from __future__ import annotations

import numpy as np
import pytest

import mirrorenv
from mirrorenv.envs.drawing.canvas import Canvas, agent_colour, spread
from tests.envs.world_cases import permute_agents, uniform_actions

SPATIAL = [
    id
    for id, spec in mirrorenv.registry().items()
    if spec.kind == "array" and "rgb_array" in getattr(spec.load(), "render_modes", ())
]


@pytest.mark.parametrize("id", SPATIAL)
def test_every_agent_appears_in_its_colour_even_where_all_are_in_one_place(id):
    world = mirrorenv.make_batch(id, 2)
    world.reset([1, 2])
    permute_agents(world, np.zeros(world.num_agents, np.int64))
    picture = world.render(1)
    for agent in range(world.num_agents):
        assert (picture == agent_colour(agent)).all(axis=2).sum() > 20


@pytest.mark.parametrize("id", SPATIAL)
def test_a_picture_is_of_one_row_and_changes_nothing(id):
    world, alone = mirrorenv.make_batch(id, 2), mirrorenv.make_batch(id, 1)
    world.reset([1, 2])
    alone.reset([2])
    for actions in uniform_actions(world, 5):
        world.step(actions)
        alone.step(actions[1:])
    first = world.render(0)
    assert first.dtype == np.uint8 and first.ndim == 3 and first.shape[2] == 3
    assert (first != world.render(1)).any()
    np.testing.assert_array_equal(first, world.render(0))
    np.testing.assert_array_equal(alone.render(), world.render(1))


def test_colours_of_many_agents_are_distinct():
    colours = np.array([agent_colour(i) for i in range(20)])
    gaps = np.abs(colours[:, None] - colours[None]).sum(axis=2)[~np.eye(20, dtype=bool)]
    assert gaps.min() > 60


def test_only_agents_in_one_place_are_shifted():
    shifts = spread(np.array([7, 3, 7, 9]))
    assert not shifts[[1, 3]].any()
    np.testing.assert_allclose(shifts[0], -shifts[2], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(shifts[[0, 2]], axis=1), 1.0)


def test_shapes_cover_their_area_and_may_leave_the_canvas():
    canvas = Canvas(60, 80, (0, 0, 0))
    canvas.disc(30, 25, 12, (255, 0, 0))
    canvas.tile(50, 10, 20, 30, (0, 255, 0))
    canvas.disc(-20, -20, 5, (0, 0, 255))
    canvas.stroke((70, 55), (200, 55), 4, (0, 0, 255))
    picture = canvas.picture() / 255
    assert picture[..., 0].sum() == pytest.approx(np.pi * 144, rel=0.01)
    assert picture[..., 1].sum() == pytest.approx(600, rel=0.01)
    assert picture[..., 2].sum() == pytest.approx(4 * 10 + np.pi * 2, rel=0.03)  # half a round end


def test_a_mouth_opens_towards_where_one_faces():
    canvas = Canvas(40, 40, (0, 0, 0))
    canvas.wedge(20, 20, 15, 0.0, 0.6, (255, 255, 255))
    picture = canvas.picture()[..., 0]
    assert picture[20, 30] == 0 and picture[20, 10] == 255 and picture[10, 20] == 255
