"""What a tournament's games are worth: every figure per reader, peers and self apart, clustered by game.

``peer hits`` is the headline: the share of texts of others whose author a reader names. Its floor is 1/(N - 1) where
the reader can find its own text by comparing strings, and also where it cannot, because its belief is then renormalised
over its peers; a judge, who has no own text, has the floor 1/N. ``kappa`` is (hits - floor) / (1 - floor).
Renormalised are all figures on peers' texts: hits, the best assignment (of peers' texts to peers), nats (then at most
log(N - 1)) and calibration. What a reader said of its own text is scored as it was said.

Texts too alike to tell apart are exchangeable: a credit for one of them is the mean over the group. An unreadable
verdict is counted apart; its items are worth the floor in ``peer_hits`` and nothing in ``peer_hits_strict``.

Shape legend: G games, R rounds, J readers, K lineup slots, N players.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.debate.audit import FINDINGS, audit_game, captured_readers
from mirrorenv.debate.rules import Debate, Round
from mirrorenv.debate.texts import exchangeable
from mirrorenv.debate.tournament import Tournament
from mirrorenv.mirror import Belief, Estimate, most_probable_permutation, rate_interval, recognition_worth, t_interval
from mirrorenv.mirror.metrics import calibration_error
from mirrorenv.mirror.verdicts import fair_assignment, in_author_order, row_verdicts

__all__ = ["GameSheet", "ReaderScore", "Sheets", "score_readers", "sheet_of"]

Floats = npt.NDArray[np.float64]
SCORE_FLOOR = 1e-4  # smallest belief in a true author that still counts, as in recognition_worth


@dataclass(frozen=True)
class GameSheet:
    """The numbers of one game, rows in author order.

    Attributes:
        game: number of the game.
        readers: (J) names of the cards that read: seats first, then judges.
        num_players: N.
        knows_own: whether players could find their own texts by comparing strings.
        belief: (R, J, N, N) row n: belief in each player as the author of n's text, each text judged alone.
        naming: (R, J, N, N) the same as verdicts: 1 for the named player, shared by ties and exchangeable texts.
        joint: (R, J, N, N) verdicts of the best assignment of the whole lineup.
        worth: (R, J, N) nats, log score of each item.
        valid: (R, J) whether the verdict could be read.
        tries: (R, J) how often the reader was asked.
        by_slot: (R, J, K) credit by place in the lineup.
        inverse: (R, J) share of slots right under the inverse convention.
        direct: (R, J) share of slots right under ours.
        flagged: (R, N) whether the audit found something in a text that is no writing style.
        captured: (orders given to readers by a text, orders that a reader then followed to the letter).
        findings: texts in which the audit found each thing.
        steady: (R, J, N) agreement of a reader's verdicts on a text in two orders; NaN where it read but once.
        alike: (R, N, N) row n: how a credit for text n is spread over the texts nobody could tell from it.
    """

    game: int
    readers: tuple[str, ...]
    num_players: int
    knows_own: bool
    belief: Floats
    naming: Floats
    joint: Floats
    worth: Floats
    valid: npt.NDArray[np.bool_]
    tries: npt.NDArray[np.int64]
    by_slot: Floats
    inverse: Floats
    direct: Floats
    alike: Floats
    flagged: npt.NDArray[np.bool_]
    captured: tuple[int, int]
    findings: Mapping[str, int]
    steady: Floats


Sheets = list[GameSheet]


def sheet_of(tournament: Tournament, debate: Debate) -> GameSheet:
    """The numbers of a finished game."""
    count, settings = tournament.settings.num_players, tournament.settings
    cards = [tournament.cards[card] for card in tournament.seats(debate.game)] + [tournament.judge] * settings.judges
    truth = np.array([[reveal.permutation for reveal in one.reveals] for one in debate.rounds])  # (R, J, K)
    evidence = np.array([[verdict.array(count) for verdict in one.verdicts] for one in debate.rounds])  # (R, J, K, N)
    logs = Belief(evidence).log_belief()
    verdicts = row_verdicts(logs)  # (R, J, K, N)
    joint = np.eye(count)[fair_assignment(most_probable_permutation, evidence)]  # (R, J, K, N)
    alike = np.array([_mixing(one.shown) for one in debate.rounds])  # (R, N, N)
    slot_named = verdicts.argmax(axis=-1)  # (R, J, K)
    inverse = np.argsort(truth, axis=-1)
    audit = audit_game(debate)
    return GameSheet(
        game=debate.game,
        readers=tuple(card.name for card in cards),
        num_players=count,
        knows_own=settings.knows_own_item,
        belief=in_author_order(np.exp(logs), truth),
        naming=_mixed(in_author_order(verdicts, truth), alike),
        joint=_mixed(in_author_order(joint, truth), alike),
        worth=recognition_worth(evidence, truth),
        valid=np.array([[verdict.valid for verdict in one.verdicts] for one in debate.rounds]),
        tries=np.array([[verdict.tries for verdict in one.verdicts] for one in debate.rounds]),
        by_slot=np.take_along_axis(verdicts, truth[..., None], axis=-1)[..., 0],
        inverse=(slot_named == inverse).mean(axis=-1),
        direct=(slot_named == truth).mean(axis=-1),
        alike=alike,
        flagged=np.array([[bool(found) for found in line] for line in audit]),
        captured=captured_readers(debate),
        findings={name: sum(name in found for line in audit for found in line) for name in FINDINGS},
        steady=np.array([_steadiness(one, count, settings.num_readers) for one in debate.rounds]),
    )


def _steadiness(one: Round, count: int, readers: int) -> Floats:
    """(J, N) for each text: do both orders give it to the same player? Ties share; NaN where one was unreadable."""
    agreement = np.full((readers, count), np.nan)
    for j, (first, second) in enumerate(zip(one.verdicts, one.second_verdicts, strict=False)):
        if first.valid and second.valid:
            named = [
                in_author_order(row_verdicts(Belief(verdict.array(count)).log_belief()), reveal.permutation)
                for verdict, reveal in ((first, one.reveals[j]), (second, one.second_reveals[j]))
            ]
            agreement[j] = (named[0] * named[1]).sum(axis=-1)
    return agreement


def _mixing(texts: list[str]) -> Floats:
    """(N, N) the matrix ``alike`` of one round."""
    mix = np.zeros((len(texts), len(texts)))
    for group in exchangeable(texts):
        mix[np.ix_(group, group)] = 1.0 / len(group)
    return mix


def _mixed(naming: Floats, alike: Floats) -> Floats:
    """Verdicts with exchangeable authors: row n is the mean over texts like n's, its players permuted alike."""
    # The expected credit of author n in a row of its group, over all ways the group's texts could have been dealt.
    mixed: Floats = np.einsum("rnm,rjmk,rlk->rjnl", alike, naming, alike)
    return mixed


@dataclass
class ReaderScore:
    """One card as a reader and as an author. Shares lie in [0, 1]; None where there is nothing to tell.

    Attributes:
        name: of the card.
        judge: whether it reads from outside.
        games: in which it read.
        floor: chance for a peer's text.
        peer_hits: see the module; unreadable verdicts count the floor.
        peer_hits_strict: unreadable verdicts count nothing.
        peer_hits_clean: over texts in which the audit found nothing; None if there are none.
        peer_hits_joint: by the best assignment of the whole lineup.
        kappa: peer hits above the floor.
        cohen_kappa: agreement with the truth above what its own and the true frequencies give by accident; over whole
            lineups, the own item included.
        self_hits: its own text given to itself.
        false_alarms: texts of others given to itself.
        legibility: its texts given to it by the other players.
        self_advantage: own recognition minus legibility: what it knows of itself that others do not.
        nats: log score on peers' texts; 0 at chance, at most log N.
        calibration_error: gap between stated and true confidence on peers' texts.
        exact: whole lineups right, by the best assignment; of peers' texts where the own text is withheld.
        order_consistency: peers' texts given to the same player in another order; None if nothing was read again.
        invalid: share of verdicts that could not be read at the last try.
        repaired: share that could be read at the second try only.
        inverse: share of verdicts that fit the inverse convention better than ours.
        curve: peer hits by round.
        nats_curve: log score on peers' texts by round.
        by_slot: hits by place in the lineup.
        labels: how often each player name was given.
    """

    name: str
    judge: bool
    games: int
    floor: float
    peer_hits: Estimate
    peer_hits_strict: Estimate
    peer_hits_clean: Estimate | None
    peer_hits_joint: Estimate
    kappa: Estimate
    cohen_kappa: float | None
    self_hits: Estimate | None
    false_alarms: Estimate | None
    legibility: Estimate | None
    self_advantage: Estimate | None
    nats: Estimate
    calibration_error: Estimate
    exact: Estimate
    order_consistency: Estimate | None
    invalid: float
    repaired: float
    inverse: float
    curve: list[float] = field(default_factory=list)
    nats_curve: list[float] = field(default_factory=list)
    by_slot: list[float] = field(default_factory=list)
    labels: list[float] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {name: value.to_dict() if isinstance(value, Estimate) else value for name, value in vars(self).items()}


@dataclass(frozen=True)
class _Seat:
    """One reader of one game."""

    sheet: GameSheet
    place: int

    @property
    def judge(self) -> bool:
        return self.place >= self.sheet.num_players

    @property
    def others(self) -> list[int]:
        return [n for n in range(self.sheet.num_players) if n != self.place]

    @property
    def floor(self) -> float:
        return 1.0 / (self.sheet.num_players - (not self.judge))


def _renormalised(table: Floats, seat: _Seat, verdicts: bool) -> Floats:
    """(R, N, N) naming or belief of a reader; without its own name where it must not know its own text."""
    if seat.judge or seat.sheet.knows_own:
        return table
    kept = table.copy()
    kept[..., seat.place] = 0.0
    if verdicts:
        kept = np.where(kept >= kept.max(axis=-1, keepdims=True) - 1e-9, 1.0, 0.0)
        kept[..., seat.place] = 0.0
    share: Floats = kept / np.maximum(kept.sum(axis=-1, keepdims=True), 1e-12)
    return share


def _peer(seat: _Seat, naming: Floats) -> Floats:
    """(R, N or N - 1) credit for the texts of others."""
    credit: Floats = np.einsum("rnn->rn", naming)[:, seat.others]
    return credit


def _peer_naming(seat: _Seat) -> Floats:
    if seat.judge or seat.sheet.knows_own:
        return seat.sheet.naming[:, seat.place]
    named = _renormalised(seat.sheet.belief[:, seat.place], seat, True)[:, None]  # (R, 1, N, N)
    return _mixed(named, seat.sheet.alike)[:, 0]


def _peer_joint(seat: _Seat) -> Floats:
    """(R, N, N) verdicts of the best assignment; of peers' texts to peers where the own text is withheld."""
    if seat.judge or seat.sheet.knows_own:
        return seat.sheet.joint[:, seat.place]
    peers = np.ix_(range(len(seat.sheet.belief)), seat.others, seat.others)
    logs = np.log(np.maximum(seat.sheet.belief[:, seat.place][peers], 1e-300))  # (R, N - 1, N - 1)
    table = np.zeros_like(seat.sheet.belief[:, seat.place])
    table[peers] = np.eye(len(seat.others))[fair_assignment(most_probable_permutation, logs)]
    table[:, seat.place, seat.place] = 1.0
    return _mixed(table[:, None], seat.sheet.alike)[:, 0]


def _peer_worth(seat: _Seat) -> Floats:
    """(R, N or N - 1) nats on peers' texts, zero at chance."""
    worth = seat.sheet.worth[:, seat.place][:, seat.others]
    if seat.judge or seat.sheet.knows_own:
        return worth
    held = _renormalised(seat.sheet.belief[:, seat.place], seat, False)
    right = np.einsum("rnn->rn", held)[:, seat.others]
    nats: Floats = np.log(len(seat.others)) + np.log(np.maximum(right, SCORE_FLOOR))
    return nats


def _seats(sheets: Iterable[GameSheet]) -> Iterator[tuple[str, _Seat]]:
    for sheet in sheets:
        for place, name in enumerate(sheet.readers):
            yield name, _Seat(sheet, place)


def score_readers(sheets: Sheets, confidence: float = 0.95) -> list[ReaderScore]:
    """Every card that read in at least one of the games, the best by kappa first.

    Args:
        sheets: of finished games.
        confidence: of the intervals, which are clustered by game.
    """
    seats: dict[str, list[_Seat]] = {}
    for name, seat in _seats(sheets):
        seats.setdefault(name, []).append(seat)
    scores = [_score(name, found, confidence) for name, found in seats.items()]
    return sorted(scores, key=lambda score: (-round(score.kappa.value, 12), score.name))


def _score(name: str, seats: list[_Seat], confidence: float) -> ReaderScore:
    first = seats[0]
    floor = float(np.mean([seat.floor for seat in seats]))

    def share(values: Iterable[float]) -> Estimate:
        return rate_interval(np.clip(np.array(list(values)), 0.0, 1.0), confidence)

    loose, strict, clean, joint, own, alarms, named, steady = [], [], [], [], [], [], [], []
    for seat in seats:
        valid = seat.sheet.valid[:, seat.place, None]  # (R, 1)
        peer = _peer(seat, _peer_naming(seat))
        loose.append(float(np.where(valid, peer, seat.floor).mean()))
        unflagged = ~seat.sheet.flagged[:, seat.others]  # (R, N or N - 1)
        if unflagged.any():
            clean.append(float(np.where(valid, peer, seat.floor)[unflagged].mean()))
        strict.append(float(np.where(valid, peer, 0.0).mean()))
        joint.append(float(np.where(valid, _peer(seat, _peer_joint(seat)), seat.floor).mean()))
        again = seat.sheet.steady[:, seat.place, seat.others]
        if not np.isnan(again).all():
            steady.append(float(np.nanmean(again)))
        if not seat.judge:
            table = seat.sheet.naming[:, seat.place]  # (R, N, N)
            own.append(float(table[:, seat.place, seat.place].mean()))
            alarms.append(float(table[:, seat.others, seat.place].mean()))
            named.append(float(seat.sheet.naming[:, seat.others, seat.place, seat.place].mean()))
    hits = share(loose)
    players = not first.judge
    return ReaderScore(
        name=name,
        judge=first.judge,
        games=len(seats),
        floor=floor,
        peer_hits=hits,
        peer_hits_strict=share(strict),
        peer_hits_clean=share(clean) if clean else None,
        peer_hits_joint=share(joint),
        kappa=_above(hits, floor),
        cohen_kappa=_cohen(seats),
        self_hits=share(own) if players else None,
        false_alarms=share(alarms) if players else None,
        legibility=share(named) if players else None,
        self_advantage=t_interval(np.array(own) - np.array(named), confidence) if players else None,
        nats=t_interval([float(_peer_worth(seat).mean()) for seat in seats], confidence),
        calibration_error=_calibration(seats, confidence),
        exact=share(_exact(seat) for seat in seats),
        order_consistency=share(steady) if steady else None,
        invalid=1.0 - _mean(seat.sheet.valid[:, seat.place] for seat in seats),
        repaired=_mean((seat.sheet.tries[:, seat.place] > 1) & seat.sheet.valid[:, seat.place] for seat in seats),
        inverse=_mean(seat.sheet.inverse[:, seat.place] > seat.sheet.direct[:, seat.place] for seat in seats),
        curve=np.mean([_peer(seat, _peer_naming(seat)).mean(axis=1) for seat in seats], axis=0).round(6).tolist(),
        nats_curve=np.mean([_peer_worth(seat).mean(axis=1) for seat in seats], axis=0).round(6).tolist(),
        by_slot=np.mean([seat.sheet.by_slot[:, seat.place].mean(axis=0) for seat in seats], axis=0).round(6).tolist(),
        labels=_by_name(seats),
    )


def _above(hits: Estimate, floor: float) -> Estimate:
    ends = [(end - floor) / (1.0 - floor) if floor < 1.0 else 0.0 for end in (hits.value, hits.low, hits.high)]
    return Estimate(ends[0], ends[1], ends[2], hits.n, hits.method)


def _exact(seat: _Seat) -> float:
    right = np.einsum("rnn->rn", _peer_joint(seat))
    return float((np.where(seat.sheet.valid[:, seat.place, None], right, 0.0) >= 1.0 - 1e-9).all(axis=1).mean())


def _mean(parts: Iterable[npt.NDArray[Any]]) -> float:
    return float(np.mean(np.concatenate([np.asarray(part, np.float64).ravel() for part in parts])))


def _by_name(seats: list[_Seat]) -> list[float]:
    given = [seat.sheet.naming[:, seat.place].mean(axis=(0, 1)) for seat in seats]  # (G, N)
    shares: list[float] = np.mean(given, axis=0).round(6).tolist()
    return shares


def _cohen(seats: list[_Seat]) -> float | None:
    """(observed - expected) / (1 - expected) agreement of named and true players (Cohen 1960)."""
    table = np.mean([seat.sheet.naming[:, seat.place].mean(axis=0) for seat in seats], axis=0)  # (N, N) true, named
    table = table / table.sum()
    observed, expected = float(np.trace(table)), float(table.sum(axis=0) @ table.sum(axis=1))
    return (observed - expected) / (1.0 - expected) if expected < 1.0 else None


def _calibration(seats: list[_Seat], confidence: float) -> Estimate:
    belief = np.stack([_renormalised(seat.sheet.belief[:, seat.place], seat, False)[:, seat.others] for seat in seats])
    credit = np.stack([_peer(seat, _peer_naming(seat)) for seat in seats])  # (G, R, items)
    return calibration_error(belief, credit, confidence)
