"""Readers of a local model beside its own words: every one gives evidence, slot by player, for a
belief.

==============  ====================================================================================
reader          evidence
==============  ====================================================================================
`schema`        none of its own: the answer in words, held to the JSON form by choosing the
                likeliest allowed one
`labels`        log-probability of the sentence "Text A was written by P2.", for each text and
                player
`likelihood`    log-probability of the text itself in the context of each player: what it answered
                in revealed rounds
==============  ====================================================================================

Likelihood reading is the language-model form of policy-likelihood matching: a player's context is
its policy, and a text is attributed to the policy that makes it most probable. A reader's own
context is known to it: it is its own prompt, exactly. Peers it knows by what was revealed, and by
nothing in the first round or as a fresh reader: then all of them share one context and the evidence
does not tell them apart. Of temperatures it knows its own and takes the others to have the same. A
term that depends on the text alone, such as its likelihood in a neutral context, cancels in a
belief.

A context that only imitates a player makes sums over tokens far too sure of themselves, so a text
counts for `equivalent` tokens at most: its log-likelihoods are divided by its length and
multiplied by that number.

Shape legend: K lineup slots, N players.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players.local_prompts import imitation, messages_for, speaking
from mirrorenv.debate.verdicts import labels, names
from mirrorenv.debate.views import View
from mirrorenv.llm.constrained import constrained_answer
from mirrorenv.llm.options import LocalOptions
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.recognition import EVIDENCE_BOUND

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["constrained_verdict", "label_evidence", "likelihood_evidence", "tokens_read"]

# of a player's answers that its imitation holds: what fits before reading costs more than writing
_ROUNDS = 3


def constrained_verdict(
    model: LanguageModel, view: View, card: AgentCard, options: LocalOptions
) -> str:
    """A verdict whose tokens are held to the form asked for, so that it can always be read.

    Args:
        model: that reads.
        view: of the reader: the lineup, and what was revealed of earlier rounds.
        card: whose persona the reader has.
        options: of the model; `prompt` says how the question is put.

    Returns:
        JSON that names one player for each text.
    """
    count = view.settings.num_players
    messages = messages_for(view, card, options.prompt)
    players = names(count)
    return constrained_answer(model, messages, [(text, players) for text in labels(count)])


def label_evidence(
    model: LanguageModel, view: View, card: AgentCard, options: LocalOptions
) -> Floats64:
    """How likely "Text A was written by P2." is as the answer, each text asked for alone.

    Args:
        model: that reads.
        view: of the reader: the lineup, and what was revealed of earlier rounds.
        card: whose persona the reader has.
        options: of the model; `prompt` says how the question is put.

    Returns:
        (K, N) float64 nats.
    """
    count = view.settings.num_players
    prompt = model.chat(messages_for(view, card, options.prompt))
    said = [
        f"Text {label} was written by {name}." for label in labels(count) for name in names(count)
    ]
    scores = model.score(prompt, [model.answer_tokens(text, ended=False) for text in said])
    return np.array(scores).reshape(count, count)


def likelihood_evidence(
    model: LanguageModel, view: View, card: AgentCard, options: LocalOptions
) -> Floats64:
    """How likely each text is in the context of each player, tempered; see the module.

    The own text, where the reader may see it, is found by comparing strings.

    Args:
        model: that reads.
        view: of the reader: the lineup, and what was revealed of earlier rounds.
        card: whose persona the reader has.
        options: of the model; `equivalent` bounds how many tokens a text counts for,
            `temperature` is that of sampling.

    Returns:
        (K, N) float64 nats.
    """
    count = view.settings.num_players
    # K texts
    answers = [model.answer_tokens(text, ended=_ended(model, text, view)) for text in view.lineup]
    evidence = np.empty((count, count))
    for player in range(count):
        if player == view.me:
            context = messages_for(speaking(view), card, options.prompt)
        else:
            context = imitation(view, player, options.prompt, _ROUNDS)
        evidence[:, player] = model.score(model.chat(context), answers, options.temperature or 1.0)
    lengths = np.maximum(1, [len(answer) for answer in answers])
    evidence *= np.minimum(1.0, options.equivalent / lengths)[:, None]
    if view.me is not None and view.own_text in view.lineup:
        slot = view.lineup.index(view.own_text)
        most = evidence.max(axis=1)  # (K,), before the own row is overwritten
        evidence[slot] = -EVIDENCE_BOUND
        evidence[:, view.me] = most - EVIDENCE_BOUND
        evidence[slot, view.me] = 0.0
    return evidence


def _ended(model: LanguageModel, text: str, view: View) -> bool:
    """Whether a text was ended by its writer, as far as its length tells: a cut one lacks the end
    mark."""
    return len(model.answer_tokens(text, ended=False)) < view.settings.answer_tokens - 1


def tokens_read(model: LanguageModel, view: View, card: AgentCard, options: LocalOptions) -> int:
    """Tokens of the lineup and the question: what a reader is counted for, however often it goes
    over them.

    Args:
        model: that reads.
        view: of the reader: the lineup, and what was revealed of earlier rounds.
        card: whose persona the reader has.
        options: of the model; `prompt` says how the question is put.
    """
    return len(model.chat(messages_for(view, card, options.prompt)))
