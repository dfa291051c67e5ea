"""What the suites `observers` and `generators` rest on: populations at half the limit, marks,
skills, mixtures."""

from __future__ import annotations

import importlib
import math
from types import ModuleType

import numpy as np
import pytest

from mirrorenv.mirror import Belief

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def populations() -> ModuleType:
    return importlib.import_module("benchmarks.shared.populations")


@pytest.fixture(scope="module")
def ants(populations):
    return populations.population_at_half(populations.CASES["ants"], 0)


def test_the_limit_of_a_recorded_population_is_half_of_log_n(populations, ants):
    record = populations.record_episodes(ants, populations.CASES["ants"], 0, "test", 300)
    # three standard errors
    assert populations.limit_nats(record) == pytest.approx(0.5 * math.log(4), abs=0.1)


def test_a_recorded_population_follows_from_its_seed(populations, monkeypatch):
    monkeypatch.setattr(populations, "PILOT", 10)
    case = populations.CASES["ants"]
    twice = [populations.population_at_half(case, 3) for _ in range(2)]
    one, other = (populations.record_episodes(who, case, 3, "past", 8) for who in twice)
    np.testing.assert_array_equal(one.episodes.actions, other.episodes.actions)
    test = populations.record_episodes(twice[0], case, 3, "test", 8)
    assert (one.episodes.actions != test.episodes.actions).any()


@pytest.mark.parametrize(("trunk", "moves"), [("stopped", False), ("shared", True)])
def test_reading_with_the_agents_trunks_leaves_the_agents_as_they_are(
    populations, ants, trunk, moves
):
    readers = importlib.import_module("benchmarks.shared.readers")
    past = populations.record_episodes(ants, populations.CASES["ants"], 0, "past", 12)
    before = {name: one.clone() for name, one in ants.actor.state_dict().items()}
    reader = readers.trained_reader("additive", past, 0, 2, trunk=trunk, patience=9)
    reader.evidence(*past.lineups(readers._shuffles(0, 0, 12, 4))).sum().backward()
    assert all(torch.equal(one, before[name]) for name, one in ants.actor.state_dict().items())
    assert all(one.grad is None for one in ants.actor.parameters())
    assert any(one.grad is not None for one in reader.actor.parameters()) == moves


def test_an_unmarked_mark_changes_nothing_and_a_full_one_is_found(populations, ants):
    marks, case = importlib.import_module("benchmarks.studies.mark_test"), populations.CASES["ants"]
    plain = populations.record_episodes(ants, case, 0, "test", 200)
    favourite = marks.favourites(plain)
    law = marks.own_policy(ants, plain)
    np.testing.assert_allclose(
        marks.taken(law, plain), np.einsum("btnn->btn", plain.log_p), atol=1e-5
    )
    for mark, low, high in (
        (marks.Mark("none", "noise", 0.0), 0.5, 0.5),
        (marks.Mark("all", "mask", 1.0), 0.95, 1.0),
    ):
        changes = [mark.change(action) for action in favourite]
        marked = marks.play_marked(ants, case, changes, 200, seed=7)
        for n in range(4 if mark.kind == "mask" else 0):
            assert not (marked.episodes.actions[n::4, :, n] == favourite[n]).any()
        best = [
            marks.best_scores(one, record, changes)
            for one, record in ((marks.own_policy(ants, marked), marked), (law, plain))
        ]
        assert low <= marks.area(*best) <= high


def test_doubts_are_those_of_the_agent_itself_and_of_the_others():
    marks = importlib.import_module("benchmarks.studies.mark_test")
    evidence = np.zeros((1, 3, 3, 3))  # (B, J, K, N): nobody knows anything
    evidence[0, 1, 1, 1] = 2.0  # but agent 1 of itself
    own, others = marks.belief_scores(evidence)
    sure = math.log(2 + math.exp(2.0)) - 2.0
    np.testing.assert_allclose(own, [[math.log(3), sure, math.log(3)]])
    np.testing.assert_allclose(others, np.full((1, 3), math.log(3)))


def test_strangers_are_named_by_whose_evidence_theirs_resembles():
    suite = importlib.import_module("benchmarks.suites.changed_agents")
    rng = np.random.default_rng(0)
    # what each stranger looks like to observers that have other names
    centre = rng.permutation(np.eye(4) * 3.0)

    def evidence(count):
        return centre + rng.normal(size=(count, 2, 4, 4))

    named = suite.enrolled(evidence(20), evidence(200))
    assert (named[:, 0].argmax(-1) == np.arange(4)).mean() > 0.95
    assert named.shape == (200, 1, 4, 4)


def test_knowing_oneself_and_a_few_episodes_of_others_is_worth_more_than_the_episodes_alone():
    suite = importlib.import_module("benchmarks.suites.suite_observers")
    rng = np.random.default_rng(0)
    policies = rng.dirichlet([8.0] * 5, (4, 3))  # (N, S, A)
    draw = lambda many: np.stack([rng.multinomial(7, policies) for _ in range(many)])  # noqa: E731  (B, N, S, A)
    past, now = draw(4).sum(0), draw(400)
    known = np.einsum("bksa,nsa->bkn", now, np.log(policies))
    few = suite.few_shot_limit(now, past, alpha=8.0).evidence
    both = suite.own_policy_known(few, known[:, None])
    assert both.shape == (400, 4, 4, 4)
    for j in range(4):
        assert np.array_equal(both[:, j, :, j], known[..., j])
        assert np.array_equal(np.delete(both[:, j], j, -1), np.delete(few, j, -1))
    truth = [
        np.diagonal(Belief(one).log_belief("marginals"), axis1=-2, axis2=-1).mean()
        for one in (few[:, None], both, known[:, None])
    ]
    assert truth[0] + 0.02 < truth[1] < truth[2] - 0.02


def test_the_four_rooms_are_the_four_rooms():
    rooms = importlib.import_module("benchmarks.studies.four_rooms")
    leads_to = rooms.four_rooms()
    assert leads_to.shape == (104, 4)
    forth = {(a, b) for a, row in enumerate(leads_to) for b in row.tolist() if a != b}
    assert forth == {(b, a) for a, b in forth}  # every move can be undone
    assert rooms.most_skills(1000) == 104
    logits = torch.randn(3, 104, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    where = rooms.occupancy(logits, torch.from_numpy(leads_to))
    law, there = logits.softmax(-1).numpy(), np.zeros((3, 104))
    there[:, 0] = 1
    for t in range(2):
        now = np.zeros_like(there)
        for cell in range(104):
            for move in range(4):
                now[:, leads_to[cell, move]] += there[:, cell] * law[:, cell, move]
        there = now
        np.testing.assert_allclose(where[t].numpy(), there)


@pytest.mark.parametrize("skills", [1, 2, 5])
def test_skills_that_share_nothing_count_fully_and_alike_skills_count_as_one(skills):
    rooms = importlib.import_module("benchmarks.studies.four_rooms")
    assert rooms.effective_skills(torch.eye(skills, dtype=torch.float64)) == pytest.approx(skills)
    assert rooms.effective_skills(
        torch.full((skills, 4), 0.25, dtype=torch.float64)
    ) == pytest.approx(1.0)


def test_places_apart_count_fully_alike_ones_as_one_and_few_samples_do_not_add_skills():
    point = importlib.import_module("benchmarks.studies.diayn_point")
    apart = np.tile(np.arange(8), (100, 1))
    assert point.effective_skills(apart) == pytest.approx(8.0)
    assert point.effective_skills(np.zeros_like(apart)) == pytest.approx(1.0)
    draws = np.random.default_rng(0)
    # every cell by chance
    alike = [point.effective_skills(draws.integers(100, size=(512, 8))) for _ in range(20)]
    assert 1.0 <= np.mean(alike) < 1.02
    halves = [
        point.effective_skills(draws.integers(50, size=(512, 8)) + 50 * (np.arange(8) % 2))
        for _ in range(20)
    ]
    assert np.mean(halves) == pytest.approx(2.0, abs=0.05)


def test_a_perfect_generator_scores_as_chance_predicts():
    """With R samples on either side and E bins in use, chi-square is about 2 E and KL about E /
    R."""
    gan = importlib.import_module("benchmarks.studies.mad_gan")
    rng = np.random.default_rng(0)
    bins = (np.histogram(gan.real_samples(gan.SAMPLES, rng), gan.BINS)[0] > 0).sum()
    found = gan.anchors(0)
    assert found["perfect"]["chi2"] * 1e5 == pytest.approx(2 * bins, rel=0.15)
    assert found["perfect"]["kl"] == pytest.approx(bins / gan.SAMPLES, rel=0.2)
    assert [one["modes"] for one in found.values()] == [5, 4, 1]
    assert found["without the narrowest mode"]["kl"] == pytest.approx(math.log(5 / 4), abs=0.03)


def test_generators_that_share_no_bin_are_told_apart():
    gan = importlib.import_module("benchmarks.studies.mad_gan")
    made = np.repeat([[10.0], [60.0]], 500, axis=1)
    assert gan.measure(made, np.random.default_rng(0))["effective"] == pytest.approx(2.0)
