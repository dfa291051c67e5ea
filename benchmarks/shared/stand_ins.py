"""Tasks made by rule, where the data that a paper used cannot be had: stand-ins, and called so.

Colour pictures in ten classes in the place of CIFAR-10, and sentences with negation in the place of
reviews. Whatever is found on them is a figure of the stand-in.

Shape legend: n examples, D features, S side of a picture.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import pairwise

import numpy as np

from benchmarks.shared.labelled import Floats, Ints, Labelled

__all__ = ["colours", "sentiment"]

SIDE = 16
LEARNED = 4000
TESTED = 1000
BAGS = 2048
"""Buckets that words and pairs of words are counted in."""

Mask = Callable[[Floats, Floats, Floats], np.ndarray]
SHAPES: tuple[Mask, ...] = (
    lambda x, y, r: x**2 + y**2 < r**2,
    lambda x, y, r: np.maximum(abs(x), abs(y)) < 0.85 * r,
    lambda x, y, r: (y > -0.7 * r) & (1.6 * abs(x) < 0.9 * r - y),
    lambda x, y, r: (np.minimum(abs(x), abs(y)) < 0.3 * r) & (np.maximum(abs(x), abs(y)) < r),
    lambda x, y, r: (x**2 + y**2 < r**2) & (x**2 + y**2 > 0.35 * r**2),
)
"""Disc, square, triangle, cross and ring, about the origin, of radius r."""


def colours() -> Labelled:
    """Noisy pictures of 3 x 16 x 16: five shapes, each in warm and in cold colours, anywhere, on
    any ground. 4,000 to learn from, 1,000 to test on."""
    draws = np.random.default_rng(17)
    count = LEARNED + TESTED
    labels = draws.integers(10, size=count)
    axis = np.linspace(-1, 1, SIDE, dtype=np.float32)
    centre = draws.uniform(-0.3, 0.3, (2, count, 1, 1)).astype(np.float32)
    radius = draws.uniform(0.4, 0.7, (count, 1, 1)).astype(np.float32)
    x = axis[None, None, :] - centre[0]  # (n, 1, S)
    y = axis[None, :, None] - centre[1]  # (n, S, 1)
    inside = np.zeros((count, SIDE, SIDE), bool)
    for number, shape in enumerate(SHAPES):
        chosen = labels % len(SHAPES) == number
        inside[chosen] = shape(x[chosen], y[chosen], radius[chosen])
    paint = draws.uniform(-0.2, 1.0, (count, 3)).astype(np.float32)
    warm = labels >= len(SHAPES)
    paint[warm] = -np.sort(-paint[warm], axis=1)  # red at least as bright as blue
    paint[~warm] = np.sort(paint[~warm], axis=1)
    ground = draws.uniform(-1.0, 0.2, (count, 3)).astype(np.float32)
    pictures = np.where(inside[:, None], paint[:, :, None, None], ground[:, :, None, None])
    noisy = pictures + 0.35 * draws.standard_normal(pictures.shape, np.float32)
    return _split("stand-in for colour pictures", np.clip(noisy, -1, 1), labels, 10)


PRAISE = ("good", "great", "lovely", "clever", "moving", "funny", "sharp", "honest", "bright")
BLAME = ("bad", "dull", "awful", "stupid", "boring", "flat", "clumsy", "false", "grey")
THINGS = ("film", "story", "acting", "music", "ending", "dialogue", "cast", "camera", "pace")
TURNS = ("it has a {thing}", "i saw it with friends", "the {thing} goes on", "and the {thing}")


def sentiment() -> Labelled:
    """Texts of six sentences that praise or blame, half of them by negating the opposite, one in
    four against the text's own label, as counts of words and of pairs of words. 4,000 to learn
    from, 1,000 to test on."""
    draws = np.random.default_rng(18)
    labels = draws.integers(2, size=LEARNED + TESTED)
    inputs = np.stack([_counts(_text(bool(label), draws)) for label in labels])
    return _split("stand-in for sentiment of texts", inputs, labels, 2)


def _text(praises: bool, draws: np.random.Generator) -> list[str]:
    """The words of one text."""
    words: list[str] = []
    for _ in range(6):
        thing = THINGS[draws.integers(len(THINGS))]
        if draws.random() < 0.3:
            words += TURNS[draws.integers(len(TURNS))].format(thing=thing).split()
            continue
        meant = praises if draws.random() < 0.75 else not praises
        negated = draws.random() < 0.5
        said = PRAISE if meant != negated else BLAME
        verb = ["was", "not"] if negated else ["was"]
        words += ["the", thing, *verb, said[draws.integers(len(said))]]
    return words


def _counts(words: list[str]) -> Floats:
    """(D,) square roots of shares of words and pairs, each in a bucket of its own or nearly."""
    found = np.zeros(BAGS, np.float32)
    pairs = [f"{one} {other}" for one, other in pairwise(words)]
    for piece in (*words, *pairs):
        found[_bucket(piece)] += 1
    return np.sqrt(found / found.sum())


def _bucket(piece: str) -> int:
    return zlib.crc32(piece.encode()) % BAGS


def _split(name: str, inputs: Floats, labels: Ints, classes: int) -> Labelled:
    flat = inputs.reshape(len(inputs), -1).astype(np.float32)
    known = labels.astype(np.int64)
    return Labelled(name, flat[:LEARNED], known[:LEARNED], flat[LEARNED:], known[LEARNED:], classes)
