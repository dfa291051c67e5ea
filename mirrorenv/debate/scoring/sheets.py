"""The numbers of one finished game, in author order: all that its scores are made of, without its
texts.

Shape legend: R rounds, J readers, K lineup slots, N players.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from mirrorenv.debate.audit import FINDINGS, audit_game, captured_readers
from mirrorenv.debate.rules import Debate, Round
from mirrorenv.debate.texts import exchangeable
from mirrorenv.debate.tournament import Tournament
from mirrorenv.mirror import Belief, most_probable_permutation, recognition_worth
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64
from mirrorenv.mirror.verdicts import fair_assignment, in_author_order, row_verdicts

__all__ = ["GameSheet", "mixed", "sheet_of"]

T = TypeVar("T")


@dataclass(frozen=True)
class GameSheet:
    """The numbers of one game, rows in author order.

    Attributes:
        game: number of the game.
        readers: (J) names of the cards that read: seats first, then judges.
        num_players: N.
        knows_own: whether players could find their own texts by comparing strings.
        belief: (R, J, N, N) row n: belief in each player as the author of n's text, each text
            judged alone.
        naming: (R, J, N, N) the same as verdicts: 1 for the named player, shared by ties and
            exchangeable texts.
        joint: (R, J, N, N) verdicts of the best assignment of the whole lineup.
        worth: (R, J, N) nats, log score of each item.
        valid: (R, J) whether the verdict could be read.
        tries: (R, J) how often the reader was asked.
        by_slot: (R, J, K) credit by place in the lineup.
        inverse: (R, J) share of slots right under the inverse convention.
        direct: (R, J) share of slots right under ours.
        flagged: (R, N) whether the audit found something in a text that is no writing style.
        worded: (R, N) whether there is a text; a player that gave no words wrote none.
        captured: (orders given to readers by a text, orders that a reader then followed to the
            letter).
        findings: texts in which the audit found each thing.
        steady: (R, J, N) agreement of a reader's verdicts on a text in two orders; NaN where it
            read but once.
        alike: (R, N, N) row n: how a credit for text n is spread over the texts that cannot be told
            apart from it.
    """

    game: int
    readers: tuple[str, ...]
    num_players: int
    knows_own: bool
    belief: Floats64
    naming: Floats64
    joint: Floats64
    worth: Floats64
    valid: Bools
    tries: Ints64
    by_slot: Floats64
    inverse: Floats64
    direct: Floats64
    alike: Floats64
    flagged: Bools
    worded: Bools
    captured: tuple[int, int]
    findings: Mapping[str, int]
    steady: Floats64


def sheet_of(tournament: Tournament, debate: Debate) -> GameSheet:
    """The numbers of a finished game."""
    settings = tournament.settings
    count = settings.num_players
    cards = [tournament.cards[card] for card in tournament.seats(debate.game)] + [
        tournament.judge
    ] * settings.judges
    reveals = [one.reveals for one in debate.rounds]
    truth = _table(reveals, lambda reveal: reveal.permutation)  # (R, J, K)
    read = [one.verdicts for one in debate.rounds]
    evidence = _table(read, lambda verdict: verdict.array(count))  # (R, J, K, N)
    logs = Belief(evidence).log_belief()
    verdicts = row_verdicts(logs)  # (R, J, K, N)
    joint = np.eye(count)[fair_assignment(most_probable_permutation, evidence)]  # (R, J, K, N)
    alike = np.array([_mixing(one.shown) for one in debate.rounds])  # (R, N, N)
    slot_named = verdicts.argmax(axis=-1)  # (R, J, K)
    inverse = np.argsort(truth, axis=-1)
    audit = audit_game(debate)
    flags = Counter(name for line in audit for found in line for name in found)
    return GameSheet(
        game=debate.game,
        readers=tuple(card.name for card in cards),
        num_players=count,
        knows_own=settings.knows_own_item,
        belief=in_author_order(np.exp(logs), truth),
        naming=mixed(in_author_order(verdicts, truth), alike),
        joint=mixed(in_author_order(joint, truth), alike),
        worth=recognition_worth(evidence, truth),
        valid=_table(read, lambda verdict: verdict.valid),
        tries=_table(read, lambda verdict: verdict.tries),
        by_slot=np.take_along_axis(verdicts, truth[..., None], axis=-1)[..., 0],
        inverse=(slot_named == inverse).mean(axis=-1),
        direct=(slot_named == truth).mean(axis=-1),
        alike=alike,
        flagged=np.array([list(map(bool, line)) for line in audit]),
        worded=np.array([list(map(bool, one.texts)) for one in debate.rounds]),
        captured=captured_readers(debate),
        findings={name: flags[name] for name in FINDINGS},
        steady=np.array([_steadiness(one, count, settings.num_readers) for one in debate.rounds]),
    )


def _table(rounds: Sequence[Sequence[T]], figure: Callable[[T], npt.ArrayLike]) -> npt.NDArray[Any]:
    """(R, J, ...) a figure of every reader in every round."""
    return np.array([list(map(figure, readers)) for readers in rounds])


def _steadiness(one: Round, count: int, readers: int) -> Floats64:
    """(J, N) for each text: do both orders give it to the same player? Ties share; NaN where one
    was unreadable."""
    agreement = np.full((readers, count), np.nan)
    for j, (first, second) in enumerate(zip(one.verdicts, one.second_verdicts, strict=False)):
        if first.valid and second.valid:
            named = [
                in_author_order(
                    row_verdicts(Belief(verdict.array(count)).log_belief()), reveal.permutation
                )
                for verdict, reveal in ((first, one.reveals[j]), (second, one.second_reveals[j]))
            ]
            agreement[j] = (named[0] * named[1]).sum(axis=-1)
    return agreement


def _mixing(texts: list[str]) -> Floats64:
    """(N, N) the matrix `alike` of one round."""
    mix = np.zeros((len(texts), len(texts)))
    for group in exchangeable(texts):
        mix[np.ix_(group, group)] = 1.0 / len(group)
    return mix


def mixed(naming: Floats64, alike: Floats64) -> Floats64:
    """Verdicts with exchangeable authors: row n is the mean over texts like n's, its players
    permuted alike."""
    # The expected credit of author n in a row of its group, over all ways the group's texts could
    # have been dealt.
    mixed: Floats64 = np.einsum("rnm,rjmk,rlk->rjnl", alike, naming, alike)
    return mixed
