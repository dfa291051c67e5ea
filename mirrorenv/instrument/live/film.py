"""The live mirror to look at: what an agent watches while it moves, and its belief growing.

Shape legend: T time, K images, A moves, N agents.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from gymnasium import spaces
from PIL import Image, ImageDraw, ImageFont

from mirrorenv.envs.base import ArrayWorld
from mirrorenv.envs.drawing.canvas import BACKGROUND, INK, agent_colour
from mirrorenv.envs.drawing.film import Frame
from mirrorenv.envs.episodes import Policy, moments, play_episodes
from mirrorenv.errors import WorldError
from mirrorenv.instrument.live.images import CONTINGENT, YOKED, Distortion, shown_moves
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.mirror.belief import log_softmax

__all__ = ["belief_in_images", "live_frames", "moves_of"]

_STRIP = 28  # moves of an image that are shown
_CELL = 10  # pixels of a move
_LINE = 26  # pixels of an image
_TITLE = "what the first agent watches, and its belief that it moves it"
_PALE = (222, 219, 211)


def moves_of(world: ArrayWorld) -> int:
    """A.

    Args:
        world: whose agents choose among moves.

    Raises:
        WorldError: if they act in another way.
    """
    if not isinstance(world.action_space, spaces.Discrete):
        raise WorldError(
            f"the live mirror shows moves, and agents act in {world.action_space}: a world whose "
            "agents choose among moves is needed"
        )
    return int(world.action_space.n)


def belief_in_images(shown: Ints64, done: Ints64, distortion: Distortion) -> Floats64:
    """(T, K) belief after every step that an image is moved by oneself, if all else moved by lot.

    Args:
        shown: (T, K) moves in the images.
        done: (T,) what one did.
        distortion: delay and noise, which are known.
    """
    chance = distortion.chance()
    late = np.roll(done, distortion.delay)
    each = chance[late[:, None], shown]  # (T, K)
    each[: distortion.delay] = 1.0 / distortion.moves
    with np.errstate(divide="ignore"):
        evidence = np.log(np.maximum(each, 1e-12)).cumsum(0)
    return np.exp(log_softmax(evidence))


def live_frames(
    world: ArrayWorld, policy: Policy, seed: int, distortion: Distortion
) -> Iterator[Frame]:
    """The world, and below it what its first agent watches: an image a line, in an order drawn by
    lot, with its last moves and the agent's belief that it moves it itself. In the last frame the
    image that it did move is marked.

    Args:
        world: one copy that has a picture, whose agents choose among moves.
        policy: of all agents.
        seed: of the episode; the yoked moves are those of the episode of the next seed.
        distortion: delay and noise.

    Raises:
        WorldError: if the world has no picture, or its agents act in another way.
    """
    moves_of(world)
    before = play_episodes(world, policy, [seed + 1]).actions[0]  # (T, N)
    frames = list(_followed(world, policy, seed))
    done = np.stack([actions for _, actions in frames[1:]])  # (T, N)
    time = len(done)
    sources = [done[:, 0], before[:time, 0], *done[:, 1:].T]
    rng = np.random.default_rng(seed)
    shown = shown_moves(np.stack(sources, axis=-1)[None], distortion, rng)[0]  # (T, K)
    belief = belief_in_images(shown, done[:, 0], distortion)
    order = rng.permutation(shown.shape[1])
    for step, (frame, _) in enumerate(frames):
        width = frame.picture.shape[1]
        panel = _panel(done[:step, 0], shown[:step, order], belief[:step, order], width)
        if step == time:
            _mark(panel, order)
        picture = np.concatenate([frame.picture, np.asarray(panel, np.uint8)])
        yield Frame(picture, frame.returns, step)


def _followed(world: ArrayWorld, policy: Policy, seed: int) -> Iterator[tuple[Frame, Ints64]]:
    """Frames with the (N,) moves that led to them."""
    start = world.reset([seed])
    returns = np.zeros(world.num_agents)
    yield Frame(world.render(0), returns, 0), np.zeros(world.num_agents, np.int64)
    for moment in moments(world, policy, start):
        returns = returns + np.where(moment.live, moment.step.rewards, 0.0)[0]
        actions = np.asarray(moment.actions[0], np.int64)
        yield Frame(world.render(0), returns, moment.t + 1), actions


def _panel(own: Ints64, shown: Ints64, belief: Floats64, width: int) -> Image.Image:
    images = shown.shape[1]
    panel = Image.new("RGB", (width, _LINE * (images + 2)), BACKGROUND)
    draw = ImageDraw.Draw(panel)
    font = ImageFont.load_default(12)
    draw.text((8, 6), _TITLE, fill=INK, font=font)
    strip = min(_STRIP, (width - 130) // _CELL)
    start = 16 + strip * _CELL
    _moves(draw, own[-strip:], _LINE)
    draw.text((start, _LINE + 6), "its own moves", fill=INK, font=font)
    for image in range(images):
        top = _LINE * (image + 2)
        _moves(draw, shown[-strip:, image], top)
        room = width - start - 12
        draw.rectangle((start, top + 4, start + room, top + _LINE - 4), fill=_PALE)
        if len(belief):
            end = start + int(room * float(belief[-1, image]))
            draw.rectangle((start, top + 4, end, top + _LINE - 4), fill=INK)
    return panel


def _moves(draw: ImageDraw.ImageDraw, moves: Ints64, top: int) -> None:
    for place, move in enumerate(moves.tolist()):
        left = 8 + place * _CELL
        box = (left, top + 4, left + _CELL - 2, top + _LINE - 4)
        draw.rectangle(box, fill=agent_colour(move))


def _mark(panel: Image.Image, order: Ints64) -> None:
    """Say which image was which."""
    draw = ImageDraw.Draw(panel)
    font = ImageFont.load_default(12)
    names = {CONTINGENT: "this one", YOKED: "another episode"}
    for image, source in enumerate(order.tolist()):
        top = _LINE * (image + 2)
        text = names.get(source, "another agent")
        place = panel.width - 12 - int(draw.textlength(text, font=font))
        draw.rectangle((place - 4, top + 5, panel.width - 10, top + _LINE - 5), fill=BACKGROUND)
        draw.text((place, top + 6), text, fill=INK, font=font)
