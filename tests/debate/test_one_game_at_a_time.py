"""Scores, ratings, pages and pairs are made without holding more than one game."""

from __future__ import annotations

import asyncio
import gc
import weakref

from mirrorenv.debate.calls import Budget
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.output.export import write_pairs
from mirrorenv.debate.output.scores_file import write_scores
from mirrorenv.debate.output.view import write_pages
from mirrorenv.debate.playing import play_tournament
from mirrorenv.debate.scoring import results as scoring_results
from mirrorenv.debate.scoring.results import open_results
from mirrorenv.debate.starter import write_starter
from mirrorenv.debate.tournament import load_tournament

GAMES = 4


def test_no_more_than_a_game_is_held_beside_the_next(tmp_path, monkeypatch):
    tournament = load_tournament(
        write_starter(tmp_path / "start", "default"), games=GAMES, overrides={"rounds": 1}
    )
    tournament.folder(tmp_path / "run")
    asyncio.run(play_tournament(tournament, CallLog(tmp_path / "run" / CALLS), Budget()))
    gc.collect()
    gc.freeze()  # what was there before cannot be a game, and need not be looked through each time
    alive, most, reading = weakref.WeakSet(), [], scoring_results.recorded_game

    def watched(*given):
        gc.collect()
        most.append(len(alive))  # held by whoever asks for the next game
        debate = reading(*given)
        alive.add(debate)
        return debate

    monkeypatch.setattr(scoring_results, "recorded_game", watched)
    results = open_results(tmp_path / "run")
    write_scores(results)
    results.items().rated(bootstrap=50)
    write_pages(results)
    write_pairs(results, tmp_path / "pairs.jsonl")
    assert len(most) == 3 * GAMES and max(most) <= 1
    gc.collect()
    gc.unfreeze()
    assert not alive
