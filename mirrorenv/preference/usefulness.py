"""Whether texts are still worth reading: repetition, perplexity, relevance, length, instructions,
distance.

Formulas: distinct-n after Li et al. 2016; perplexity under the untouched model at temperature 1;
relevance is the leave-one-out estimate of the mutual information of text and topic (L1Out; Poole et
al. 2019): the own topic is not among those it is compared with, so that it does not level off at
the log of how many they are; the distance is the Kullback-Leibler divergence per token at the
temperature of sampling, from the texts' own log-probabilities.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.intervals import t_interval

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["INSTRUCTIONS", "distinct", "follows", "relevance", "repetition", "usefulness"]


INSTRUCTIONS: tuple[tuple[str, str], ...] = (
    ("What is 2 plus 3? Answer with one number.", r"\b5\b|\bfive\b"),
    ("What is the capital of France? Answer with one word.", r"\bparis\b"),
    ("Say only the word yes.", r"^\W*yes\W*$"),
    ("Which is larger, an ant or an elephant?", r"\belephant"),
    ("What colour is grass? Answer with one word.", r"\bgreen\b"),
    ("How many legs does a dog have? Answer with one number.", r"\b4\b|\bfour\b"),
    ("What is the opposite of hot? Answer with one word.", r"\bcold\b"),
    ("Name the day after Monday.", r"\btuesday\b"),
    ("Write the first three letters of the alphabet.", r"\ba\W*b\W*c\b"),
    ("What do bees make?", r"\bhoney\b"),
)
"""Questions with checkable answers, and the pattern that a right one matches (case aside)."""


def repetition(tokens: Sequence[int], size: int = 3) -> float:
    """Share of a text's pieces of `size` tokens that were there before; 0 for a text without two
    such pieces."""
    pieces = [tuple(tokens[i : i + size]) for i in range(len(tokens) - size + 1)]
    return 1 - len(set(pieces)) / len(pieces) if len(pieces) > 1 else 0.0


def distinct(texts: Sequence[Sequence[int]], size: int) -> float:
    """Different pieces of `size` tokens over all such pieces, in all texts together; 0 if there is
    none."""
    pieces = [tuple(one[i : i + size]) for one in texts for i in range(len(one) - size + 1)]
    return len(set(pieces)) / len(pieces) if pieces else 0.0


def relevance(scores: Floats64, own: npt.ArrayLike) -> Floats64:
    """(B,) nats: log p(text | its topic) minus the log mean of p(text | topic) over all other
    topics.

    Args:
        scores: (B, M) log-probabilities of each text after each of M topics, two or more.
        own: (B,) which column is its own topic.
    """
    mine = np.arange(scores.shape[1]) == np.asarray(own)[:, None]  # (B, M)
    others = np.logaddexp.reduce(np.where(mine, -np.inf, scores), axis=1) - math.log(
        scores.shape[1] - 1
    )
    found: Floats64 = scores[mine] - others
    return found


def follows(model: LanguageModel, neutral: str, tokens: int = 24) -> float:
    """Share of :data:`INSTRUCTIONS` that a model follows, taking the likeliest token each time.

    Args:
        model: that answers.
        neutral: system message.
        tokens: of an answer at most.

    Returns:
        a share in [0, 1].
    """
    from mirrorenv.llm.asking import Request

    asked = [
        Request(model.chat([("system", neutral), ("user", one)]), tokens, 0.0, 0)
        for one, _ in INSTRUCTIONS
    ]
    answers = model.generate(asked)
    right = [
        re.search(pattern, answer.text, re.IGNORECASE) is not None
        for (_, pattern), answer in zip(INSTRUCTIONS, answers, strict=True)
    ]
    return sum(right) / len(right)


def usefulness(
    tokens: Sequence[Sequence[int]],
    finished: Sequence[bool],
    plain: Floats64,
    drift: Floats64,
    relevant: Floats64,
) -> dict[str, Any]:
    """The figures of one player's texts.

    Args:
        tokens: B texts.
        finished: B, whether each ended by itself.
        plain: (B,) nats under the untouched model at temperature 1.
        drift: (B,) nats, own log-probability minus the untouched model's.
        relevant: (B,) nats, see :func:`relevance`.
    """
    lengths = np.array([max(1, len(one)) for one in tokens], dtype=np.float64)
    return {
        "texts": len(tokens),
        "repetition": t_interval([repetition(one) for one in tokens]).to_dict(),
        "distinct2": distinct(tokens, 2),
        "length": float(lengths.mean()),
        "unfinished": 1 - sum(finished) / len(finished),
        "perplexity": math.exp(min(50.0, float(-plain.sum() / lengths.sum()))),
        "relevance": t_interval(relevant).to_dict(),
        "kl": float(drift.sum() / lengths.sum()),
    }
