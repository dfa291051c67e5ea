"""Pages to look at: one for the tournament, one for each game. Self-contained, no script, nothing
fetched.

What players wrote is hostile until shown otherwise: it passes through
:func:`mirrorenv.results.report.page.escape`, which also makes direction marks and control
characters visible.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mirrorenv.debate.audit import audit_game
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
from mirrorenv.results.report.page import details, document, escape, paragraph, section, table
from mirrorenv.results.report.words import DASH
from mirrorenv.results.runs.files import atomic_write_text

__all__ = ["game_page", "tournament_page", "write_pages"]

_RESAMPLES = 200
_LONGEST = 20_000  # characters of one text on a page
_STYLE = """
blockquote {
  margin: 0.3em 0; padding-left: 0.8em; border-left: 3px solid rgba(128, 128, 128, 0.4);
}
.scroll + .note { margin-top: 1.5em; }
.right { background: rgba(70, 130, 220, 0.35); padding: 0 0.4em; }
"""
_WRAP = "white-space: pre-wrap; overflow-wrap: anywhere"


def write_pages(results: Results) -> Path:
    """Write `index.html` and `games/game-NNNNN.html` into the run folder; one game is held at a
    time.

    Returns:
        path of the tournament's page.
    """
    folder = results.path / "games"
    folder.mkdir(exist_ok=True)
    links = []
    for debate in results.games():
        name = f"game-{debate.game:05d}.html"
        atomic_write_text(folder / name, game_page(results.tournament, debate))
        links.append((debate.game, f"games/{name}"))
    return atomic_write_text(results.path / "index.html", tournament_page(results, links))


def tournament_page(results: Results, links: list[tuple[int, str]]) -> str:
    """The tournament's page, HTML.

    Args:
        results: of the tournament.
        links: number and address of each game's page.
    """
    tournament = results.tournament
    scores = results.scores()
    settings = tournament.settings
    body = [opening(results, len(links))]
    if scores:
        limit = results.limit()
        body += [_leaderboard(scores, limit), _ratings(results), _matrix(results)]
        body += [
            _curves(scores, limit, settings.feedback),
            _habits(scores),
            _conduct(results, scores),
        ]
    body.append(_answers(results))
    games = "".join(
        f'<li><a href="{escape(href)}">game {number}</a></li>' for number, href in links
    )
    body.append(
        section("Games", f"<ul>{games}</ul>" if games else paragraph("No game is finished yet."))
    )
    rules = settings.model_dump(mode="json")
    rows = [[escape(name), escape(value)] for name, value in rules.items()]
    body.append(
        section(
            "Rules",
            details("All settings", table(["setting", "value"], rows, "Settings of the game")),
        )
    )
    return document(f"Debate: {tournament.name}", "".join(body), style=_STYLE)


def _leaderboard(scores: list[ReaderScore], limit: LimitScore | None) -> str:
    rows = [
        [escape(who), group, *_cells(LEADERBOARD, values)]
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
    return section("Who recognises", table(columns, rows, caption), lead)


def _ratings(results: Results) -> str:
    if results.finished < 2:
        return ""
    rating = results.items().rated(bootstrap=_RESAMPLES, seed=results.tournament.seed)
    rows = [[escape(name), group, *cells] for group, name, *cells in rating.rows()]
    lead = (
        "Logits above the guessing floor, from a crossed model of readers and authors: how well a "
        "player reads, how "
        "easily it is read, and what it gains on its own text. Readers of one group could be "
        "equal. Who still has its "
        "own text at hand knows itself by comparing strings; it has to read itself where that is "
        "withheld."
    )
    columns = ["player", "group", "reads", "is read", "knows itself", "shown at 5 %"]
    return section(
        "Ratings",
        table(columns, rows, f"95 % intervals in brackets, {_RESAMPLES} resamples of games"),
        lead,
    )


def _matrix(results: Results) -> str:
    items = results.items()
    right, asked = items.totals()  # (P, P) each
    wrote = [items.readers.index(author) for author in items.authors]
    rows = []
    for name, hits, times in zip(items.readers, right[:, wrote], asked[:, wrote], strict=True):
        cells = (
            _shade(hit / count) if count else "" for hit, count in zip(hits, times, strict=True)
        )
        rows.append([escape(name), *cells])
    lead = (
        "Row: who reads. Column: who wrote. Share of texts given to their author; the own item in "
        "its own column."
    )
    return section(
        "Reader by author",
        table(["reader", *items.authors], rows, "Share of texts named rightly"),
        lead,
    )


def _shade(share: float) -> str:
    return (
        f'<span style="background: rgba(70, 130, 220, {0.6 * share:.2f}); padding: 0 '
        f'0.4em">{share:.2f}</span>'
    )


def _curves(scores: list[ReaderScore], limit: LimitScore | None, feedback: str) -> str:
    rounds = max(len(one.curve) for one in scores)
    rows = [[escape(one.name), *map(_shade, one.curve)] for one in scores]
    if limit is not None:
        rows.insert(0, [escape(LIMIT_READER), *map(_shade, limit.curve)])
    columns = ["reader", *(f"round {number}" for number in range(1, rounds + 1))]
    nats = [[escape(one.name), *map("{:+.2f}".format, one.nats_curve)] for one in scores]
    told = {
        "full": "Authors are revealed after each round.",
        "own": "After each round a player is told its own hits.",
        "none": "Nothing is revealed.",
    }[feedback]
    tables = table(columns, rows, "Peer hits by round") + table(
        columns, nats, "Evidence by round: nats on peers' texts"
    )
    return section("Learning", tables, told)


def _cells(names: Sequence[str], values: Sequence[Value]) -> list[str]:
    return [_cell(FIGURES[name], value) for name, value in zip(names, values, strict=True)]


def _cell(figure: ReaderFigure, value: Value) -> str:
    """A figure with its interval below, so that a row fits the width."""
    if value is None:
        return DASH
    if not isinstance(value, Estimate):
        return escape(figure.text(value))
    around = value.interval_text(SEVERAL_GAMES).strip()
    small = f"<small>{escape(around)}</small>" if around else ""
    return escape(SEVERAL_GAMES.number(value.value)) + small


def _figures(score: ReaderScore, names: Sequence[str]) -> list[str]:
    """A row of a table: a reader and some of its figures."""
    return [escape(score.name), *_cells(names, [value_of(score, name) for name in names])]


def _habits(scores: list[ReaderScore]) -> str:
    rows = [_figures(one, HABITS) for one in scores]
    lead = (
        "Habits that are no recognition: a favoured place in the lineup, a favoured name, the "
        "other convention."
    )
    return section("Habits", table(["reader", *heads(HABITS)], rows, "All shares"), lead)


def _conduct(results: Results, scores: list[ReaderScore]) -> str:
    conduct = results.conduct()
    shown = ("peer_hits", "peer_hits_clean")
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
    columns = ["reader", *heads(shown)]
    return section("Leaks and orders", table(columns, rows, "Texts of others named rightly"), lead)


def _answers(results: Results) -> str:
    """How each model's answers ended; "" where no model played."""
    cards = results.log.totals.cards
    if not cards:
        return ""
    met = set().union(*(card.stops for card in cards.values()))
    ends = [stop for stop in STOPS if stop in met]
    rows = []
    for name, card in sorted(cards.items()):
        counts = [str(card.stops.get(stop, 0)) for stop in ends]
        served = escape(", ".join(card.served))
        rows.append([escape(name), str(card.calls), *counts, str(card.failures), served])
    told = "; ".join(f"{stop}: {STOPS[stop]}" for stop in ends)
    lead = (
        f"Why answers ended. {told}. A player without words is shown as (no answer): such texts "
        "tell nothing about who can be recognised."
    )
    columns = ["card", "calls", *ends, "no answer at all", "served by"]
    failed = [
        [escape(name), escape(card.error, 1000)]
        for name, card in sorted(cards.items())
        if card.error
    ]
    last = table(["card", "what went wrong last"], failed, "Failed tries") if failed else ""
    return section("Answers", table(columns, rows, "Finished calls") + last, lead)


def game_page(tournament: Tournament, debate: Debate) -> str:
    """One game's page, HTML."""
    count = tournament.settings.num_players
    seats = [tournament.cards[card].name for card in tournament.seats(debate.game)]
    judges = [tournament.judge.name] * tournament.settings.judges
    who = [f"{player} {seat}" for player, seat in zip(names(count), seats, strict=True)] + judges
    body = [
        f"<h1>Game {debate.game}</h1>",
        '<p><a href="../index.html">The tournament</a></p>',
        paragraph(
            "Seats: "
            + ", ".join(who[:count])
            + (f". Read by {', '.join(judges)}." if judges else ".")
        ),
    ]
    body += [
        section(f"Round {number}", _round(one, found, who, count), one.topic)
        for number, (one, found) in enumerate(
            zip(debate.rounds, audit_game(debate), strict=True), 1
        )
    ]
    return document(f"{tournament.name}: game {debate.game}", "".join(body), style=_STYLE)


def _round(one: Round, audit: list[tuple[str, ...]], who: list[str], count: int) -> str:
    parts = []
    for author, (text, shown) in enumerate(zip(one.texts, one.shown, strict=True)):
        also = (
            ""
            if shown == text
            else f'<p class="note">shown as</p><blockquote>{_text(shown)}</blockquote>'
        )
        marked = (
            f'<p class="note">audit: {escape(", ".join(audit[author]))}</p>'
            if audit[author]
            else ""
        )
        parts.append(
            f"<h3>{escape(who[author])}</h3><blockquote>{_text(text)}</blockquote>{also}{marked}"
        )
    rows = []
    for reader, (verdict, reveal) in enumerate(zip(one.verdicts, one.reveals, strict=True)):
        if verdict.evidence is None:
            rows.append(
                [escape(who[reader]), *[""] * count, escape(f"unreadable: {verdict.problem}")]
            )
            continue
        belief = Belief(verdict.array(count)).independent()
        slots = np.argsort(reveal.permutation)
        cells = [
            _named(belief[slot], author, labels(count)[slot]) for author, slot in enumerate(slots)
        ]
        rows.append([escape(who[reader]), *cells, f"{one.hits[reader]:g} of {count}"])
    columns = ["reader", *(f"text of {name}" for name in names(count)), "right"]
    parts.append(
        table(
            columns,
            rows,
            "Verdicts: who was named, how sure, and under which letter the reader saw the text",
        )
    )
    for step, texts in one.plans.items():
        told = "".join(
            f"<h3>{escape(who[player])}</h3><blockquote>{_text(text)}</blockquote>"
            for player, text in enumerate(texts)
        )
        parts.append(details(f"What they wrote afterwards: {step.replace('_', ' ')}", told))
    return "".join(parts)


def _named(belief: Floats64, author: int, label: str) -> str:
    """A cell: the named player, shaded where it is the author."""
    most = float(belief.max())
    tied = np.flatnonzero(belief >= most - 1e-9)
    said = names(len(belief))[tied[0]] if len(tied) == 1 else f"tie of {len(tied)}"
    told = f"{said} {most:.2f} ({label})"
    return f'<span class="right">{told}</span>' if len(tied) == 1 and tied[0] == author else told


def _text(text: str) -> str:
    return f'<span style="{_WRAP}">{escape(text or "(no answer)", _LONGEST)}</span>'
