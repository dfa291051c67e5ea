"""What a participant is shown for one answer, and what it remembers of earlier rounds.

Shape legend: N players, K = N texts of a round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mirrorenv.debate.settings import DebateSettings, Memory, PlanStep

__all__ = ["PastRound", "Phase", "View", "recall"]

Phase = Literal["speak", "paraphrase", "recognise", "reread", "plan", "over"]
"""What is asked next. `reread` is `recognise` once more in another order; nothing was revealed
in between."""


@dataclass(frozen=True)
class PastRound:
    """What one participant knows of a round that is over.

    Attributes:
        number: of the round, from 0.
        topic: of the round.
        texts: in author order if `authors` are known, else in the order this reader saw.
        authors: the player of each text, or None if they were not revealed.
        own_text: what the participant wrote, None for a judge.
        own_hits: how many texts it attributed rightly, or None if it was not told.
        scores: hits of every player, or None if they were not told.
        plans: what the participant itself wrote afterwards, step and text; notes are kept apart.
    """

    number: int
    topic: str
    texts: tuple[str, ...]
    authors: tuple[int, ...] | None
    own_text: str | None
    own_hits: float | None
    scores: tuple[float, ...] | None
    plans: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class View:
    """All that one participant is given for one answer.

    Attributes:
        key: name of the call, `game/round/phase/participant`.
        seed: what a scripted player's chance follows from, besides the key.
        settings: of the game.
        phase: speak, paraphrase, recognise or plan.
        round: from 0.
        topic: of the round.
        me: the participant's own index, or None if it has none (a judge) or was not told yet.
        lineup: the K shown texts in this reader's order; empty unless recognising. For a
            paraphrase, the one text.
        own_text: what the participant wrote in this round; None before, for a judge, and where it
            is withheld.
        history: rounds that its memory still holds.
        record: all rounds that are over; what the baselines are trained on, never put before a
            language model.
        notes: what it wrote down for itself last, or "".
        step: of the planning, or None.
        sample: 0, or the number of the try after an unreadable verdict.
        problem: what was wrong with the last try.
        last_try: what it said then.
    """

    key: str
    seed: str
    settings: DebateSettings
    phase: Phase
    round: int
    topic: str
    me: int | None
    lineup: tuple[str, ...] = ()
    own_text: str | None = None
    history: tuple[PastRound, ...] = ()
    record: tuple[PastRound, ...] = ()
    notes: str = ""
    step: PlanStep | None = None
    sample: int = 0
    problem: str | None = None
    last_try: str | None = None


def recall(
    record: tuple[PastRound, ...], memory: Memory, window: int, phase: Phase
) -> tuple[PastRound, ...]:
    """The rounds that a memory still holds.

    Args:
        record: all rounds that are over, oldest first.
        memory: what is kept of them; `notes` and `none` keep the last round while planning,
            because notes are written about it, and nothing otherwise.
        window: rounds kept by the memory `window`.
        phase: what the participant is asked.
    """
    if memory == "full":
        return record
    if memory == "window":
        return record[-window:]
    return record[-1:] if phase == "plan" else ()
