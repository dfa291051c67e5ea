"""A log scored again: verdicts read by another parser, or games by a scorer of one's own.

Texts, orders and replies are those of the log. What players were told after each round followed
from the verdicts as they were read then, and stays so: only what a reply is taken to say changes.

A parser (entry point group `mirrorenv.verdicts`) is called with a reply, the number of players and
the answer format, and gives (K, N) probabilities, slot by player, or None for what it cannot read.
A scorer (group `mirrorenv.scorers`) is called with the numbers of a game (:class:`GameSheet`) and
the game (:class:`Debate`), and gives numbers by figure and reader.

A name is looked up among the entry points of its group, or is `package.module:Name`. Nothing but
what is named is imported.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

import numpy as np
import numpy.typing as npt

from mirrorenv.debate.calls import Caller, NotRecorded
from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players import Reply
from mirrorenv.debate.playing import play_game
from mirrorenv.debate.rules import Debate, hits_of
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.scoring.scores import ReaderScore, ScoreTally
from mirrorenv.debate.scoring.sheets import GameSheet, sheet_of
from mirrorenv.debate.verdicts import Verdict, verdict_from_probabilities
from mirrorenv.debate.views import View
from mirrorenv.errors import ConfigError, MirrorError, unknown_name
from mirrorenv.mirror import Estimate, t_interval

__all__ = ["PARSERS", "SCORERS", "Rescored", "named_function", "reread_games", "rescored"]

PARSERS = "mirrorenv.verdicts"
SCORERS = "mirrorenv.scorers"
Parser = Callable[[str, int, str], npt.ArrayLike | None]
Scorer = Callable[[GameSheet, Debate], Mapping[str, Mapping[str, float]]]


@dataclass(frozen=True)
class Rescored:
    """What came of it.

    Attributes:
        games: finished ones.
        verdicts: that readers gave.
        changed: of them, those that are read otherwise, unreadable ones included.
        scores: the leaderboard, best first.
        figures: of the scorer, by figure and reader, games as clusters; empty without one.
    """

    games: int
    verdicts: int
    changed: int
    scores: list[ReaderScore]
    figures: dict[str, dict[str, Estimate]]


def named_function(name: str, group: str) -> Callable[..., Any]:
    """The function of a name; nothing else is imported.

    Args:
        name: of an entry point, or `package.module:Name`, as the user typed it.
        group: of entry points.

    Raises:
        UnknownNameError: if no entry point has this name.
        ConfigError: if it cannot be imported or called.
    """
    if ":" in name:
        module, _, attribute = name.partition(":")
        try:
            found: Any = getattr(import_module(module), attribute)
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"{name} cannot be imported: {error}") from error
    else:
        points = {point.name: point for point in entry_points(group=group)}
        if not points:
            raise ConfigError(
                f"{name}: no installed package has an entry point of the group {group}; name "
                "package.module:Name, or install the package"
            )
        if name not in points:
            raise unknown_name(f"entry point of {group}", name, points)
        found = points[name].load()
    if not callable(found):
        raise ConfigError(f"{name} is {type(found).__name__}, which cannot be called")
    made: Callable[..., Any] = found
    return made


def rescored(
    results: Results, parser: Parser | None = None, scorer: Scorer | None = None
) -> Rescored:
    """Score every finished game again; one is held at a time.

    Args:
        results: of a tournament.
        parser: reads the verdicts; None for how they were read.
        scorer: gives figures of its own; None for none.

    Raises:
        MirrorError: if the parser or the scorer returns what it should not.
    """
    tally = ScoreTally()
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    games = verdicts = changed = 0
    for debate, others in reread_games(results, parser):
        games += 1
        verdicts += sum(len(one.verdicts) for one in debate.rounds)
        changed += others
        sheet = sheet_of(results.tournament, debate)
        tally.add(sheet)
        for figure, readers in (scorer(sheet, debate) if scorer else {}).items():
            for reader, value in readers.items():
                values[figure, reader].append(_number(value, figure))
    figures: dict[str, dict[str, Estimate]] = defaultdict(dict)
    for (figure, reader), numbers in values.items():
        figures[figure][reader] = t_interval(numbers)
    return Rescored(games, verdicts, changed, tally.scores(), dict(figures))


def _number(value: object, figure: str) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError) as error:
        raise MirrorError(f"the scorer's {figure} is {value!r:.80}, not a number") from error
    if not np.isfinite(number):
        raise MirrorError(f"the scorer's {figure} is {number}, not a finite number")
    return number


def reread_games(results: Results, parser: Parser | None) -> Iterator[tuple[Debate, int]]:
    """Every finished game with its verdicts as a parser reads them, and how many that changes.

    Args:
        results: of a tournament.
        parser: None for how they were read.

    Raises:
        MirrorError: if the parser returns what is no verdict.
    """
    for game in results.log.games:
        if game < results.tournament.games:
            found = _replayed(results, game)
            if found is not None:
                debate, replies = found
                yield debate, 0 if parser is None else _reread(debate, replies, parser)


Replies = Mapping[tuple[str, int], tuple[View, Reply]]


def _replayed(results: Results, game: int) -> tuple[Debate, Replies] | None:
    """A game from the log, and what was replied to what; None if it is not finished."""
    replies: dict[tuple[str, int], tuple[View, Reply]] = {}
    caller = Caller(results.log, game, None)

    async def call(card: AgentCard, view: View) -> Reply:
        reply = await caller(card, view)
        replies[view.key, view.sample] = (view, reply)
        return reply

    try:
        return asyncio.run(play_game(results.tournament, game, call)), replies
    except NotRecorded:
        return None


def _reread(debate: Debate, replies: Replies, parser: Parser) -> int:
    """Put a parser's verdicts into a game; how many differ."""
    changed = 0
    count = debate.settings.num_players
    for number, one in enumerate(debate.rounds):
        start = f"g{debate.game:05d}/r{number:03d}"
        before = one.verdicts
        one.verdicts = _verdicts(f"{start}/recognise", before, replies, parser)
        one.hits = hits_of(one.verdicts, one.reveals, count)
        one.second_verdicts = _verdicts(f"{start}/reread", one.second_verdicts, replies, parser)
        pairs = zip(before, one.verdicts, strict=True)
        changed += sum(old.evidence != new.evidence for old, new in pairs)
    return changed


def _verdicts(start: str, before: list[Verdict], replies: Replies, parser: Parser) -> list[Verdict]:
    """The verdicts of one phase: of the first reply that the parser can read."""
    found = []
    players = sum((f"{start}/p{seat}", 0) in replies for seat in range(len(before)))
    for reader, old in enumerate(before):
        who = f"p{reader}" if reader < players else f"judge{reader - players}"
        new = Verdict(None, "no reply")
        for sample in (0, 1):
            if (f"{start}/{who}", sample) not in replies:
                continue
            view, reply = replies[f"{start}/{who}", sample]
            if reply.evidence is not None:  # it reads in numbers, which no parser sees
                new = old
                break
            new = replace(_parsed(parser, view, reply), tries=sample + 1)
            if new.valid:
                break
        found.append(new)
    return found


def _parsed(parser: Parser, view: View, reply: Reply) -> Verdict:
    count = view.settings.num_players
    said = parser(reply.text, count, view.settings.answer_format)
    if said is None:
        return Verdict(None, "the parser cannot read it")
    try:
        rows = np.asarray(said, np.float64)
    except (TypeError, ValueError) as error:
        raise MirrorError(f"{view.key}: the parser returned no table of numbers") from error
    if rows.shape != (count, count) or not np.isfinite(rows).all() or (rows < 0).any():
        raise MirrorError(
            f"{view.key}: the parser must return {count} x {count} probabilities, slot by player, "
            f"or None; it returned {said!r:.200}"
        )
    if not rows.sum(axis=1).all():
        raise MirrorError(f"{view.key}: the parser gives a text to no player: {said!r:.200}")
    return verdict_from_probabilities(rows)
