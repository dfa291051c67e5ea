"""Every figure of the leaderboard, computed a second time from transcripts: plain loops, no shared
code."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.scoring.scores import score_readers
from mirrorenv.debate.scoring.sheets import sheet_of
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics
from mirrorenv.debate.tournament import Tournament
from mirrorenv.debate.verdicts import Verdict, verdict_from_evidence

N, ROUNDS, GAMES = 4, 3, 5
TEXTS = [
    "an apple a day",
    "seven ships sailed north",
    "blue is a mood",
    "what a strange question to ask",
]


def verdict(rng, permutation):
    """Random evidence with a bent to the truth, so that no figure is trivial; some verdicts are
    unreadable."""
    if rng.random() < 0.2:
        return Verdict(None, "no JSON", tries=2)
    table = rng.normal(size=(N, N)) + 1.2 * np.eye(N)[permutation]
    return Verdict(verdict_from_evidence(table).evidence, tries=int(rng.integers(1, 3)))


def played(**settings):
    """Transcripts, the seats of each game, and what the package makes of them."""
    rules = preset(
        "default",
        {"rounds": ROUNDS, "judges": 1, "plan": (), "memory": "none", "reread_rounds": 2}
        | settings,
    )
    cards = tuple(AgentCard(name=f"c{k}", player="random") for k in range(6))
    judge = AgentCard(name="judge", player="random")
    tournament = Tournament(
        "t", 0, GAMES, 1, rules, load_topics("neutral"), cards, judge, None, False
    )
    transcripts, sheets = [], []
    for game in range(GAMES):
        debate, rng = Debate(rules, tournament.topics, game=game), np.random.default_rng([game, 7])
        while not debate.over:
            if debate.phase == "speak":
                debate.speak(TEXTS)
            reading, now = debate.phase, debate.rounds[-1]
            reveals = now.reveals if reading == "recognise" else now.second_reveals
            getattr(debate, reading)([verdict(rng, reveal.permutation) for reveal in reveals])
        transcripts.append(debate.transcript())
        sheets.append(sheet_of(tournament, debate))
    readers = [
        [cards[card].name for card in tournament.seats(game)] + ["judge"] for game in range(GAMES)
    ]
    return (
        transcripts,
        readers,
        {one.name: one for one in score_readers(sheets)},
        rules.knows_own_item,
    )


def softmax(row):
    weights = [math.exp(x) for x in row]
    return [weight / sum(weights) for weight in weights]


def by_author(order, evidence):
    """Row n: belief about the text of player n."""
    return [softmax(evidence[order.index(n)]) for n in range(N)]


def argmax(row):
    return max(range(len(row)), key=row.__getitem__)


def best_assignment(table, authors):
    """{author of the text: player named}, each player of `authors` once."""
    worth = {
        named: sum(math.log(table[n][m]) for n, m in zip(authors, named, strict=True))
        for named in itertools.permutations(authors)
    }
    return dict(zip(authors, max(worth, key=worth.__getitem__), strict=True))


def reference(name, transcripts, readers, knows_own):
    """Figures of one reader as a mean over its games of means over rounds and texts."""
    games, stated, labels = [], [], []
    slots = {k: [] for k in range(N)}
    for transcript, seats in zip(transcripts, readers, strict=True):
        if name not in seats:
            continue
        place = seats.index(name)
        judge = place == N
        others = [n for n in range(N) if n != place]
        free = knows_own or judge
        authors = list(range(N)) if free else others
        floor = 1 / len(authors) if judge or not free else 1 / (N - 1)
        found = {
            key: []
            for key in ("loose", "strict", "joint", "nats", "exact", "own", "alarm", "steady")
        }
        curve, invalid, repaired = [], 0, 0
        for one in transcript["rounds"]:
            order, evidence = one["orders"][place], one["evidence"][place]
            valid = evidence is not None
            invalid += not valid
            repaired += valid and one["tries"][place] == 2
            table = by_author(order, evidence if valid else [[0.0] * N] * N)
            hits = []
            for n in others:
                row = (
                    table[n] if free else [0.0 if m == place else p for m, p in enumerate(table[n])]
                )
                row = [p / sum(row) for p in row]
                tied = [m for m in range(N) if row[m] > max(row) - 1e-12]
                right = (n in tied) / len(tied)
                hits.append(right if valid else floor)
                stated.append((max(row), right))
                found["loose"].append(right if valid else floor)
                found["strict"].append(right if valid else 0.0)
                chance = N if free else N - 1
                found["nats"].append(math.log(chance) + math.log(max(row[n], 1e-4)))
            curve.append(np.mean(hits))
            if valid:
                named = best_assignment(table, authors)
                found["joint"] += [float(named[n] == n) for n in others]
                found["exact"].append(float(all(named[n] == n for n in authors)))
            else:
                found["joint"] += [floor] * len(others)
                found["exact"].append(0.0)
            ties = [[m for m in range(N) if row[m] > max(row) - 1e-12] for row in table]
            labels.append([np.mean([(m in tied) / len(tied) for tied in ties]) for m in range(N)])
            for slot, author in enumerate(order):
                slots[slot].append((author in ties[author]) / len(ties[author]))
            if not judge:
                found["own"].append((place in ties[place]) / len(ties[place]))
                found["alarm"] += [(place in ties[n]) / len(ties[n]) for n in others]
            again = one["second_evidence"][place] if one["second_evidence"] else None
            if valid and again is not None:
                second = by_author(one["second_orders"][place], again)
                found["steady"] += [float(argmax(table[n]) == argmax(second[n])) for n in others]
        games.append({key: np.mean(values) if values else None for key, values in found.items()})
        games[-1].update(
            curve=curve, invalid=invalid / ROUNDS, repaired=repaired / ROUNDS, floor=floor
        )

    def mean(key):
        values = [game[key] for game in games if game[key] is not None]
        return float(np.mean(values)) if values else None

    result = {key: mean(key) for key in games[0] if key != "curve"}
    result["curve"] = np.mean([game["curve"] for game in games], axis=0)
    result["labels"], result["by_slot"] = (
        np.mean(labels, axis=0),
        [np.mean(slots[k]) for k in range(N)],
    )
    result["calibration"] = calibration(stated)
    return result


def calibration(stated, bins=15):
    """Bins of equal mass over confidences; equal ones share the bin of the first."""
    ranked = sorted(round(confidence, 9) for confidence, _ in stated)
    gaps = [0.0] * bins
    for confidence, right in stated:
        gaps[ranked.index(round(confidence, 9)) * bins // len(stated)] += confidence - right
    return sum(abs(gap) for gap in gaps) / len(stated)


ARMS = {"kept": {}, "withheld": {"own_text": "withheld"}, "fresh": {"reader": "fresh"}}


@pytest.mark.parametrize("arm", ARMS)
def test_every_figure_is_what_plain_loops_give(arm):
    transcripts, readers, scores, knows_own = played(**ARMS[arm])
    assert set(scores) == {"judge", *(f"c{k}" for k in range(6))} and knows_own == (arm == "kept")
    for name, one in scores.items():
        want = reference(name, transcripts, readers, knows_own)
        got = {
            "floor": one.floor,
            "loose": one.peer_hits.value,
            "strict": one.peer_hits_strict.value,
            "joint": one.peer_hits_joint.value,
            "nats": one.nats.value,
            "exact": one.exact.value,
            "invalid": one.invalid,
            "repaired": one.repaired,
            "calibration": one.calibration_error.value,
            "steady": one.order_consistency.value,
        }
        assert got == pytest.approx({key: want[key] for key in got}), name
        assert one.kappa.value == pytest.approx((want["loose"] - one.floor) / (1 - one.floor))
        for values, key in ((one.curve, "curve"), (one.by_slot, "by_slot"), (one.labels, "labels")):
            np.testing.assert_allclose(values, want[key], atol=2e-6, err_msg=f"{name} {key}")
        if name == "judge":
            assert one.self_hits is one.false_alarms is one.legibility is one.self_advantage is None
        else:
            assert (one.self_hits.value, one.false_alarms.value) == pytest.approx(
                (want["own"], want["alarm"])
            )


def test_cohens_kappa_is_that_of_a_table_of_true_and_named():
    transcripts, _readers, scores, _ = played()
    table = np.zeros((N, N))
    for transcript in transcripts:
        for one in transcript["rounds"]:
            evidence = one["evidence"][N] or [[0.0] * N] * N
            for n, row in enumerate(by_author(one["orders"][N], evidence)):
                tied = [m for m in range(N) if row[m] > max(row) - 1e-12]
                for m in tied:
                    table[n, m] += 1 / len(tied)
    table /= table.sum()
    expected = sum(table[k].sum() * table[:, k].sum() for k in range(N))
    assert scores["judge"].cohen_kappa == pytest.approx(
        (np.trace(table) - expected) / (1 - expected)
    )


def test_legibility_is_what_the_other_players_made_of_ones_texts():
    transcripts, readers, scores, _ = played()
    for name in ("c0", "c3"):
        shares = []
        for transcript, seats in zip(transcripts, readers, strict=True):
            if name not in seats:
                continue
            n = seats.index(name)
            named = []
            for one in transcript["rounds"]:
                for j in range(N):
                    if j != n:
                        row = by_author(one["orders"][j], one["evidence"][j] or [[0.0] * N] * N)[n]
                        tied = [m for m in range(N) if row[m] > max(row) - 1e-12]
                        named.append((n in tied) / len(tied))
            shares.append(np.mean(named))
        assert scores[name].legibility.value == pytest.approx(np.mean(shares))
        gained = scores[name].self_hits.value - np.mean(shares)
        assert scores[name].self_advantage.value == pytest.approx(gained)


def test_without_a_second_reading_no_order_consistency_is_claimed():
    _, _, scores, _ = played(reread_rounds=0)
    assert all(one.order_consistency is None for one in scores.values())
