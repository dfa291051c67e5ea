"""Pages to look at: one for the tournament, one for each game. Self-contained, no script, nothing
fetched.

What players wrote is hostile until shown otherwise: it reaches a page through templates, which
escape it and make direction marks and control characters visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mirrorenv.debate.audit import audit_game
from mirrorenv.debate.output.calls_page import anchor, calls_page
from mirrorenv.debate.output.opening import opening
from mirrorenv.debate.rules import Debate, Round
from mirrorenv.debate.scoring.conduct import SEVERAL_GAMES
from mirrorenv.debate.scoring.figures import (
    FIGURES,
    HABITS,
    LEADERBOARD,
    ReaderFigure,
    Value,
    figure_rows,
    heads,
    value_of,
)
from mirrorenv.debate.scoring.ideal import LIMIT_READER, LimitScore
from mirrorenv.debate.scoring.results import Results, tied_groups
from mirrorenv.debate.scoring.scores import ReaderScore
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.verdicts import labels, names
from mirrorenv.llm.answers import STOPS
from mirrorenv.mirror import Belief, Estimate
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.results.report.next_steps import next_section
from mirrorenv.results.report.page import Cell, details, document, section, table
from mirrorenv.results.report.templates import Html, render, text
from mirrorenv.results.report.words import DASH
from mirrorenv.results.runs.files import atomic_write_text

__all__ = ["game_page", "tournament_page", "write_pages"]

_RESAMPLES = 200
_FILES = (
    ("config.json", "the rules, and who plays"),
    ("calls.jsonl", "every question to a model, and its answer"),
    ("scores.json", "the figures of this page"),
)
_DOCS = (
    ("debate.md", "the game, its rules and scores"),
    ("results.md", "results that others can check"),
)
_STYLE = """
blockquote {
  margin: 0.3em 0; padding-left: 0.8em; border-left: 3px solid rgba(128, 128, 128, 0.4);
}
.scroll + .note { margin-top: 1.5em; }
.right, .shade { background: rgba(70, 130, 220, 0.35); padding: 0 0.4em; }
.shade { background: rgba(70, 130, 220, calc(0.6 * var(--share))); }
.written { white-space: pre-wrap; overflow-wrap: anywhere; }
"""


def write_pages(results: Results) -> Path:
    """Write `index.html`, and for each game `games/game-NNNNN.html` and its calls, into the run
    folder; one game is held at a time.

    Returns:
        path of the tournament's page.
    """
    folder = results.path / "games"
    folder.mkdir(exist_ok=True)
    links = []
    for debate in results.games():
        name = f"game-{debate.game:05d}.html"
        atomic_write_text(folder / name, game_page(results.tournament, debate))
        calls = calls_page(results.tournament, debate.game, results.log.game(debate.game).values())
        atomic_write_text(folder / _calls_name(debate.game), calls)
        links.append((debate.game, f"games/{name}"))
    return atomic_write_text(results.path / "index.html", tournament_page(results, links))


def _calls_name(game: int) -> str:
    return f"game-{game:05d}-calls.html"


def tournament_page(results: Results, links: list[tuple[int, str]]) -> str:
    """The tournament's page, HTML.

    Args:
        results: of the tournament.
        links: number and address of each game's page.
    """
    tournament = results.tournament
    scores = results.scores()
    settings = tournament.settings
    parts = opening(results, len(links))
    if scores:
        limit = results.limit()
        parts += [_leaderboard(scores, limit), *_ratings(results), _matrix(results)]
        parts += [
            _curves(scores, limit, settings.feedback),
            _habits(scores),
            _conduct(results, scores),
        ]
    parts += _answers(results)
    parts.append(section("Games", _filled("games.html", links=links)))
    rules = [[name, str(value)] for name, value in settings.model_dump(mode="json").items()]
    shown = table(["setting", "value"], rules, "Settings of the game")
    parts.append(section("Rules", details("All settings", shown)))
    path = str(results.path)
    commands = [
        ("Compare skills of readers and authors:", ["debate", "rate", path]),
        ("Make a result that others can check:", ["results", "export", path]),
    ]
    parts.append(next_section(commands, _FILES, _DOCS, results.path))
    return document(f"Debate: {tournament.name}", *parts, style=_STYLE)


def _filled(name: str, **data: object) -> Html:
    return render("mirrorenv.debate.output", name, **data)


def _leaderboard(scores: list[ReaderScore], limit: LimitScore | None) -> Html:
    rows = [
        [who, group, *_cells(LEADERBOARD, values)]
        for who, group, values in figure_rows(scores, tied_groups(scores), limit, LEADERBOARD)
    ]
    lead = (
        "Peer hits are texts of others named rightly. Readers of one group could be equal: their "
        "intervals overlap. "
        "The own item is apart, because a reader that sees its own text may simply compare strings."
    )
    if limit is not None:
        lead += (
            f" The limit, known for {limit.games} games, is what Bayes' rule makes of the true "
            "prompts of all players, "
            "which no reader has."
        )
    caption = "95 % intervals in brackets, games as clusters"
    columns = ["reader", "group", *heads(LEADERBOARD)]
    return section("Who recognises", table(columns, rows, caption), lead=lead)


def _ratings(results: Results) -> list[Html]:
    if results.finished < 2:
        return []
    rating = results.items().rated(bootstrap=_RESAMPLES, seed=results.tournament.seed)
    rows = [[name, group, *cells] for group, name, *cells in rating.rows()]
    lead = (
        "Logits above the guessing floor, from a crossed model of readers and authors: how well a "
        "player reads, how "
        "easily it is read, and what it gains on its own text. Readers of one group could be "
        "equal. Who still has its "
        "own text at hand knows itself by comparing strings; it has to read itself where that is "
        "withheld."
    )
    columns = ["player", "group", "reads", "is read", "knows itself", "shown at 5 %"]
    caption = f"95 % intervals in brackets, {_RESAMPLES} resamples of games"
    return [section("Ratings", table(columns, rows, caption), lead=lead)]


def _matrix(results: Results) -> Html:
    items = results.items()
    right, asked = items.totals()  # (P, P) each
    wrote = [items.readers.index(author) for author in items.authors]
    rows = []
    for name, hits, times in zip(items.readers, right[:, wrote], asked[:, wrote], strict=True):
        cells = (
            _shade(hit / count) if count else "" for hit, count in zip(hits, times, strict=True)
        )
        rows.append([name, *cells])
    lead = (
        "Row: who reads. Column: who wrote. Share of texts given to their author; the own item in "
        "its own column."
    )
    shown = table(["reader", *items.authors], rows, "Share of texts named rightly")
    return section("Reader by author", shown, lead=lead)


def _shade(share: float) -> Html:
    return _filled("shade.html", share=f"{share:.2f}")


def _curves(scores: list[ReaderScore], limit: LimitScore | None, feedback: str) -> Html:
    rounds = max(len(one.curve) for one in scores)
    rows = [[one.name, *map(_shade, one.curve)] for one in scores]
    if limit is not None:
        rows.insert(0, [LIMIT_READER, *map(_shade, limit.curve)])
    columns = ["reader", *(f"round {number}" for number in range(1, rounds + 1))]
    nats = [[one.name, *map("{:+.2f}".format, one.nats_curve)] for one in scores]
    told = {
        "full": "Authors are revealed after each round.",
        "own": "After each round a player is told its own hits.",
        "none": "Nothing is revealed.",
    }[feedback]
    hits = table(columns, rows, "Peer hits by round")
    evidence = table(columns, nats, "Evidence by round: nats on peers' texts")
    return section("Learning", hits, evidence, lead=told)


def _cells(names: Sequence[str], values: Sequence[Value]) -> list[Cell]:
    return [_cell(FIGURES[name], value) for name, value in zip(names, values, strict=True)]


def _cell(figure: ReaderFigure, value: Value) -> Cell:
    """A figure with its interval below, so that a row fits the width."""
    value = figure.shown(value)
    if value is None:
        return DASH
    if not isinstance(value, Estimate):
        return figure.text(value)
    return SEVERAL_GAMES.number(value.value), value.interval_text(SEVERAL_GAMES).strip()


def _figures(score: ReaderScore, names: Sequence[str]) -> list[Cell]:
    """A row of a table: a reader and some of its figures."""
    return [score.name, *_cells(names, [value_of(score, name) for name in names])]


def _habits(scores: list[ReaderScore]) -> Html:
    rows = [_figures(one, HABITS) for one in scores]
    lead = (
        "Habits that are no recognition: a favoured place in the lineup, a favoured name, the "
        "other convention."
    )
    return section("Habits", table(["reader", *heads(HABITS)], rows, "All shares"), lead=lead)


def _conduct(results: Results, scores: list[ReaderScore]) -> Html:
    conduct = results.conduct()
    shown = ("peer_hits", "peer_hits_clean", "peer_hits_worded")
    rows = [_figures(one, shown) for one in scores]
    lead = (
        f"The audit marked {conduct.flagged} of {conduct.texts} texts: "
        + ", ".join(f"{name} {count}" for name, count in conduct.findings.items())
        + ". "
    )
    if conduct.success is None:
        lead += "No text dictated a verdict."
    else:
        lead += (
            f"Of {conduct.orders} verdicts dictated to readers, {conduct.followed} were given to "
            "the letter."
        )
    found = table(["reader", *heads(shown)], rows, "Texts of others named rightly")
    return section("Leaks and orders", found, lead=lead)


def _answers(results: Results) -> list[Html]:
    """How each model's answers ended; nothing where no model played."""
    cards = results.log.totals.cards
    if not cards:
        return []
    met = set().union(*(card.stops for card in cards.values()))
    ends = [stop for stop in STOPS if stop in met]
    rows = []
    for name, card in sorted(cards.items()):
        counts = [str(card.stops.get(stop, 0)) for stop in ends]
        served = ", ".join(card.served)
        rows.append([name, str(card.calls), *counts, str(card.failures), served])
    told = "; ".join(f"{stop}: {STOPS[stop]}" for stop in ends)
    lead = (
        f"Why answers ended. {told}. A player without words is shown as (no answer): such texts "
        "tell nothing about who can be recognised."
    )
    columns = ["card", "calls", *ends, "no answer at all", "served by"]
    shown = [table(columns, rows, "Finished calls")]
    failed = [[name, text(card.error, 1000)] for name, card in sorted(cards.items()) if card.error]
    if failed:
        shown.append(table(["card", "what went wrong last"], failed, "Failed tries"))
    return [section("Answers", *shown, lead=lead)]


def game_page(tournament: Tournament, debate: Debate) -> str:
    """One game's page, HTML."""
    count = tournament.settings.num_players
    seats = [tournament.cards[card].name for card in tournament.seats(debate.game)]
    judges = [tournament.judge.name] * tournament.settings.judges
    who = [f"{player} {seat}" for player, seat in zip(names(count), seats, strict=True)] + judges
    judged = f". Read by {', '.join(judges)}." if judges else "."
    rounds = zip(debate.rounds, audit_game(debate), strict=True)
    return document(
        f"{tournament.name}: game {debate.game}",
        _filled(
            "game.html",
            game=debate.game,
            seats=", ".join(who[:count]) + judged,
            calls=_calls_name(debate.game),
        ),
        *(
            section(
                f"Round {number + 1}",
                *_round(one, found, who, _Place(debate.game, number, count)),
                lead=one.topic,
            )
            for number, (one, found) in enumerate(rounds)
        ),
        style=_STYLE,
    )


@dataclass(frozen=True)
class _Place:
    """A round of a game, and where its calls stand."""

    game: int
    round: int
    players: int

    def calls(self, phase: str) -> list[str]:
        """Addresses of what each player was asked in a phase."""
        page = _calls_name(self.game)
        start = f"g{self.game:05d}/r{self.round:03d}/{phase}"
        return [f"{page}#{anchor(f'{start}/p{player}')}" for player in range(self.players)]


def _round(one: Round, audit: list[tuple[str, ...]], who: list[str], place: _Place) -> list[Html]:
    count = place.players
    found = [", ".join(names) for names in audit]
    texts = _written(who, one.texts, one.shown, found, place.calls("speak"))
    rows = [_verdict(one, reader, who[reader], count) for reader in range(len(one.verdicts))]
    columns = ["reader", *(f"text of {name}" for name in names(count)), "right"]
    caption = "Verdicts: who was named, how sure, and under which letter the reader saw the text"
    afterwards = (
        details(
            f"What they wrote afterwards: {step.replace('_', ' ')}",
            _written(who, told, told, [""] * len(told), place.calls(f"plan:{step}")),
        )
        for step, told in one.plans.items()
    )
    return [texts, table(columns, rows, caption), *afterwards]


def _written(who: list[str], *columns: Sequence[str]) -> Html:
    """Texts under their authors' names: as written, as shown, what the audit found, the call."""
    return _filled("texts.html", texts=zip(who, *columns, strict=False))


def _verdict(one: Round, reader: int, name: str, count: int) -> list[Cell]:
    """What a reader said, a row of the table."""
    verdict = one.verdicts[reader]
    if verdict.evidence is None:
        return [name, *[""] * count, f"unreadable: {verdict.problem}"]
    belief = Belief(verdict.array(count)).independent()
    slots = np.argsort(one.reveals[reader].permutation)
    cells = [_named(belief[slot], author, labels(count)[slot]) for author, slot in enumerate(slots)]
    return [name, *cells, f"{one.hits[reader]:g} of {count}"]


def _named(belief: Floats64, author: int, label: str) -> Cell:
    """A cell: the named player, shaded where it is the author."""
    most = float(belief.max())
    tied = np.flatnonzero(belief >= most - 1e-9)
    said = names(len(belief))[tied[0]] if len(tied) == 1 else f"tie of {len(tied)}"
    told = f"{said} {most:.2f} ({label})"
    right = len(tied) == 1 and tied[0] == author
    return _filled("right.html", told=told) if right else told
