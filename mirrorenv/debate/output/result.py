"""A result folder from a tournament: texts, lineups, verdicts, and a row of figures for each game
and reader.

Every reader is a line of the leaderboard. Its row of a game is what `score_readers` says of that
game alone, so the mean over games is the tournament's score. Two columns are recomputed by whoever
verifies the folder, from lineups, verdicts and labels: `hits` and `nats`, of all texts
including one's own.

Games are read one at a time. The tables are held whole until they are written: texts, evidence and
figures.

Shape legend: K = N slots and players.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import numpy as np
import numpy.typing as npt

from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.figures import FIGURES
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.scoring.scores import score_readers
from mirrorenv.debate.scoring.sheets import sheet_of
from mirrorenv.debate.tournament import Tournament
from mirrorenv.errors import ResultError
from mirrorenv.mirror import Estimate
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.results.folders.rescore import reading_rows
from mirrorenv.results.folders.result_folder import write_result
from mirrorenv.results.folders.schema import Entry, Figure, Result, SuiteMark
from mirrorenv.results.folders.tables import Form, Table
from mirrorenv.results.runs.versions import git_state, installed_versions

__all__ = ["export_tournament"]

# the figures of a reader that a result folder has, in the order of its columns
_SCORED = ("peer_hits", "kappa", "self_hits", "legibility", "self_advantage", "peer_hits_strict")


def _figure(name: str, column: str = "") -> Figure:
    """A figure of a reader, as result folders describe it."""
    known = FIGURES[name]
    return Figure(
        name=column or name,
        title=known.title,
        about=known.about,
        better=known.better,
        share=known.share,
    )


RESULT_FIGURES = (
    *(_figure(name) for name in _SCORED),
    _figure("nats", "peer_nats"),
    # recomputed by whoever verifies the folder, of all texts, one's own included
    Figure(
        name="hits",
        title="All recognised",
        about="all texts, one's own included, by the verdict",
        better="high",
        share=True,
    ),
    Figure(name="nats", title="All, nats", about="log score on all texts", better="high"),
)


def export_tournament(
    results: Results,
    out: str | Path,
    *,
    suite: SuiteMark | None = None,
    form: Form = "auto",
    overwrite: bool = False,
) -> Path:
    """Write the finished games of a tournament as a result folder.

    Args:
        results: of the tournament.
        out: where the result goes.
        suite: which row of a suite this is.
        form: of the tables.
        overwrite: replace a result in `out`.

    Raises:
        ResultError: if no game is finished, or `out` cannot be written.
    """
    tournament = results.tournament
    key = _key(results)
    cards = [*tournament.cards, *([tournament.judge] if tournament.settings.judges else [])]
    entries = tuple(Entry(condition=card.name, agents=_kind(card.player)) for card in cards)
    place = {card.name: index for index, card in enumerate(cards)}
    columns = _Columns(tournament, place, key)
    for debate in results.games():
        columns.add(debate)
    tables = columns.tables()
    tables["episodes"] = columns.episodes(tables)
    played = set(tables["episodes"]["entry"].tolist())  # type: ignore[union-attr]
    if len(played) < len(entries):
        raise ResultError(f"{results.path}: not every card has played yet; play more games")
    result = Result(
        kind="debate",
        title=f"{tournament.name}, seed {tournament.seed}",
        world="mirrorenv/debate",
        world_options={"topics": tournament.topics.name},
        entries=entries,
        figures=RESULT_FIGURES,
        seeds=(tournament.seed,),
        streams=("verdicts",),
        suite=suite,
        config=tournament.config(),
        versions=installed_versions(),
        git=git_state(),
        device="api",
        links=_links(results.path, Path(out)),
    )
    write_result(out, result, tables, form=form, overwrite=overwrite)
    return Path(out)


def _kind(player: str) -> str:
    return "language model" if player in ("endpoint", "local") else "scripted"


def _key(results: Results) -> bytes:
    """A hash of all shown texts: trajectories are named by it, so that no author can be guessed
    from a number."""
    key = blake2b(digest_size=32)
    found = False
    for debate in results.games():
        found = True
        for one in debate.rounds:
            key.update("\0".join(one.shown).encode("utf-8", "replace"))
    if not found:
        raise ResultError(f"{results.path}: no game is finished; 'mirrorenv debate run' plays on")
    return key.digest()


class _Columns:
    """The tables of a result, game by game; a trajectory is one text as it was shown.

    Args:
        tournament: whose games they are.
        place: of each card among the entries.
        key: that names the trajectories.
    """

    def __init__(self, tournament: Tournament, place: dict[str, int], key: bytes) -> None:
        self.tournament = tournament
        self.place = place
        self.key = key
        self.texts: list[tuple[int, str, int, int, int]] = []  # id, text, seat, game, round
        self.shown: list[npt.NDArray[np.uint64]] = []
        self.readers: list[tuple[int, int, int]] = []  # entry, game, place among the readers
        self.evidence: list[Floats64] = []
        self.figures: dict[tuple[int, int], list[float]] = {}  # by entry and game

    def add(self, debate: Debate) -> None:
        """Take the texts, the verdicts and the figures of one game."""
        tournament = self.tournament
        names = [tournament.cards[card].name for card in tournament.seats(debate.game)]
        names += [tournament.judge.name] * tournament.settings.judges
        for number, one in enumerate(debate.rounds):
            ids = [_id(self.key, debate.game, number, seat) for seat in range(len(one.shown))]
            self.texts += [
                (ids[seat], text, seat, debate.game, number) for seat, text in enumerate(one.shown)
            ]
            for reader, (reveal, verdict) in enumerate(zip(one.reveals, one.verdicts, strict=True)):
                self.shown.append(np.array([ids[seat] for seat in reveal.permutation], np.uint64))
                self.readers.append((self.place[names[reader]], debate.game, reader))
                self.evidence.append(verdict.array(len(one.shown)))
        for score in score_readers([sheet_of(tournament, debate)]):
            found = [_value(getattr(score, name)) for name in _SCORED]
            self.figures[self.place[score.name], debate.game] = [*found, score.nats.value]

    def tables(self) -> dict[str, Table]:
        """`steps`, `trials`, `beliefs` and `labels`."""
        self.texts.sort()
        ids, words, seats, game, rounds = (list(column) for column in zip(*self.texts, strict=True))
        entry, episode, observer = (np.array(column) for column in zip(*self.readers, strict=True))
        trial = np.arange(len(self.shown))
        return {
            "steps": {"trajectory": np.array(ids, np.uint64), "text": words},
            "trials": {
                "trial": trial,
                "trajectories": np.array(self.shown),
                "entry": entry,
                "episode": episode,
            },
            "beliefs": {
                "trial": trial,
                "stream": 0 * trial,
                "observer": observer,
                "evidence": np.array(self.evidence),
            },
            "labels": {
                "trajectory": np.array(ids, np.uint64),
                "agent": np.array(seats),
                "episode": np.array(game),
                "round": np.array(rounds),
            },
        }

    def episodes(self, tables: dict[str, Table]) -> Table:
        """`episodes`: what a game says of each of its readers."""
        rows = reading_rows(tables, self.tournament.seed)
        pairs = zip(rows["entry"].tolist(), rows["episode"].tolist(), strict=True)  # type: ignore[union-attr]
        found = np.array([self.figures[pair] for pair in pairs])  # (rows, figures)
        return {**rows, **dict(zip((*_SCORED, "peer_nats"), found.T, strict=True))}


def _id(key: bytes, *parts: int) -> int:
    data = b"".join(part.to_bytes(8, "little") for part in parts)
    return int.from_bytes(blake2b(data, key=key, digest_size=8).digest(), "little")


def _value(one: Estimate | None) -> float:
    return np.nan if one is None else float(one.value)


def _links(run: Path, out: Path) -> dict[str, str]:
    """The tournament's page and its games, if the result lies in the run folder."""
    if out.resolve().parent != run.resolve():
        return {}
    found = {"report": "../index.html", "transcripts": "../games"}
    return {
        words: link for words, link in found.items() if (run / link.removeprefix("../")).exists()
    }
