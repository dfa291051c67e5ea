"""What a small model is told: a few lines. What endpoints are told (`prompt = "full"` in the
card) is also there.

A model of some hundred million weights follows a persona and a question; it does not follow a page
of rules. So the rules shrink to one sentence, a question stands bare, and the verdict is asked for
in the form that each reader needs. Texts of others are data here too: the tokenizer's own marks are
taken out of them, so that none can end a turn.
"""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import blake2b

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.prompts import prompt_for
from mirrorenv.debate.texts import NO_ANSWER
from mirrorenv.debate.verdicts import labels, names
from mirrorenv.debate.views import PastRound, View, recall

__all__ = ["Messages", "imitation", "local_fingerprint", "messages_for", "speaking"]

Messages = list[tuple[str, str]]
"""(role, content): one system message, then user and assistant in turn, the user last."""

_SYSTEM = "Others must recognise you by your voice."
_JUDGE = "You compare how people write."
_NOTES = "Your notes to yourself: {notes}"
_SPEAK = "{topic}"  # the bare question: asked for one or two sentences, SmolLM2 drops its persona
_PARAPHRASE = "Say this in other words: {text}"
_PLAN = {
    "notes": "All were asked: {topic}\n{texts}\nWrite a note to yourself, one sentence: how do you "
    "stay recognisable?",
    "stand_out": "All were asked: {topic}\n{texts}\nIn one sentence: how will you become easier to "
    "recognise?",
    "theory": "All were asked: {topic}\n{texts}\nIn one or two sentences: how does each of them "
    "write?",
}
_PAST = "Earlier all were asked: {topic}\n{texts}"
_SHOWN = "All were asked: {topic}\n{texts}"
_YOU = "You are {me}. {me} is: {persona}"
_ASK = "Who wrote which text? The players are {players}. Answer in this form: {example}"
_AGAIN = "That could not be read: {problem}. Answer in the form that was asked for."


def local_fingerprint() -> str:
    """A hash of every template here; see :func:`mirrorenv.debate.prompts.fingerprint`."""
    parts = [
        _SYSTEM,
        _JUDGE,
        _NOTES,
        _SPEAK,
        _PARAPHRASE,
        *_PLAN.values(),
        _PAST,
        _SHOWN,
        _YOU,
        _ASK,
        _AGAIN,
    ]
    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def messages_for(view: View, card: AgentCard, form: str) -> Messages:
    """The conversation for one call.

    Args:
        view: what the participant is given.
        card: whose persona it has.
        form: `short` or `full`.
    """
    if form == "full":
        prompt = prompt_for(view, card)
        return [
            ("system", prompt.system),
            *((("user", "assistant")[k % 2], t) for k, t in enumerate(prompt.turns)),
        ]
    if view.phase == "paraphrase":
        return [("system", _JUDGE), ("user", _PARAPHRASE.format(text=view.lineup[0]))]
    judge = "/judge" in view.key
    system = " ".join(part for part in (card.persona, _JUDGE if judge else _SYSTEM) if part)
    if view.notes and card.memory in (None, "notes"):
        system += "\n" + _NOTES.format(notes=view.notes)
    past = (
        view.history
        if card.memory is None
        else recall(view.record, card.memory, view.settings.window, view.phase)
    )
    if view.phase == "plan":  # its last round is what the note is about
        past = past[:-1]
    parts = [_PAST.format(topic=one.topic, texts=_signed(one)) for one in past]
    said: Messages = [("system", system), ("user", "\n\n".join([*parts, _question(view, card)]))]
    if view.problem is not None:
        said += [
            ("assistant", view.last_try or NO_ANSWER),
            ("user", _AGAIN.format(problem=view.problem)),
        ]
    return said


def _signed(past: PastRound) -> str:
    count = len(past.texts)
    who = (
        labels(count) if past.authors is None else [names(count)[author] for author in past.authors]
    )
    return "\n".join(f"{name}: {_line(text)}" for name, text in zip(who, past.texts, strict=True))


def _line(text: str) -> str:
    return " ".join(text.split()) or NO_ANSWER


def _question(view: View, card: AgentCard) -> str:
    count = view.settings.num_players
    if view.phase == "speak":
        return _SPEAK.format(topic=view.topic)
    if view.phase == "plan":
        return _PLAN[view.step or "notes"].format(topic=view.topic, texts=_signed(view.record[-1]))
    texts = "\n".join(
        f"Text {label}: {_line(text)}"
        for label, text in zip(labels(count), view.lineup, strict=True)
    )
    parts = [_SHOWN.format(topic=view.topic, texts=texts)]
    if view.me is not None:
        me = names(count)[view.me]
        parts.append(_YOU.format(me=me, persona=card.persona or "you"))
    if view.own_text is not None:
        parts.append(f"You wrote: {_line(view.own_text)}")
    example = "{" + ", ".join(f'"{label}": "P?"' for label in labels(count)) + "}"
    return "\n".join([*parts, _ASK.format(players=", ".join(names(count)), example=example)])


def speaking(view: View) -> View:
    """The view that a recognising player had when it spoke in this round; a fresh reader lacks what
    it remembered."""
    key = re.sub(r"/(recognise|reread)/", "/speak/", view.key)
    history = recall(view.record, view.settings.memory, view.settings.window, "speak")
    return replace(
        view,
        key=key,
        phase="speak",
        lineup=(),
        own_text=None,
        history=history,
        sample=0,
        problem=None,
        last_try=None,
    )


def imitation(view: View, player: int | None, form: str, window: int) -> Messages:
    """A conversation that a player seems to have had: the questions of revealed rounds and its
    answers to them.

    Args:
        view: of the reader.
        player: whose answers; None for no answers at all, which is also what comes out where
            nothing was revealed.
        form: `short` or `full`: how questions are put.
        window: rounds that are used, the latest.
    """
    without_persona = AgentCard(name="reader", player="local")
    unseen = replace(speaking(view), me=None, notes="", history=(), record=())
    asked = messages_for(unseen, without_persona, form)
    said: Messages = [asked[0]]
    for past in view.record[-window:]:
        if player is None or past.authors is None:
            continue
        text = past.texts[past.authors.index(player)]
        said += [("user", _SPEAK.format(topic=past.topic)), ("assistant", text)]
    return [*said, asked[-1]]
