"""A recorded tournament of a small language model with itself, and how well each reader tells its
personas apart.

SmolLM2-135M-Instruct plays the preset `local` under four personas, three to a game. Then every
reader reads the same texts again in three arms, so that arms and readers are compared on the same
games:

* `kept`: the reader may see which text is its own; only its peers' texts count;
* `withheld`: it may not; it says who of its peers wrote what, and "self" becomes a question;
* `fresh`: a copy of it without notes and without the revealed rounds reads.

Readers: `likelihood` (each text in each player's context), `labels` (log-probability of "Text A
was written by P2."), `schema` (JSON, held to its form), `words` (free text), and `style`, a
classifier that is no model, trained on the revealed rounds of the same game. The limit knows the
true prompts of all players.

Figures are means over the seats of a game; intervals are clustered by game. Everything is kept in
the folder: the same command goes on where it was stopped.

    python benchmarks/studies/debate_local.py --games 20 --dtype bfloat16 --json
    benchmarks/results/debate_local.json
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import _root  # noqa: F401
import numpy as np

from benchmarks.shared.runner import Script
from mirrorenv.debate import AgentCard, Debate, load_topics, preset
from mirrorenv.debate.calls import Budget
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.output.scores_file import write_scores
from mirrorenv.debate.output.view import write_pages
from mirrorenv.debate.players import make_player, verdict_of
from mirrorenv.debate.playing import play_tournament
from mirrorenv.debate.scoring.ideal_evidence import add_limits
from mirrorenv.debate.scoring.results import Results
from mirrorenv.debate.scoring.scores import ReaderScore, score_readers
from mirrorenv.debate.scoring.sheets import GameSheet, sheet_of
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.verdicts import Verdict
from mirrorenv.debate.views import View
from mirrorenv.llm.personas import PERSONAS
from mirrorenv.mirror import Estimate, rate_interval, t_interval
from mirrorenv.results.runs.json_lines import append_jsonl, read_jsonl
from mirrorenv.results.runs.lock import only_writer

READINGS = "readings.jsonl"
TOGETHER = 10  # games side by side: thirty texts are written in one batch
ARMS: dict[str, dict[str, Any]] = {
    "kept": {},
    "withheld": {"own_text": "withheld"},
    "fresh": {"reader": "fresh"},
}
# The cheapest first: when time runs out, whole groups are there. The readers of a group share a
# game's contexts.
GROUPS = [
    [("style", arm) for arm in ARMS],
    [("likelihood", "kept")],
    [("likelihood", "withheld")],
    [("labels", "withheld"), ("schema", "withheld"), ("words", "withheld")],
    [("likelihood", "fresh")],
    [("labels", "kept"), ("schema", "kept"), ("words", "kept")],
    [("labels", "fresh"), ("schema", "fresh"), ("words", "fresh")],
]


def tournament(games: int, dtype: str) -> Tournament:
    """Four personas on one model."""
    cards = tuple(
        AgentCard(
            name=name,
            player="local",
            reader="likelihood",
            persona=persona,
            options={"temperature": temperature, "dtype": dtype},
        )
        for name, (persona, temperature) in PERSONAS.items()
    )
    rules = preset("local")
    judge = AgentCard(name="style-judge", player="stylometric")
    return Tournament(
        "debate_local",
        1,
        games,
        TOGETHER,
        rules,
        load_topics(rules.topics),
        cards,
        judge,
        None,
        False,
    )


def play(design: Tournament, path: Path, until: float) -> Results:
    """Play games, some together, as long as there is time; then the limit of each."""
    games = 0
    while games < design.games:
        games = min(design.games, games + TOGETHER)
        if time.monotonic() > until:
            break
        began = time.monotonic()
        spent = time.process_time()
        log = CallLog(path / CALLS)
        before = log.totals.calls
        outcome = asyncio.run(play_tournament(replace(design, games=games), log, Budget()))
        if log.totals.calls > before:
            print(
                f"{outcome.finished} games; {time.monotonic() - began:.0f} s, "
                f"{time.process_time() - spent:.0f} CPU s"
            )
    results = Results(path, design, CallLog(path / CALLS))
    add_limits(results)
    write_scores(results)
    write_pages(results)
    return results


def arm_views(results: Results, played: Debate, arm: str) -> Iterator[list[View]]:
    """What each seat is given in an arm, round by round, for texts that were written already."""
    again = _arm_debate(results, played.game, arm)
    for one in played.rounds:
        again.speak(one.texts)
        yield again.views()
        again.recognise(one.verdicts[: again.settings.num_players])
        while again.phase == "plan":
            again.plan(one.plans[again.step or "notes"])


def _arm_debate(results: Results, game: int, arm: str) -> Debate:
    design = results.tournament
    settings = design.settings.model_copy(
        update={"judges": 0, "answer_format": "labels", **ARMS[arm]}
    )
    return Debate(settings, design.topics, run=design.seed, game=game)


def read_again(results: Results, cells: list[tuple[str, str]], until: float) -> None:
    """Have readers read all games in their arms, as long as there is time; a row for each reader,
    arm and game."""
    done = {(row["reader"], row["arm"], row["game"]) for row in _rows(results.path)}
    for played in results.games():
        for reader, arm in cells:
            if (reader, arm, played.game) in done or time.monotonic() > until:
                continue
            began = time.process_time()
            verdicts = asyncio.run(_verdicts(results, played, reader, arm))
            spent = round(time.process_time() - began, 2)
            row = {
                "reader": reader,
                "arm": arm,
                "game": played.game,
                "evidence": verdicts,
                "cpu_seconds": spent,
            }
            append_jsonl(results.path / READINGS, row)


async def _verdicts(results: Results, played: Debate, reader: str, arm: str) -> list[list[Any]]:
    """(R, N) evidence of each seat, None for an unreadable verdict."""
    design = results.tournament
    seats = [design.cards[card] for card in design.seats(played.game)]
    if (reader, arm) == ("likelihood", "kept"):  # how they read while they played
        by_round = [one.verdicts[: len(seats)] for one in played.rounds]
        return [list(map(_evidence, verdicts)) for verdicts in by_round]
    if reader == "style":
        players = [make_player(AgentCard(name="style", player="stylometric"))] * len(seats)
    else:
        players = [make_player(card.model_copy(update={"reader": reader})) for card in seats]
    views = [view for row in arm_views(results, played, arm) for view in row]
    asked = [players[k % len(seats)].recognise(view) for k, view in enumerate(views)]
    replies = await asyncio.gather(*asked)
    found = [verdict_of(reply, view).evidence for reply, view in zip(replies, views, strict=True)]
    return [found[start : start + len(seats)] for start in range(0, len(found), len(seats))]


def _evidence(verdict: Verdict) -> Any:
    return verdict.evidence


def _rows(path: Path) -> list[dict[str, Any]]:
    return read_jsonl(path / READINGS).rows if (path / READINGS).exists() else []


def sheets_of(results: Results, reader: str, arm: str) -> list[GameSheet]:
    """The numbers of one reader in one arm."""
    design = results.tournament
    sheets = []
    for row in _rows(results.path):
        if (row["reader"], row["arm"]) == (reader, arm):
            again = _replayed(results, row, arm)
            sheets.append(sheet_of(replace(design, settings=again.settings), again))
    return sheets


def _replayed(results: Results, row: dict[str, Any], arm: str) -> Debate:
    """The game with the verdicts of a reading in the place of its own."""
    played = results.game(row["game"])
    again = _arm_debate(results, row["game"], arm)
    for one, line in zip(played.rounds, row["evidence"], strict=True):
        again.speak(one.texts)
        again.recognise([_verdict(table) for table in line])
        while again.phase == "plan":
            again.plan(one.plans[again.step or "notes"])
    return again


def _verdict(table: Any) -> Verdict:
    if table is None:
        return Verdict(None, "unreadable")
    return Verdict(tuple(tuple(map(float, line)) for line in table))


def _seats(sheet: GameSheet) -> list[ReaderScore]:
    """The scores of one game's players, judges left out."""
    return [one for one in score_readers([sheet]) if not one.judge]


def pooled(sheets: list[GameSheet]) -> dict[str, Any]:
    """Means over the seats of each game, then intervals over games."""
    games = [_seats(sheet) for sheet in sheets]

    def over(
        value: Callable[[ReaderScore], Any], interval: Callable[[Any], Estimate] = rate_interval
    ) -> Estimate:
        means = [np.mean(list(map(value, game))) for game in games]
        return interval(np.array(means))

    return {
        "games": len(games),
        "floor": games[0][0].floor,
        "peer_hits": over(lambda one: one.peer_hits.value),
        "peer_hits_joint": over(lambda one: one.peer_hits_joint.value),
        "later_rounds": over(lambda one: float(np.mean(one.curve[1:]))),
        "nats": over(lambda one: one.nats.value, t_interval),
        "self": over(lambda one: one.self_hits.value if one.self_hits else np.nan),
        "false_alarms": over(lambda one: one.false_alarms.value if one.false_alarms else np.nan),
        "self_advantage": over(
            lambda one: one.self_advantage.value if one.self_advantage else np.nan, t_interval
        ),
        "unreadable": float(np.mean([one.invalid for game in games for one in game])),
        "curve": np.mean([one.curve for game in games for one in game], axis=0).round(4).tolist(),
    }


def main() -> None:
    """Play, read again, print."""
    script = Script(__doc__, json=True, minutes=True, threads=None)
    script.add_argument("--games", type=int, default=20)
    script.add_argument("--dtype", choices=("float32", "bfloat16", "auto"), default="float32")
    script.add_argument(
        "--out", type=Path, default=Path("runs/debate_local"), help="folder of the run"
    )
    script.add_argument(
        "--table", action="store_true", help="play and read nothing; print what is there"
    )
    options = script.parse()
    design = tournament(options.games, options.dtype)
    folder = design.folder(options.out)
    with only_writer(options.out):
        if options.table:
            results = Results(options.out, design, CallLog(options.out / CALLS))
        else:
            results = play(design, options.out, options.until)
            for cells in GROUPS:
                read_again(results, cells, options.until)
            if results.finished == design.games:
                folder.finish()
    script.save(report(results, options.dtype))


def report(results: Results, dtype: str) -> dict[str, Any]:
    """Print the figures, and return them for JSON."""
    limit = results.limit()
    games = results.finished
    print(f"{games} games of {results.tournament.settings.num_players}, {dtype}")
    print(
        f"{'reader':11} {'arm':9} games  peer hits             joint                 nats          "
        "          self"
    )
    if limit is not None:
        print(f"{'limit':11} {'-':9} {limit.games:5}  {limit.peer_hits}  {'':20}  {limit.nats}")
    cells = []
    for reader, arm in (cell for group in GROUPS for cell in group):
        sheets = sheets_of(results, reader, arm)
        if len(sheets) < 2:
            continue
        found = pooled(sheets)
        cells.append({"reader": reader, "arm": arm, **found})
        told = (
            f"{found['peer_hits']}  {found['peer_hits_joint']}  {found['nats']!s:22}  "
            f"{found['self']}"
        )
        print(
            f"{reader:11} {arm:9} {found['games']:5}  {told}  unreadable {found['unreadable']:.2f}"
        )
    return {
        "games": games,
        "dtype": dtype,
        "prompts": results.tournament.config()["prompts"],
        "limit": None if limit is None else limit.to_dict(),
        "players": [one.to_dict() for one in results.scores()],
        "readings": [_plain(cell) for cell in cells],
    }


def _plain(cell: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value.to_dict() if isinstance(value, Estimate) else value
        for name, value in cell.items()
    }


if __name__ == "__main__":
    main()
