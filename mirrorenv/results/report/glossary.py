"""Words that a newcomer may look up on a page, and what the simple readers are."""

from __future__ import annotations

from collections.abc import Sequence

from mirrorenv.results.report.page import details, paragraph
from mirrorenv.results.report.templates import Html, render

__all__ = ["READERS", "SHARED", "TRAINING", "how_to_read", "reader_title", "words_list"]

Words = Sequence[tuple[str, str]]

SHARED: Words = (
    (
        "Lineup",
        "what the agents of one episode made, in shuffled order; who made which is kept apart "
        "until the end",
    ),
    (
        "Observer",
        "reads a lineup and says for each item how likely each agent is to be its author",
    ),
    (
        "Nats",
        "a unit of information: log N nats say exactly which of N agents it was, 0 nothing; below "
        "0 the belief was worse than guessing",
    ),
)

TRAINING: Words = (
    ("Trajectory", "what one agent saw and did in one episode, without its name"),
    *SHARED,
    (
        "Top-1",
        "how often the agent believed most is the true author; with N agents guessing gives 1 in N",
    ),
    (
        "Exact limit",
        "the best any observer could do on these episodes, computed from the agents' own policies",
    ),
    ("Mirror reward", "what an agent is paid for being recognised: zero at chance, at most log N"),
    (
        "Learned, learned joint",
        "the observers trained with the agents; joint uses that each agent made exactly one of "
        "the trajectories",
    ),
    (
        "Handshake",
        "agents that sign their trajectories in the first steps and then behave alike; the "
        "handshake index is the share of the evidence in the first tenth of an episode, a tenth "
        "if it comes evenly",
    ),
    (
        "E-value",
        "evidence against a claim that may be looked at again and again: if the observers were "
        "not above the limit, an e-value of 20 or more would ever occur in at most one run of 20",
    ),
    (
        "Last iteration's observers",
        "the observers of one training step ago, shown today's agents: far below the learned ones "
        "where identities keep moving",
    ),
    (
        "Self d-prime",
        "how well an agent tells its own trajectory from those of others, free of a bias to say "
        "mine or not mine; 0 is chance",
    ),
    (
        "Interval",
        "where the true figure lies with 95 % confidence if other episodes of the same run had "
        "been played. Shares have one rule: exact for counts, never without width, the same for a "
        "perfect score as for one just below (moments of Gaffke's bound, a "
        "Beta quantile); the files of the run hold Student's t interval. Other figures: Student's "
        "t over episode means, or the jackknife",
    ),
)

READERS: dict[str, str] = {
    "chance": "knows nothing and guesses",
    "first_observation": "sees the first observation only, before anybody has acted: above chance "
    "it has found a leak, not a habit",
    "action_histogram": "counts how often each action is taken and looks at nothing else",
    "eoi": "the classifier of EOI (Jiang and Lu 2021): guesses the agent from single observations "
    "and adds up, as if steps were independent. Not calibrated, as in the original: its beliefs "
    "are far too certain, so read its top-1 and not its nats",
    "policies_without_places": "the exact limit of an observer that does not use who was shown",
}
"""The simple readers of the evaluation, by the name they are recorded under."""


NOT_CALIBRATED = frozenset({"eoi"})
"""Readers whose nats may not be compared with those of others, by their own design."""


def reader_title(name: str) -> str:
    """A simple reader as tables call it, marked where its nats mean little.

    Args:
        name: that it is recorded under.
    """
    mark = " (not calibrated)" if name in NOT_CALIBRATED else ""
    return name.replace("_", " ") + mark


def how_to_read(introduction: Sequence[str], words: Words) -> Html:
    """What a newcomer unfolds: paragraphs, and words with their meanings.

    Args:
        introduction: plain text, one a paragraph.
        words: pairs of a word and its meaning.
    """
    said = map(paragraph, introduction)
    return details("New here? How to read this page", *said, words_list(words))


def words_list(words: Words) -> Html:
    """Words and meanings."""
    return render("mirrorenv.results.report", "words.html", words=words)
