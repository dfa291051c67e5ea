"""A tree of thought: a beam of one is greedy, a known optimum is found, its page shows it all."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mirrorenv.bytes.conclusions import Conclusions, ConclusionSettings
from mirrorenv.bytes.entropy import byte_entropy
from mirrorenv.bytes.thoughts import think, write_tree
from mirrorenv.errors import ConfigError

LETTERS = b"abc"


def grow(text: bytes, most: int) -> list[bytes]:
    return [text + bytes([letter]) for letter in LETTERS[:most]]


def values(seed: int, depth: int) -> dict[bytes, float]:
    """A worth for every string up to a length."""
    rng = np.random.default_rng(seed)
    texts = [
        bytes(one) for size in range(depth + 1) for one in itertools.product(LETTERS, repeat=size)
    ]
    return dict(zip(texts, rng.random(len(texts)).tolist(), strict=True))


@given(st.integers(0, 10_000))
def test_a_beam_of_one_is_greedy(seed: int) -> None:
    worth = values(seed, 4)
    tree = think(b"", grow, lambda texts: [worth[one] for one in texts], beam=1, depth=4)
    greedy = b""
    way = [greedy]
    for _ in range(4):
        greedy = max(grow(greedy, 3), key=worth.__getitem__)
        way.append(greedy)
    assert {tree.thoughts[place].text for place in tree.followed} == set(way)


@given(st.integers(0, 10_000))
def test_a_beam_as_wide_as_the_tree_finds_the_optimum(seed: int) -> None:
    worth = values(seed, 4)
    tree = think(b"", grow, lambda texts: [worth[one] for one in texts], beam=81, depth=4)
    assert tree.best.text == max(worth, key=worth.__getitem__)
    assert len(tree.thoughts) == len(worth)


def test_three_children_and_a_beam_of_two_find_a_known_optimum_that_greed_misses() -> None:
    worth = {b"a": 2.0, b"b": 1.0, b"ba": 5.0, b"aa": 3.0}

    def score(texts: Sequence[bytes]) -> list[float]:
        return [worth.get(one, 0.0) for one in texts]

    assert think(b"", grow, score, beam=1, depth=2).best.text == b"aa"
    tree = think(b"", grow, score, depth=2)
    assert [one.text for one in tree.way(tree.best)] == [b"", b"b", b"ba"]


def test_a_wrong_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="beam = 0"):
        think(b"", grow, lambda texts: [0.0] * len(texts), beam=0)
    with pytest.raises(ConfigError, match="1 scores came for 3"):
        think(b"", grow, lambda texts: [0.0])


def test_the_page_shows_every_thought_and_runs_none(tmp_path: Path) -> None:
    def propose(text: bytes, most: int) -> list[bytes]:
        return [text + b"<script>", text + bytes([0, 255])]

    tree = think(b"begin", propose, lambda texts: [len(one) for one in texts], depth=2)
    page = write_tree(tree, tmp_path / "tree.html").read_text()
    assert page.count("<details>") == len(tree.thoughts)
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_what_is_concluded_is_better_than_what_was_said() -> None:
    objective = Conclusions.__new__(Conclusions)
    torch.nn.Module.__init__(objective)
    objective.settings = ConclusionSettings(name="conclusions", depth=3)
    said = np.random.default_rng(0).integers(0, 4, (2, 3, 2, 12)).astype(np.uint8)
    concluded = objective.edited(said, np.random.default_rng(1))
    before, after = byte_entropy(said), byte_entropy(concluded)
    assert (after >= before).all() and after.mean() > before.mean() + 0.05
    assert ((said != concluded).sum(-1) <= 3).all()
