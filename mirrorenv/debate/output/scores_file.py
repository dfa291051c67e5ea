"""`scores.json`: the leaderboard of a tournament as data."""

from __future__ import annotations

from typing import Any

from mirrorenv.debate.output.answers import answers_of
from mirrorenv.debate.scoring.results import Results, tied_groups
from mirrorenv.results.runs.files import atomic_write_json

__all__ = ["SCORES", "scores_table", "write_scores"]

SCORES = "scores.json"


def write_scores(results: Results) -> dict[str, Any]:
    """Compute the leaderboard and write `scores.json` into the run folder.

    The file has the same bytes for the same games, however they came about.

    Args:
        results: of the tournament.

    Returns:
        what was written: the tournament's name and seed, `readers` (best first, each with its
        group and figures), and `conduct` and `limit` where they are known.

    Raises:
        RunFolderError: if the file cannot be written.
    """
    table = scores_table(results)
    atomic_write_json(results.path / SCORES, table)
    return table


def scores_table(results: Results) -> dict[str, Any]:
    """The leaderboard as data, as :func:`write_scores` writes it.

    Args:
        results: of the tournament.
    """
    scores = results.scores()
    table: dict[str, Any] = {
        "tournament": results.tournament.name,
        "seed": results.tournament.seed,
        "games": results.finished,
        "of": results.tournament.games,
        "prompts": results.tournament.config()["prompts"],
        "readers": [
            {"group": group, **score.to_dict()}
            for group, score in zip(tied_groups(scores), scores, strict=True)
        ],
    }
    if scores:
        table["conduct"] = results.conduct().to_dict()
    limit = results.limit()
    if limit is not None:
        table["limit"] = limit.to_dict()
    answers = answers_of(results.log.totals)
    if answers:
        table["answers"] = answers
    return table
