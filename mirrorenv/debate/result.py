"""A result folder from a tournament: texts, lineups, verdicts, and a row of figures for each game and reader.

Every reader is a line of the leaderboard. Its row of a game is what `score_readers` says of that game alone, so the
mean over games is the tournament's score. Two columns are recomputed by whoever verifies the folder, from lineups,
verdicts and labels: ``hits`` and ``nats``, of all texts including one's own.

Shape legend: K = N slots and players.
"""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from mirrorenv.debate.report import Results
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scores import score_readers, sheet_of
from mirrorenv.errors import ResultError
from mirrorenv.mirror import Estimate
from mirrorenv.results.rescore import reading_rows
from mirrorenv.results.result_folder import write_result
from mirrorenv.results.schema import Entry, Figure, Result, SuiteMark
from mirrorenv.results.tables import Form, Table
from mirrorenv.results.versions import git_state, installed_versions

__all__ = ["export_tournament"]

FIGURES = (
    Figure(
        name="peer_hits",
        title="Peers recognised",
        about="texts of others given to their author",
        better="high",
        share=True,
    ),
    Figure(name="kappa", title="Kappa", about="peers recognised, above what guessing gives", better="high"),
    Figure(name="self_hits", title="Own recognised", about="its own text given to itself", better="high", share=True),
    Figure(name="legibility", title="Legibility", about="its texts given to it by the other players", share=True),
    Figure(name="self_advantage", title="Self-advantage", about="own recognised minus legibility", better="high"),
    Figure(
        name="peer_hits_strict",
        title="Peers, strict",
        about="unreadable verdicts count nothing",
        better="high",
        share=True,
    ),
    Figure(name="peer_nats", title="Information (nats)", about="log score on the texts of others", better="high"),
    Figure(
        name="hits",
        title="All recognised",
        about="all texts, one's own included, by the verdict",
        better="high",
        share=True,
    ),
    Figure(name="nats", title="All, nats", about="log score on all texts", better="high"),
)
_SCORED = ("peer_hits", "kappa", "self_hits", "legibility", "self_advantage", "peer_hits_strict")


def export_tournament(
    results: Results, out: str | Path, *, suite: SuiteMark | None = None, form: Form = "auto", overwrite: bool = False
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
    tournament, games = results.tournament, list(results.games())
    if not games:
        raise ResultError(f"{results.path}: no game is finished; 'mirrorenv debate run' plays on")
    cards = [*tournament.cards, *([tournament.judge] if tournament.settings.judges else [])]
    entries = tuple(Entry(condition=card.name, agents=_kind(card.player)) for card in cards)
    place = {card.name: index for index, card in enumerate(cards)}
    tables = _texts(tournament, games, place)
    tables["episodes"] = _rows(tournament, games, place, tables, tournament.seed)
    played = set(tables["episodes"]["entry"].tolist())  # type: ignore[union-attr]
    if len(played) < len(entries):
        raise ResultError(f"{results.path}: not every card has played yet; play more games")
    result = Result(
        kind="debate",
        title=f"{tournament.name}, seed {tournament.seed}",
        world="mirrorenv/debate",
        world_options={"topics": tournament.topics.name},
        entries=entries,
        figures=FIGURES,
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


def _texts(tournament: Any, games: list[Debate], place: dict[str, int]) -> dict[str, Table]:
    """``steps``, ``trials``, ``beliefs`` and ``labels``; a trajectory is one text as it was shown."""
    key = blake2b(digest_size=32)
    for debate in games:
        for one in debate.rounds:
            key.update("\0".join(one.shown).encode("utf-8", "replace"))
    texts: list[tuple[int, str, int, int, int]] = []  # id, text, seat, game, round
    shown, readers, evidence = [], [], []
    for debate in games:
        names = [tournament.cards[card].name for card in tournament.seats(debate.game)]
        names += [tournament.judge.name] * tournament.settings.judges
        for number, one in enumerate(debate.rounds):
            ids = [_id(key.digest(), debate.game, number, seat) for seat in range(len(one.shown))]
            texts += [(ids[seat], text, seat, debate.game, number) for seat, text in enumerate(one.shown)]
            for reader, (reveal, verdict) in enumerate(zip(one.reveals, one.verdicts, strict=True)):
                shown.append([ids[seat] for seat in reveal.permutation])
                readers.append((place[names[reader]], debate.game, reader))
                evidence.append(verdict.array(len(one.shown)))
    texts.sort()
    ids, words, seats, game, rounds = (list(column) for column in zip(*texts, strict=True))
    entry, episode, observer = (np.array(column) for column in zip(*readers, strict=True))
    trial = np.arange(len(shown))
    return {
        "steps": {"trajectory": np.array(ids, np.uint64), "text": words},
        "trials": {"trial": trial, "trajectories": np.array(shown, np.uint64), "entry": entry, "episode": episode},
        "beliefs": {"trial": trial, "stream": 0 * trial, "observer": observer, "evidence": np.array(evidence)},
        "labels": {"trajectory": np.array(ids, np.uint64), "agent": np.array(seats), "episode": np.array(game),
                   "round": np.array(rounds)},
    }  # fmt: skip


def _id(key: bytes, *parts: int) -> int:
    data = b"".join(part.to_bytes(8, "little") for part in parts)
    return int.from_bytes(blake2b(data, key=key, digest_size=8).digest(), "little")


def _rows(tournament: Any, games: list[Debate], place: dict[str, int], tables: dict[str, Table], seed: int) -> Table:
    """``episodes``: what a game says of each of its readers."""
    rows = reading_rows(tables, seed)
    at = {pair: index for index, pair in enumerate(zip(rows["entry"].tolist(), rows["episode"].tolist(), strict=True))}  # type: ignore[union-attr]
    columns = {name: np.full(len(at), np.nan) for name in (*_SCORED, "peer_nats")}
    for debate in games:
        for score in score_readers([sheet_of(tournament, debate)]):
            index = at[place[score.name], debate.game]
            for name in _SCORED:
                columns[name][index] = _value(getattr(score, name))
            columns["peer_nats"][index] = score.nats.value
    return {**rows, **columns}


def _value(one: Estimate | None) -> float:
    return np.nan if one is None else float(one.value)


def _links(run: Path, out: Path) -> dict[str, str]:
    """The tournament's page and its games, if the result lies in the run folder."""
    if out.resolve().parent != run.resolve():
        return {}
    found = {"report": "../index.html", "transcripts": "../games"}
    return {words: link for words, link in found.items() if (run / link.removeprefix("../")).exists()}
