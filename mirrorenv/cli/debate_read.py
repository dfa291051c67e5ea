"""What the log of a tournament holds: `mirrorenv debate score`, `rate`, `view` and so on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mirrorenv.cli._common import Instead, Json, Quiet, print_json, say, written_to
from mirrorenv.cli.debate_tables import print_scores
from mirrorenv.cli.tables import narrow_table
from mirrorenv.errors import MirrorError
from mirrorenv.plain_text import in_one_line
from mirrorenv.results.runs.limits import received
from mirrorenv.terminal import PlainConsole

__all__ = ["export", "inspect_log", "rate", "replay", "score", "view"]

Folder = Annotated[Path, typer.Argument(help="The run folder of a tournament.")]


@received
def score(run: Folder, quiet: Quiet = False, as_json: Json = False) -> None:
    """The leaderboard of the finished games, computed again from the log."""
    from mirrorenv.debate.output.scores_file import write_scores
    from mirrorenv.debate.scoring.results import open_results

    results = open_results(run)
    table = write_scores(results)
    if not quiet:
        print_scores(results)
    if as_json:
        print_json(table)
    if not table["readers"]:
        raise MirrorError(f"{run}: no game is finished yet; 'mirrorenv debate run' goes on")


@received
def rate(
    run: Folder,
    bootstrap: Annotated[int, typer.Option(min=50, help="Resamples of whole games.")] = 400,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Reader skill, author legibility and what each knows of itself: a crossed logistic model,
    bootstrapped by game."""
    from mirrorenv.debate.scoring.results import open_results

    results = open_results(run)
    if results.finished < 2:
        raise MirrorError(
            f"{run}: a rating needs at least 2 finished games, there are {results.finished}"
        )
    rating = results.items().rated(bootstrap=bootstrap, seed=results.tournament.seed)
    table = narrow_table(
        "group",
        "player",
        "reads",
        "is read",
        "knows itself",
        "shown",
        title=f"{rating.games} games, logits",
        caption="readers of one group could be equal; shown: a self-advantage at 5 % over all "
        "players together",
    )
    for row in rating.rows(digits=1):
        table.add_row(*row)
    if not quiet:
        PlainConsole().print(table)
    if as_json:
        print_json(rating.to_json())


@received
def view(run: Folder, quiet: Quiet = False, as_json: Json = False) -> None:
    """Write the pages again: one for the tournament, one for each game; they open without a
    network."""
    from mirrorenv.debate.output.view import write_pages
    from mirrorenv.debate.scoring.results import open_results

    page = write_pages(open_results(run))
    say(f"page      {in_one_line(page)}")
    if as_json:
        print_json({"page": str(page)})


@received
def replay(
    run: Folder,
    game: Annotated[int, typer.Option(min=0, help="Number of the game, from 0.")] = 0,
    as_json: Json = False,
) -> None:
    """Print the transcript of a game from the log: no call is made, and the bytes are the same
    every time."""
    from mirrorenv.debate.scoring.results import open_results

    transcript = open_results(run).game(game).transcript()
    if as_json:
        print_json(transcript)
    else:
        print(json.dumps(transcript, indent=1))


@received
def export(
    run: Folder,
    instead: Instead = None,
    out: Annotated[
        Path | None, typer.Option(help="A .jsonl file to write (default: RUN/pairs.jsonl).")
    ] = None,
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of topics kept for testing.")
    ] = 0.25,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write own-against-peer pairs for preference tuning: prompt, chosen (own text), rejected (a
    peer's)."""
    from mirrorenv.debate.output.export import write_pairs
    from mirrorenv.debate.scoring.results import open_results

    to = written_to(out, instead, run / "pairs.jsonl")
    counts = write_pairs(open_results(run), to, held_out)
    held = f"{counts['train']} pairs to train on, {counts['test']} of held-out topics"
    say(f"wrote     {in_one_line(to)}: {held}")
    if as_json:
        print_json({"file": str(to), **counts})


@received
def inspect_log(
    run: Folder,
    out: Annotated[
        Path | None, typer.Option(help="A .eval or .json file (default: RUN/inspect.eval).")
    ] = None,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Write the finished games as a log of Inspect, for its viewer: a sample a game, an event a
    call."""
    from mirrorenv.debate.scoring.results import open_results
    from mirrorenv.errors import ConfigError, require

    require("inspect_ai", "inspect")
    from mirrorenv.debate.inspect_log import write_inspect_log

    to = out or run / "inspect.eval"
    if to.suffix not in (".eval", ".json"):
        raise ConfigError(f"--out {in_one_line(to)}: its name must end in .eval or .json")
    samples = write_inspect_log(open_results(run), to)
    say(
        f"wrote     {in_one_line(to)}: {samples} games; see it with: inspect view {in_one_line(to)}"
    )
    if as_json:
        print_json({"file": str(to), "samples": samples})
