"""`mirrorenv debate rescore`: a log read by another parser, or scored by one's own scorer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mirrorenv.cli._common import Json, Quiet, name_all, print_json, say
from mirrorenv.cli.debate_read import Folder
from mirrorenv.cli.tables import narrow_table
from mirrorenv.errors import ConfigError, MirrorError
from mirrorenv.plain_text import in_one_line
from mirrorenv.results.runs.limits import received
from mirrorenv.terminal import PlainConsole

if TYPE_CHECKING:
    from mirrorenv.debate.scoring.rescoring import Rescored
    from mirrorenv.debate.scoring.scores import ReaderScore

__all__ = ["rescore"]


@received
def rescore(
    run: Folder,
    parser: Annotated[
        str | None,
        typer.Option(help="Reads verdicts: an entry point of mirrorenv.verdicts, or pkg.mod:Name."),
    ] = None,
    scorer: Annotated[
        str | None,
        typer.Option(help="Scores games: an entry point of mirrorenv.scorers, or pkg.mod:Name."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A .json file to write.")] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Score a finished log again by a parser or a scorer of your own. Only what you name is
    loaded; nothing is asked, and the run folder stays as it is."""
    from mirrorenv.debate.scoring.rescoring import PARSERS, SCORERS, named_function, rescored
    from mirrorenv.debate.scoring.results import open_results
    from mirrorenv.results.runs.files import atomic_write_json

    if parser is None and scorer is None:
        raise ConfigError("name a --parser, a --scorer, or both")
    name_all(parser, scorer)
    results = open_results(run)
    found = rescored(
        results,
        None if parser is None else named_function(parser, PARSERS),
        None if scorer is None else named_function(scorer, SCORERS),
    )
    if not found.games:
        raise MirrorError(f"{run}: no game is finished yet; 'mirrorenv debate run' goes on")
    before = results.scores()
    table = _table(found, before, parser, scorer)
    if not quiet:
        _print(found, before)
    if out is not None:
        atomic_write_json(out, table)
        say(f"wrote     {in_one_line(out)}")
    if as_json:
        print_json(table)


def _table(
    found: Rescored, before: list[ReaderScore], parser: str | None, scorer: str | None
) -> dict[str, Any]:
    figures: dict[str, dict[str, Any]] = {}
    for figure, readers in found.figures.items():
        figures[figure] = {reader: one.to_dict() for reader, one in readers.items()}
    return {
        "parser": parser,
        "scorer": scorer,
        "games": found.games,
        "verdicts": found.verdicts,
        "changed": found.changed,
        "readers": [one.to_dict() for one in found.scores],
        "as_it_was": [one.to_dict() for one in before],
        "figures": figures,
    }


def _print(found: Rescored, before: list[ReaderScore]) -> None:
    old = {one.name: one for one in before}
    shown = narrow_table(
        "peer hits",
        "as it was",
        "unreadable",
        "as it was",
        *found.figures,
        first="reader",
        title=f"{found.changed} of {found.verdicts} verdicts are read otherwise",
    )
    for one in found.scores:
        was = old[one.name]
        own = [readers.get(one.name) for readers in found.figures.values()]
        shown.add_row(
            one.name,
            f"{one.peer_hits.value:.3f}",
            f"{was.peer_hits.value:.3f}",
            f"{one.invalid:.1%}",
            f"{was.invalid:.1%}",
            *("-" if value is None else str(value) for value in own),
        )
    PlainConsole().print(shown)
