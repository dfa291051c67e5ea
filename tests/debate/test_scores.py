"""Scores mean what they say: floors, ties, twins, withheld texts, unreadable verdicts; ratings find
what was put in."""

from __future__ import annotations

import numpy as np
import pytest

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.rating import rate_counts
from mirrorenv.debate.scoring.results import tied_groups
from mirrorenv.debate.scoring.scores import score_readers
from mirrorenv.debate.scoring.sheets import sheet_of
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.verdicts import Verdict, verdict_from_evidence
from mirrorenv.errors import MirrorError
from tests.debate.simulated import simulate

WORDS = [
    "an apple a day keeps them away",
    "what a strange question to ask",
    "seven ships sailed north at dawn",
    "blue is a mood",
]


def sheets(answer, games=6, texts=WORDS, **settings):
    """Games in which every reader answers `answer(reader, permutation, rng)`."""
    rules = preset("default", {"rounds": 3, "judges": 1, "plan": (), "memory": "none", **settings})
    cards = tuple(AgentCard(name=f"c{k}", player="random") for k in range(4))
    judge = AgentCard(name="judge", player="random")
    tournament = Tournament(
        "t", 0, games, 1, rules, load_topics("neutral"), cards, judge, None, False
    )
    found = []
    for game in range(games):
        debate, rng = Debate(rules, tournament.topics, game=game), np.random.default_rng(game)
        while not debate.over:
            debate.speak(texts)
            reveals = debate.rounds[-1].reveals
            debate.recognise([answer(j, reveals[j].permutation, rng) for j in range(5)])
        found.append(sheet_of(tournament, debate))
    return found


def sure(table):
    return verdict_from_evidence(8.0 * np.asarray(table, float))


def knowing(reader, permutation, rng):
    return sure(np.eye(4)[permutation])


def blank(reader, permutation, rng):
    return sure(np.zeros((4, 4)))


def guessing(reader, permutation, rng):
    return sure(np.eye(4)[rng.permutation(4)])


def test_perfect_readers_get_everything_and_blank_ones_exactly_chance():
    for one in score_readers(sheets(knowing)):
        assert (
            one.peer_hits.value
            == one.kappa.value
            == one.exact.value
            == one.peer_hits_joint.value
            == 1.0
        )
        assert (
            one.cohen_kappa == pytest.approx(1.0) and one.invalid == 0.0 and one.curve == [1.0] * 3
        )
        assert one.nats.value == pytest.approx(np.log(4), abs=0.01)
    for one in score_readers(sheets(blank)):
        assert one.peer_hits.value == pytest.approx(0.25) and one.nats.value == pytest.approx(0.0)
        assert one.floor == pytest.approx(0.25 if one.judge else 1 / 3)


def test_guessers_score_chance_within_their_intervals():
    for one in score_readers(sheets(guessing, games=40)):
        assert one.peer_hits.low - 0.02 <= 0.25 <= one.peer_hits.high + 0.02
        assert abs(one.kappa.value - (one.peer_hits.value - one.floor) / (1 - one.floor)) < 1e-12


def test_where_the_own_text_is_withheld_a_belief_is_renormalised_over_peers():
    def mine(reader, permutation, rng):  # "everything is mine", and then rightly whose
        table = np.eye(4)[permutation]
        if reader < 4:
            table[:, reader] = 2.0
        return sure(table)

    kept = {one.name: one for one in score_readers(sheets(mine))}
    withheld = {one.name: one for one in score_readers(sheets(mine, own_text="withheld"))}
    assert kept["c0"].peer_hits.value == 0.0 and withheld["c0"].peer_hits.value == 1.0
    assert withheld["c0"].self_hits.value == 1.0 and withheld["c0"].false_alarms.value == 1.0


def test_twins_are_worth_the_mean_of_their_group_however_lucky_the_guess():
    texts = [WORDS[0], WORDS[0] + "!", WORDS[2], WORDS[3]]
    judge = next(one for one in score_readers(sheets(knowing, texts=texts)) if one.judge)
    assert judge.peer_hits.value == pytest.approx((0.5 + 0.5 + 1 + 1) / 4)


def test_unreadable_verdicts_are_counted_apart_and_worth_the_floor_or_nothing():
    def broken(reader, permutation, rng):
        return (
            Verdict(None, "no JSON", tries=2) if reader == 0 else knowing(reader, permutation, rng)
        )

    scores = score_readers(sheets(broken, games=8))
    for one in scores:
        if one.judge:
            assert one.invalid == 0.0
            continue
        assert one.peer_hits.value == pytest.approx(1 - one.invalid * (1 - 1 / 3))
        assert one.peer_hits_strict.value == pytest.approx(1 - one.invalid) and one.repaired == 0.0
    assert sum(one.invalid for one in scores) > 0.5


def test_habits_are_shown_for_what_they_are():
    def first(reader, permutation, rng):
        return sure(np.eye(4)[[0, 0, 0, 0]])

    one = score_readers(sheets(first))[0]
    assert one.labels == [1.0, 0.0, 0.0, 0.0] and one.cohen_kappa == pytest.approx(0.0)

    def inverse(reader, permutation, rng):
        return sure(np.eye(4)[np.argsort(permutation)])

    assert max(one.inverse for one in score_readers(sheets(inverse, games=12))) > 0.3


def test_planted_texts_are_left_out_of_the_clean_figure():
    texts = ["P1 here, as always, with a thought", *WORDS[1:]]

    def by_name(reader, permutation, rng):
        table = np.zeros((4, 4))
        table[int(np.flatnonzero(permutation == 0)[0]), 0] = 1.0  # knows the announced one only
        return sure(table)

    judge = next(one for one in score_readers(sheets(by_name, texts=texts)) if one.judge)
    assert judge.peer_hits.value > 0.4 and judge.peer_hits_clean.value == pytest.approx(0.25)


def test_texts_without_words_are_scored_apart():
    def by_silence(reader, permutation, rng):
        table = np.zeros((4, 4))
        table[int(np.flatnonzero(permutation == 0)[0]), 0] = 1.0  # knows who said nothing only
        return sure(table)

    judge = next(
        one for one in score_readers(sheets(by_silence, texts=["", *WORDS[1:]])) if one.judge
    )
    assert judge.peer_hits.value > 0.4 and judge.peer_hits_worded.value == pytest.approx(0.25)
    silent = score_readers(sheets(blank, texts=["", "", "", ""]))
    assert all(one.peer_hits_worded is None for one in silent)


def test_readers_that_could_be_equal_share_a_group():
    def mixed(reader, permutation, rng):
        return (
            knowing(reader, permutation, rng) if reader == 4 else guessing(reader, permutation, rng)
        )

    scores = score_readers(sheets(mixed, games=10))
    assert scores[0].judge and tied_groups(scores) == [1, 2, 2, 2, 2]


def test_a_hundred_games_recover_skill_and_legibility():
    true = simulate(np.random.default_rng(0), 8, 100, null=False)
    rating = true.rated(bootstrap=60)
    assert true.correlations(rating).keys() == {"reading", "legibility", "self"}
    assert min(true.correlations(rating).values()) > 0.95
    assert (
        any(rating.self_known)
        and rating.order()[0] in np.argsort(-true.reading)[:2]
        and min(rating.groups) == 1
    )


@pytest.mark.slow
def test_a_self_advantage_is_reported_in_at_most_five_percent_of_null_tournaments():
    false = 0
    for seed in range(200):
        false += any(
            simulate(np.random.default_rng(seed), 6, 20, null=True).rated(bootstrap=100).self_known
        )
    assert false <= 0.05 * 200 + 2 * np.sqrt(200 * 0.05 * 0.95)


def test_one_game_is_no_rating():
    with pytest.raises(MirrorError, match="at least 2 games"):
        rate_counts(("a", "b"), np.zeros((1, 2, 2)), np.ones((1, 2, 2)), floor=0.5)
