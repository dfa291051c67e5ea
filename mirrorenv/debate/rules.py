"""The game: speak, recognise, plan; as plain Python without a clock, a network or a random state.

A :class:`Debate` holds one game. It says what each participant may see (a :class:`View`), takes
what all of them answered, and moves on. Whatever plays it (the PettingZoo environment, the
tournament, a test) only carries answers.

Every order of texts comes from :func:`mirrorenv.mirror.shuffle_lineup`, keyed by (run and game,
round, reader).

Shape legend: N players, J readers (the players, then the judges), K = N texts of a round.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mirrorenv.debate.settings import DebateSettings, PlanStep
from mirrorenv.debate.texts import EDITION, clean, shown_texts
from mirrorenv.debate.topic_files import TopicPack
from mirrorenv.debate.verdicts import Verdict
from mirrorenv.debate.views import PastRound, Phase, View, recall
from mirrorenv.errors import MirrorError
from mirrorenv.mirror import Reveal, Trajectory, shuffle_lineup
from mirrorenv.mirror.verdicts import of_true_author, row_verdicts

__all__ = ["Debate", "Round", "hits_of", "lineup_of"]


@dataclass
class Round:
    """One round as the experimenter knows it.

    Attributes:
        topic: of the round.
        texts: (N) cleaned texts in author order.
        shown: (N) what was shown of them.
        reveals: (J) who wrote which slot, for each reader.
        verdicts: (J) what the readers said.
        hits: (J) texts attributed rightly, ties shared; 0 for an unreadable verdict.
        second_reveals: (J) the other orders, in a round that is read again.
        second_verdicts: (J) what the readers said then. It is compared with what they said first,
            and not scored.
        plans: what the players wrote in each planning step, (N) texts.
    """

    topic: str
    texts: list[str] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    reveals: list[Reveal] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    hits: list[float] = field(default_factory=list)
    second_reveals: list[Reveal] = field(default_factory=list)
    second_verdicts: list[Verdict] = field(default_factory=list)
    plans: dict[str, list[str]] = field(default_factory=dict)


def lineup_of(
    topic: str, shown: Sequence[str], *, run: str, round_number: int, observer: int | str
) -> tuple[tuple[str, ...], Reveal]:
    """The shuffled texts of a round for one reader, and the reveal.

    Args:
        topic: of the round.
        shown: (N) texts in author order, as readers see them.
        run: names the shuffles: another run has others.
        round_number: of the game.
        observer: the reader: its seat, or a name for another order.

    Returns:
        (K) texts in the order shown, and who wrote which.
    """
    seen = np.array([topic])
    lineup, reveal = shuffle_lineup(
        [Trajectory(seen, np.array([text])) for text in shown],
        run=run,
        episode=round_number,
        observer=observer,
    )
    return tuple(str(one.actions[0]) for one in lineup.trajectories), reveal


def hits_of(verdicts: Sequence[Verdict], reveals: Sequence[Reveal], count: int) -> list[float]:
    """Texts attributed rightly by each reader, ties shared; 0 for an unreadable verdict.

    Args:
        verdicts: (J) what the readers said.
        reveals: (J) who wrote which slot.
        count: N.
    """
    hits = []
    for verdict, reveal in zip(verdicts, reveals, strict=True):
        credit = of_true_author(row_verdicts(verdict.array(count)), reveal.permutation)  # (K,)
        hits.append(float(credit.sum()) if verdict.valid else 0.0)
    return hits


class Debate:
    """One game.

    Args:
        settings: the rules.
        topics: what it is about.
        run: name or seed of the tournament; orders and scripted chance follow from it and `game`.
        game: number of the game.
        edition: of the rules by which texts are cleaned.
    """

    def __init__(
        self,
        settings: DebateSettings,
        topics: TopicPack,
        *,
        run: int | str = 0,
        game: int = 0,
        edition: int = EDITION,
    ) -> None:
        self.edition = edition
        self.settings = settings
        self.topics = topics
        self.run = f"{run}/{game}"
        self.game = game
        self.rounds: list[Round] = [Round(topics[0])]
        self.phase: Phase = "speak"
        self._steps_left = list(settings.plan)
        self._notes = [""] * settings.num_players

    @property
    def number(self) -> int:
        """Of the current round, from 0."""
        return len(self.rounds) - 1

    @property
    def over(self) -> bool:
        """Whether the game has ended."""
        return self.phase == "over"

    @property
    def step(self) -> PlanStep | None:
        """The current planning step."""
        return self._steps_left[0] if self.phase == "plan" else None

    @property
    def participants(self) -> range:
        """Who is asked in this phase: players, where texts are read also judges, in `paraphrase`
        texts."""
        return range(self.settings.num_readers if self._reading else self.settings.num_players)

    @property
    def _reading(self) -> bool:
        return self.phase in ("recognise", "reread")

    # -- what is seen ------------------------------------------------------------------------------

    def views(self) -> list[View]:
        """What each participant of the current phase is given."""
        return [self.view(j) for j in self.participants]

    def view(self, participant: int) -> View:
        """What one participant is given; a number from N up is a judge."""
        settings = self.settings
        now = self.rounds[-1]
        judge = participant >= settings.num_players
        fresh = settings.reader == "fresh" and self._reading
        me = None if judge or not self._index_known else participant
        who = f"judge{participant - settings.num_players}" if judge else f"p{participant}"
        step = f":{self.step}" if self.step else ""
        key = f"g{self.game:05d}/r{self.number:03d}/{self.phase}{step}/{who}"
        if self.phase == "paraphrase":  # an outside writer sees the text and nothing else
            return View(
                key=key,
                seed=self.run,
                settings=settings,
                phase=self.phase,
                round=self.number,
                topic=now.topic,
                me=None,
                lineup=(now.texts[participant],),
            )
        record: tuple[PastRound, ...] = ()
        if not fresh:
            record = tuple(self._past(number, participant) for number in self._finished())
        own = None if judge or not now.texts else now.texts[participant]
        lineup: tuple[str, ...] = ()
        if self._reading:
            lineup = self._lineup(participant, again=self.phase == "reread")[0]
            own = own if settings.knows_own_item else None
        return View(
            key=key,
            seed=self.run,
            settings=settings,
            phase="recognise" if self._reading else self.phase,
            round=self.number,
            topic=now.topic,
            me=me,
            lineup=lineup,
            own_text=own,
            history=recall(
                record, "full" if judge else settings.memory, settings.window, self.phase
            ),
            record=record,
            notes="" if judge or fresh else self._notes[participant],
            step=self.step,
        )

    @property
    def _index_known(self) -> bool:
        return self.settings.index_told == "start" or self.number > 0 or self.phase == "plan"

    def _finished(self) -> range:
        """Rounds whose verdicts are in."""
        return range(self.number + (self.phase in ("plan", "over")))

    def _past(self, number: int, participant: int) -> PastRound:
        """What a participant knows of a round that is over."""
        played = self.rounds[number]
        count = self.settings.num_players
        judge = participant >= count
        plans = (
            [] if judge else [(step, texts[participant]) for step, texts in played.plans.items()]
        )
        known = PastRound(
            number=number,
            topic=played.topic,
            texts=tuple(played.shown),
            authors=tuple(range(count)),
            own_text=None if judge else played.texts[participant],
            own_hits=played.hits[participant],
            scores=tuple(played.hits[:count]),
            plans=tuple(one for one in plans if one[0] != "notes"),  # notes are kept apart
        )
        if self.settings.feedback == "full":
            return known
        order = played.reveals[participant].permutation
        told_own = self.settings.feedback == "own"
        return replace(
            known,
            texts=tuple(played.shown[author] for author in order),
            authors=None,
            own_hits=known.own_hits if told_own else None,
            scores=None,
        )

    def _lineup(self, reader: int, again: bool = False) -> tuple[tuple[str, ...], Reveal]:
        settings = self.settings
        now = self.rounds[-1]
        if again:
            return self._other_lineup(reader, now)
        if settings.orders is not None:
            order = np.array(settings.orders[self.number], np.int64)
            return tuple(now.shown[author] for author in order), Reveal(order)
        observer = reader if settings.shuffle == "observer" else "all"
        return lineup_of(
            now.topic, now.shown, run=self.run, round_number=self.number, observer=observer
        )

    def _other_lineup(self, reader: int, now: Round) -> tuple[tuple[str, ...], Reveal]:
        """The same texts in the first further order drawn that is not the one the reader saw."""
        seen = now.reveals[reader].permutation
        for draw in range(1000):
            observer = f"{reader} again {draw}"
            texts, reveal = lineup_of(
                now.topic, now.shown, run=self.run, round_number=self.number, observer=observer
            )
            if not np.array_equal(reveal.permutation, seen):
                break
        return texts, reveal

    # -- what is answered --------------------------------------------------------------------------

    def answer_texts(self, texts: Sequence[str]) -> None:
        """Take the N texts that the current phase asked for: spoken, paraphrased or planned.

        Raises:
            MirrorError: if the current phase asks for verdicts, or for another number of texts.
        """
        takers = {"speak": self.speak, "paraphrase": self.paraphrase, "plan": self.plan}
        if self.phase not in takers:
            raise MirrorError(f"debate: the phase '{self.phase}' takes no texts")
        takers[self.phase](texts)

    def answer_verdicts(self, verdicts: Sequence[Verdict]) -> None:
        """Take the J verdicts that the current phase asked for: first or again.

        Raises:
            MirrorError: if the current phase asks for texts, or for another number of verdicts.
        """
        takers = {"recognise": self.recognise, "reread": self.reread}
        if self.phase not in takers:
            raise MirrorError(f"debate: the phase '{self.phase}' takes no verdicts")
        takers[self.phase](verdicts)

    def speak(self, texts: Sequence[str]) -> None:
        """Take the N texts of a round, in author order."""
        self._expect("speak", len(texts), self.settings.num_players)
        now = self.rounds[-1]
        now.texts = [clean(text, self.settings.longest_text, self.edition) for text in texts]
        if self.settings.show == "paraphrased":
            self.phase = "paraphrase"
        else:
            self._present(None)

    def paraphrase(self, texts: Sequence[str]) -> None:
        """Take what a neutral writer made of the N texts."""
        self._expect("paraphrase", len(texts), self.settings.num_players)
        self._present([clean(text, self.settings.longest_text, self.edition) for text in texts])

    def _present(self, paraphrases: list[str] | None) -> None:
        now = self.rounds[-1]
        now.shown = shown_texts(now.texts, self.settings.show, paraphrases)
        now.reveals = [self._lineup(reader)[1] for reader in range(self.settings.num_readers)]
        self.phase = "recognise"

    def recognise(self, verdicts: Sequence[Verdict]) -> None:
        """Take the J verdicts and count the hits."""
        now = self.rounds[-1]
        count = self.settings.num_players
        now.verdicts = self._checked("recognise", verdicts)
        now.hits = hits_of(verdicts, now.reveals, count)
        if self.number >= self.settings.rounds - self.settings.reread_rounds:
            now.second_reveals = [
                self._other_lineup(reader, now)[1] for reader in range(self.settings.num_readers)
            ]
            self.phase = "reread"
        else:
            self._end_reading()

    def reread(self, verdicts: Sequence[Verdict]) -> None:
        """Take the J verdicts on the same texts in another order, which are not scored."""
        self.rounds[-1].second_verdicts = self._checked("reread", verdicts)
        self._end_reading()

    def _checked(self, phase: Phase, verdicts: Sequence[Verdict]) -> list[Verdict]:
        self._expect(phase, len(verdicts), self.settings.num_readers)
        count = self.settings.num_players
        for reader, verdict in enumerate(verdicts):
            if verdict.evidence is not None and np.shape(verdict.evidence) != (count, count):
                shape = np.shape(verdict.evidence)
                raise MirrorError(
                    f"reader {reader}: a verdict must be {count} x {count} numbers, got {shape}"
                )
        return list(verdicts)

    def _end_reading(self) -> None:
        if self._steps_left:
            self.phase = "plan"
        else:
            self._next_round()

    def plan(self, texts: Sequence[str]) -> None:
        """Take what the N players wrote in the current planning step; notes replace the notes they
        had."""
        self._expect("plan", len(texts), self.settings.num_players)
        step = self._steps_left.pop(0)
        cleaned = [clean(text, 12 * self.settings.notes_tokens, self.edition) for text in texts]
        self.rounds[-1].plans[step] = cleaned
        if step == "notes":
            self._notes = cleaned
        if not self._steps_left:
            self._next_round()

    def _next_round(self) -> None:
        if len(self.rounds) == self.settings.rounds:
            self.phase = "over"
            return
        self.rounds.append(Round(self.topics[len(self.rounds)]))
        self._steps_left = list(self.settings.plan)
        self.phase = "speak"

    def _expect(self, phase: Phase, given: int, wanted: int) -> None:
        if self.phase != phase:
            raise MirrorError(f"debate: it is the phase '{self.phase}', not '{phase}'")
        if given != wanted:
            raise MirrorError(f"debate: the phase '{phase}' takes {wanted} answers, got {given}")

    def transcript(self) -> dict[str, Any]:
        """The game so far as JSON, in author order: what was written, shown, asked and answered."""
        return {"game": self.game, "rounds": [_round_transcript(one) for one in self.rounds]}


def _round_transcript(one: Round) -> dict[str, Any]:
    return {
        "topic": one.topic,
        "texts": one.texts,
        "shown": one.shown,
        "orders": [reveal.permutation.tolist() for reveal in one.reveals],
        "evidence": [verdict.evidence for verdict in one.verdicts],
        "problems": [verdict.problem for verdict in one.verdicts],
        "tries": [verdict.tries for verdict in one.verdicts],
        "hits": one.hits,
        "second_orders": [reveal.permutation.tolist() for reveal in one.second_reveals],
        "second_evidence": [verdict.evidence for verdict in one.second_verdicts],
        "plans": one.plans,
    }
