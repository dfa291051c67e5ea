"""A tournament survives anything: kills, torn logs, full disks, budgets, two writers; and repeats
no finished call."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from mirrorenv.debate.calls import Budget
from mirrorenv.debate.log import CALLS, CallLog
from mirrorenv.debate.output.scores_file import SCORES, write_scores
from mirrorenv.debate.planning import half_width, plan_of
from mirrorenv.debate.players import CallFailed
from mirrorenv.debate.playing import play_tournament
from mirrorenv.debate.scoring.results import Results, open_results
from mirrorenv.debate.settings import preset
from mirrorenv.debate.starter import write_starter
from mirrorenv.debate.tournament import load_tournament
from mirrorenv.errors import ConfigError, RunFolderError
from mirrorenv.results.runs.json_lines import read_jsonl
from mirrorenv.results.runs.lock import only_writer
from tests.faults.debate_kills import calls_made, prove_resume

SMALL = {"rounds": 3, "judges": 1}


@pytest.fixture
def file(tmp_path):
    return write_starter(tmp_path / "start", "default")


def play(file, path, *, games=3, budget=None, players=None, **settings):
    tournament = load_tournament(file, games=games, overrides={**SMALL, **settings})
    tournament.folder(path)
    log = CallLog(path / CALLS)
    outcome = asyncio.run(play_tournament(tournament, log, budget or Budget(), players=players))
    results = Results(path, tournament, CallLog(path / CALLS))
    write_scores(results)
    return outcome, results


keys = calls_made


def test_every_call_of_the_design_is_made_once(file, tmp_path):
    outcome, _ = play(file, tmp_path / "run")
    made = keys(tmp_path / "run")
    assert (
        outcome.finished == 3
        and sum(made.values()) == 3 * 3 * (4 + 5 + 4)
        and set(made.values()) == {1}
    )


def test_a_second_run_makes_no_call_and_changes_no_byte(file, tmp_path):
    play(file, tmp_path / "run")
    before = {name: (tmp_path / "run" / name).read_bytes() for name in (CALLS, SCORES)}
    outcome, _ = play(file, tmp_path / "run")
    assert outcome.finished == 3
    assert before == {name: (tmp_path / "run" / name).read_bytes() for name in (CALLS, SCORES)}


def test_a_longer_tournament_goes_on_where_the_shorter_one_ended(file, tmp_path):
    play(file, tmp_path / "run", games=2)
    play(file, tmp_path / "run", games=4)
    play(file, tmp_path / "other", games=4)
    assert set(keys(tmp_path / "run").values()) == {1} and keys(tmp_path / "run") == keys(
        tmp_path / "other"
    )
    assert (tmp_path / "run" / SCORES).read_bytes() == (tmp_path / "other" / SCORES).read_bytes()


def test_any_number_of_games_at_once_gives_the_same_table(file, tmp_path):
    play(file, tmp_path / "four")
    file.write_text(file.read_text().replace("games = 20", "games = 20\ngames_at_once = 1"))
    play(file, tmp_path / "one")
    assert (tmp_path / "one" / SCORES).read_bytes() == (tmp_path / "four" / SCORES).read_bytes()


@pytest.mark.parametrize("limit", [0, 1, 17, 60])
def test_a_budget_of_calls_is_never_passed_and_the_run_goes_on_later(file, tmp_path, limit):
    outcome, _ = play(file, tmp_path / "run", budget=Budget(max_calls=limit))
    assert outcome.totals.calls == limit and f"--max-calls {limit}" in outcome.stopped
    play(file, tmp_path / "run")
    play(file, tmp_path / "whole")
    assert (tmp_path / "run" / SCORES).read_bytes() == (tmp_path / "whole" / SCORES).read_bytes()
    assert set(keys(tmp_path / "run").values()) == {1}


def test_a_torn_last_line_costs_one_call(file, tmp_path):
    play(file, tmp_path / "run")
    whole = (tmp_path / "run" / CALLS).read_bytes()
    table = (tmp_path / "run" / SCORES).read_bytes()
    (tmp_path / "run" / CALLS).write_bytes(whole[:-40])
    assert CallLog(tmp_path / "run" / CALLS).torn_bytes > 0
    outcome, _ = play(file, tmp_path / "run")
    assert (
        outcome.totals.calls == len(keys(tmp_path / "run"))
        and (tmp_path / "run" / SCORES).read_bytes() == table
    )


def test_a_damaged_line_is_named(file, tmp_path):
    play(file, tmp_path / "run")
    lines = (tmp_path / "run" / CALLS).read_bytes().splitlines(keepends=True)
    lines[4] = b"\x00garbage\n"
    (tmp_path / "run" / CALLS).write_bytes(b"".join(lines))
    with pytest.raises(RunFolderError, match="line 5: damaged"):
        open_results(tmp_path / "run")


def test_a_call_that_is_in_the_log_twice_is_refused(file, tmp_path):
    play(file, tmp_path / "run")
    log = tmp_path / "run" / CALLS
    log.write_bytes(log.read_bytes() + log.read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(RunFolderError, match="twice"):
        list(open_results(tmp_path / "run").sheets())


def test_a_reply_that_was_changed_is_noticed_by_what_it_was_shown_to(file, tmp_path):
    play(file, tmp_path / "run")
    log = tmp_path / "run" / CALLS
    rows = [json.loads(line) for line in log.read_text().splitlines()]
    spoken = next(row for row in rows if "/speak/" in row["key"])
    spoken["reply"]["text"] = "somebody wrote over this"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(RunFolderError, match="other rules"):
        list(open_results(tmp_path / "run").sheets())


def test_another_tournament_is_refused_in_the_same_folder(file, tmp_path):
    play(file, tmp_path / "run")
    with pytest.raises(RunFolderError, match="rounds"):
        play(file, tmp_path / "run", rounds=4)


def test_a_run_that_was_killed_while_its_folder_was_made_starts_anew(file, tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "config.json").write_text("{")
    (path / ".run.json.0a1b.tmp").write_text("{")
    outcome, _ = play(file, path)
    assert outcome.finished == 3
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "novel.txt").write_text("keep me")
    with pytest.raises(RunFolderError, match="not a run folder"):
        play(file, tmp_path / "mine")
    assert (tmp_path / "mine" / "novel.txt").exists()


def test_two_writers_cannot_share_a_folder(tmp_path):
    with (
        only_writer(tmp_path),
        pytest.raises(RunFolderError, match=r"written by process \d+ on "),
        only_writer(tmp_path),
    ):
        pass


def test_a_full_disk_stops_the_run_with_nothing_lost(file, tmp_path, monkeypatch):
    import mirrorenv.debate.log as module

    real, written = module.append_jsonl_rows, 0

    def full(path, rows):
        nonlocal written
        if written >= 5:
            raise RunFolderError(
                f"cannot append to {path}: No space left on device; free some space and run again"
            )
        written += 1
        real(path, rows)

    monkeypatch.setattr(module, "append_jsonl_rows", full)
    with pytest.raises(RunFolderError, match="No space left"):
        play(file, tmp_path / "run")
    monkeypatch.setattr(module, "append_jsonl_rows", real)
    play(file, tmp_path / "run")
    assert set(keys(tmp_path / "run").values()) == {1}


class Dead:
    """A player whose endpoint is gone."""

    async def speak(self, view):
        raise CallFailed("agent 'x': nobody answers", ({"error": "refused"},))

    recognise = plan = speak


def test_a_dead_player_ends_its_games_and_no_others(file, tmp_path):
    tournament = load_tournament(file, games=6, overrides=SMALL)
    from mirrorenv.debate.players import make_player

    players = {card.name: make_player(card) for card in (*tournament.cards, tournament.judge)}
    outcome, results = play(file, tmp_path / "run", games=6, players={**players, "sailor": Dead()})
    without = [
        g
        for g in range(6)
        if "sailor" not in [tournament.cards[c].name for c in tournament.seats(g)]
    ]
    assert sorted(outcome.failures) == [g for g in range(6) if g not in without]
    assert [sheet.game for sheet in results.sheets()] == without and outcome.totals.failures == len(
        outcome.failures
    )
    outcome, _ = play(file, tmp_path / "run", games=6)
    assert outcome.finished == 6 and set(keys(tmp_path / "run").values()) == {1}


def test_replay_makes_no_call_and_gives_the_same_bytes(file, tmp_path):
    from mirrorenv.debate.rules import Debate

    play(file, tmp_path / "run")
    before = (tmp_path / "run" / CALLS).read_bytes()
    twice = [json.dumps(open_results(tmp_path / "run").game(1).transcript()) for _ in range(2)]
    assert twice[0] == twice[1] and isinstance(open_results(tmp_path / "run").game(1), Debate)
    assert (tmp_path / "run" / CALLS).read_bytes() == before
    with pytest.raises(RunFolderError, match="game 7 is not finished"):
        open_results(tmp_path / "run").game(7)


ARMS = {
    "withheld": {"own_text": "withheld"},
    "fresh": {"reader": "fresh"},
    "no judge": {"judges": 0},
    "two judges": {"judges": 2},
    "equal length": {"show": "equal_length"},
    "plain": {"show": "plain"},
    "paraphrased": {"show": "paraphrased"},
    "own score": {"feedback": "own"},
    "no feedback": {"feedback": "none"},
    "read again": {"reread_rounds": 1},
}


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_is_one_setting_of_a_played_tournament(file, tmp_path, arm):
    (file.parent / "agents" / "writer.toml").write_text('name = "writer"\nplayer = "random"\n')
    file.write_text(
        file.read_text().replace("# judge = ", 'paraphraser = "agents/writer.toml"\n# judge = ')
    )
    given = {"rounds": 2, **ARMS[arm]}
    outcome, results = play(file, tmp_path / "run", games=2, **given)
    judges, extra = given.get("judges", 1), {"paraphrased": 2 * 4, "read again": 5}.get(arm, 0)
    assert outcome.finished == 2 and outcome.totals.calls == 2 * (2 * (4 + 4 + judges + 4) + extra)
    table = json.loads((tmp_path / "run" / SCORES).read_text())
    assert (
        sum(one["judge"] for one in table["readers"]) == min(judges, 1)
        and plan_of(results.tournament).calls_a_game
    )
    assert plan_of(results.tournament).calls_a_game * 2 == outcome.totals.calls
    players = [one for one in table["readers"] if not one["judge"]]
    assert all(one["floor"] == pytest.approx(1 / 3) for one in players)
    copier = next(one for one in players if one["name"] == "copy-own")
    assert (copier["self_hits"]["value"] == 1.0) == (arm not in ("withheld", "fresh"))
    assert (copier["order_consistency"] is not None) == (arm == "read again")
    shown = [text for debate in results.games() for one in debate.rounds for text in one.shown]
    lengths = {len(text) for one in results.game(0).rounds[:1] for text in one.shown}
    assert arm != "equal length" or max(lengths) - min(lengths) <= 12
    assert arm != "plain" or all(text == text.lower() for text in shown)


def test_one_card_for_everyone_and_different_cards_are_both_a_tournament(file, tmp_path):
    same = '"agents/poet.toml", ' * 4
    (file.parent / "agents" / "poet.toml").write_text(
        'name = "poet"\nplayer = "persona"\n[options]\nvoice = "poet"\n'
    )
    text = file.read_text()
    start, end = text.index("players = ["), text.index("]\n", text.index("players = ["))
    (file.parent / "same.toml").write_text(text[:start] + f"players = [{same}" + text[end:])
    _, mixed = play(file, tmp_path / "mixed", games=4, rounds=4)
    _, alike = play(file.parent / "same.toml", tmp_path / "same", games=4, rounds=4)
    hits = {
        name: [
            one.peer_hits.value
            for one in results.scores()
            if not one.judge and one.name != "copy-own"
        ]
        for name, results in (("mixed", mixed), ("same", alike))
    }
    assert {one.name for one in alike.scores()} == {"poet", "poet.2", "poet.3", "poet.4", "judge"}
    # one voice for all leaves nothing to read but luck
    assert max(hits["same"]) < 0.6 < max(hits["mixed"])


def test_seats_are_shared_out_evenly(file):
    tournament = load_tournament(file, games=50)
    played = Counter(card for seats in tournament.seating for card in seats)
    assert max(played.values()) - min(played.values()) <= 1 and all(
        len(set(seats)) == 4 for seats in tournament.seating
    )
    first = Counter(seats[0] for seats in tournament.seating)
    assert len(first) == len(tournament.cards)


def test_the_planned_half_width_is_that_of_players_who_guess():
    rules, rng = preset("default", {"rounds": 6}), np.random.default_rng(0)
    others, games = rules.num_players - 1, 9
    orders = rng.permuted(np.broadcast_to(np.arange(others), (4000, games, 6, others)), axis=-1)
    hits = (orders == np.arange(others)).mean(axis=(1, 2, 3))  # (4000,) peer hits of a tournament
    assert half_width(rules, games) == pytest.approx(1.96 * hits.std(), rel=0.05)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("games = 20", "gamse = 20", "gamse"),
        ('preset = "default"', 'preset = "defalt"', "Did you mean default"),
        ('"agents/poet.toml"', '"agents/port.toml"', "port.toml"),
        ("[settings]", "[settings]\nroundz = 2", "Did you mean rounds"),
        ("[settings]", "[settings]\nnum_players = 9", "players for games of 9"),
        ("[settings]", "[settings]\nshow = 'paraphrased'", "paraphraser"),
        ("seed = 0", "seed = ", "TOML"),
    ],
)
def test_a_wrong_tournament_is_refused_by_name(file, old, new, said):
    text = file.read_text()
    file.write_text(
        text.replace(old, new) if old in text else text.replace('"agents/teenager.toml"', new)
    )
    with pytest.raises((ConfigError, KeyError), match=said):
        load_tournament(file)


def test_cut_at_fifty_random_bytes_the_log_grows_back_to_the_same_tournament(file, tmp_path):
    size = {"games": 2, "rounds": 1}
    _, whole = play(file, tmp_path / "run", **size)
    made, table = keys(tmp_path / "run"), (tmp_path / "run" / SCORES).read_bytes()
    told = [json.dumps(whole.game(number).transcript()) for number in range(2)]
    logged, chance = (tmp_path / "run" / CALLS).read_bytes(), random.Random(0)
    for _ in range(50):  # what a kill leaves is a prefix of the log, torn anywhere
        (tmp_path / "run" / CALLS).write_bytes(logged[: chance.randrange(len(logged))])
        left = CallLog(tmp_path / "run" / CALLS).totals.calls
        outcome, again = play(file, tmp_path / "run", **size)
        assert outcome.totals.calls == sum(made.values()) >= left and keys(tmp_path / "run") == made
        assert (tmp_path / "run" / SCORES).read_bytes() == table
        assert [json.dumps(again.game(number).transcript()) for number in range(2)] == told


@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_killed_and_started_again_the_table_is_the_same(tmp_path):
    proof = prove_resume(tmp_path, 2, games=3, rounds=2)
    assert proof.kills == 2 and proof.calls == 3 * 2 * 13 and not proof.differences


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.skipif(os.name != "posix", reason="needs kill -9")
def test_killed_at_fifty_points_the_table_is_the_same(tmp_path):
    proof = prove_resume(tmp_path, 50, games=12, rounds=4, seed=1)
    assert proof.kills >= 50 and not proof.differences


def test_the_log_holds_what_was_asked_and_what_came_back(file, tmp_path):
    play(file, tmp_path / "run")
    rows = read_jsonl(tmp_path / "run" / CALLS).rows
    assert all(row["reply"]["text"] or row["reply"]["evidence"] for row in rows)
    assert {row["agent"] for row in rows} >= {"sailor", "judge"} and isinstance(
        Path(rows[0]["key"]).name, str
    )
    assert (
        len({hashlib.sha256(json.dumps(row["reply"]).encode()).hexdigest() for row in rows})
        > len(rows) / 2
    )
