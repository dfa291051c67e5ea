"""A tree of thought over byte strings: breadth first, a few children, the best ones kept.

Yao et al. 2023, with whatever proposes and whatever scores. A beam of one is greedy search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mirrorenv.errors import ConfigError
from mirrorenv.results.report.page import details, document, header, section
from mirrorenv.results.runs.files import atomic_write_text

__all__ = ["Propose", "Score", "Thought", "Tree", "shown", "think", "write_tree"]

Propose = Callable[[bytes, int], Sequence[bytes]]
"""(text, how many) -> texts that could come next."""
Score = Callable[[Sequence[bytes]], Sequence[float]]
"""Texts -> what each is worth; larger is better."""


@dataclass(frozen=True)
class Thought:
    """One node.

    Attributes:
        text: the string so far.
        score: what it is worth.
        parent: place of what it came from in the tree; -1 for the root.
        depth: 0 for the root.
    """

    text: bytes
    score: float
    parent: int
    depth: int


@dataclass
class Tree:
    """Everything that was thought, in order, and which of it was followed."""

    thoughts: list[Thought]
    followed: set[int] = field(default_factory=set)

    @property
    def best(self) -> Thought:
        """The best of all thoughts; of equals the first."""
        return max(self.thoughts, key=lambda one: one.score)

    def way(self, thought: Thought) -> list[Thought]:
        """From the root to a thought."""
        found = [thought]
        while found[-1].parent >= 0:
            found.append(self.thoughts[found[-1].parent])
        return found[::-1]

    def children(self, place: int) -> list[int]:
        """Places of what came out of a thought."""
        return [at for at, one in enumerate(self.thoughts) if one.parent == place]


def think(
    root: bytes, propose: Propose, score: Score, *, children: int = 3, beam: int = 2, depth: int = 3
) -> Tree:
    """Search breadth first.

    Args:
        root: where it begins.
        propose: gives the children of a thought.
        score: what thoughts are worth.
        children: of each thought that is followed, at most.
        beam: how many thoughts of a level are followed; of equals the earlier.
        depth: levels below the root.

    Raises:
        ConfigError: if a number is below 1, or scores and texts do not match in number.
    """
    if min(children, beam, depth) < 1:
        raise ConfigError(
            f"think: children = {children}, beam = {beam} and depth = {depth} must be at least 1"
        )
    tree = Tree([Thought(root, _scores(score, [root])[0], -1, 0)])
    level = [0]
    for below in range(1, depth + 1):
        tree.followed.update(level)
        texts = [(text, at) for at in level for text in _children(propose, tree, at, children)]
        if not texts:
            break
        values = _scores(score, [text for text, _ in texts])
        first = len(tree.thoughts)
        tree.thoughts += [
            Thought(text, value, at, below) for (text, at), value in zip(texts, values, strict=True)
        ]
        fresh = range(first, len(tree.thoughts))
        level = sorted(fresh, key=lambda at: -tree.thoughts[at].score)[:beam]
    tree.followed.update(level)
    return tree


def _children(propose: Propose, tree: Tree, at: int, most: int) -> list[bytes]:
    return list(propose(tree.thoughts[at].text, most))[:most]


def _scores(score: Score, texts: list[bytes]) -> list[float]:
    found = [float(value) for value in score(texts)]
    if len(found) != len(texts):
        raise ConfigError(f"think: {len(found)} scores came for {len(texts)} texts")
    return found


def write_tree(tree: Tree, path: Path) -> Path:
    """The tree as a page to unfold.

    Args:
        tree: what was thought.
        path: of the page.
    """
    best = tree.best
    said = [
        f"{len(tree.thoughts)} thoughts; the best is worth {best.score:.3f}.",
        "The way there: "
        + ", then ".join(shown(one.text) for one in tree.way(best)[1:] or [best])
        + ".",
    ]
    nested = _unfolded(tree, 0)
    lead = "Each line is a thought with its worth; those that were followed say so."
    page = document(
        "Tree of thought",
        header("Tree of thought", said, "mirrorenv bytes"),
        section("All thoughts", nested, lead=lead),
        style="details details { margin-left: 1rem }",
    )
    return atomic_write_text(path, page)


def _unfolded(tree: Tree, place: int) -> str:
    one = tree.thoughts[place]
    followed = ", followed" if place in tree.followed else ""
    below = [_unfolded(tree, child) for child in tree.children(place)]
    return details(f"{shown(one.text)}: {one.score:.3f}{followed}", *below)


def shown(said: bytes) -> str:
    """Text where it is some, else hexadecimal digits."""
    text = said.decode("latin-1")
    return text if text.isascii() and text.isprintable() and text else said.hex() or "-"
