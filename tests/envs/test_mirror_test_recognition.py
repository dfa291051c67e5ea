"""The last step of a MirrorTest: evidence is scored properly, and pays who recognises and who is
recognised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mirrorenv.envs.adapters.mirror_test import WAITING, MirrorTest
from mirrorenv.errors import ConfigError, WorldError
from mirrorenv.mirror import lineup_permutations, mirror_reward, recognition_worth
from tests.envs.strangers import Dying, Stranger
from tests.envs.test_mirror_test import play, seeded


def answer_with(env: MirrorTest, evidence: Any) -> dict[Any, Any]:
    return {
        agent: {"act": env.action_space(agent)["act"].sample(), "evidence": evidence(i)}
        for i, agent in enumerate(env.possible_agents)
    }


def knows(env: MirrorTest, seed: int, nats: float) -> Any:
    count = len(env.possible_agents)
    return lambda observer: (
        nats
        * np.eye(count, dtype=np.float32)[
            lineup_permutations("mirror-test", [seed], observer, count)[0]
        ]
    )


@pytest.mark.parametrize(("score", "most"), [("log", np.log(3)), ("brier", 2 / 3)])
def test_a_coin_earns_nothing_and_who_knows_earns_the_most(score: Any, most: float) -> None:
    env = seeded(MirrorTest(Dying(), score=score), 1)
    coin = play(env, 2, lambda env: answer_with(env, lambda observer: np.zeros((3, 3), np.float32)))
    assert coin[-1][2][1] == dict.fromkeys(env.possible_agents, pytest.approx(0.0, abs=1e-9))
    oracle = play(env, 2, lambda env: answer_with(env, knows(env, 2, 10.0)))
    assert oracle[-1][2][1] == dict.fromkeys(env.possible_agents, pytest.approx(most, abs=1e-3))
    for agent in env.possible_agents:
        told = oracle[-1][2][4][agent]["mirror"]
        assert told["top1"] == 1.0 and told["found_itself"]
        assert told["recognition"] == pytest.approx(oracle[-1][2][1][agent])
    fool = play(env, 2, lambda env: answer_with(env, knows(env, 2, -10.0)))
    worst = np.log(3) + np.log(1e-4) if score == "log" else -(1 + 1 / 3)
    assert all(worst - 1e-9 <= paid < 0 for paid in fool[-1][2][1].values())


def test_legibility_pays_the_author_and_leaves_the_proper_score_alone() -> None:
    env = seeded(MirrorTest(Stranger(), weight=0.5, legibility=2.0), 1)
    given = {}

    def evidence(observer: int) -> Any:
        given[observer] = np.random.default_rng(observer).normal(size=(3, 3)).astype(np.float32)
        return given[observer]

    paid, infos = play(env, 8, lambda env: answer_with(env, evidence))[-1][2][1::3]
    truth = np.stack([infos[agent]["mirror"]["permutation"] for agent in env.possible_agents])
    worth = recognition_worth(np.stack([given[j] for j in range(3)]), truth)  # (J, N)
    np.testing.assert_allclose(list(paid.values()), 0.5 * worth.mean(1) + 2.0 * worth.mean(0))
    # the same by the reward that our trainer pays
    logs = np.minimum(worth - np.log(3), 0.0)[None, None]
    alive = np.ones((1, 1, 3), bool)
    observer, author = (
        mirror_reward(logs, alive, credit=c, timing="terminal")[0, 0]
        for c in ("observer", "author")
    )
    np.testing.assert_allclose(list(paid.values()), 0.5 * observer + 2.0 * author, atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.sampled_from(["log", "brier"]))
def test_the_score_is_proper(seed: int, agents: int, score: Any) -> None:
    """Whatever one believes, no other report is expected to earn more (log: of beliefs above the
    floor)."""
    rng = np.random.default_rng(seed)
    belief, other = rng.dirichlet(np.ones(agents) * 2, size=(2, agents))[:, None]  # (1, K, N) each
    belief, other = (
        np.maximum(b, 1e-3) / np.maximum(b, 1e-3).sum(-1, keepdims=True) for b in (belief, other)
    )

    def expected(report: Any) -> float:
        # By slot: the mean over authors under `belief`, each slot alone.
        total = 0.0
        for slot in range(agents):
            for author in range(agents):
                truth = np.roll(np.arange(agents), slot - author)[None]  # puts `author` into `slot`
                assert truth[0, slot] == author
                total += (
                    belief[0, slot, author]
                    * recognition_worth(np.log(report), truth, score=score)[0, author]
                )
        return total

    assert expected(belief) >= expected(other) - 1e-9


def test_marginals_read_the_lineup_as_a_whole() -> None:
    evidence = np.array([[[9.0, 0, 0], [0, 0, 0], [0, 0, 5]]])
    worth = {
        d: recognition_worth(evidence, [[0, 1, 2]], decode=d)[0]
        for d in ("independent", "marginals")
    }
    assert worth["independent"][1] == pytest.approx(0.0) and worth["marginals"][1] > 0.9 * np.log(3)
    with pytest.raises(ConfigError, match="16 agents"):
        MirrorTest(Stranger(17), decode="marginals")


def test_who_died_early_still_recognises_and_is_recognised() -> None:
    env = seeded(MirrorTest(Dying(3, 40)), 0)
    record = play(env, 6, lambda env: answer_with(env, knows(env, 6, 10.0)))
    died = [agent for agent in env.possible_agents if record[-2][0][agent]["phase"] == WAITING]
    assert died
    for agent in died:
        assert record[-1][2][1][agent] > 1.0
        assert record[-1][2][4][agent]["ended"] == "terminated"
        waited = [step for step in record[:-1] if step[0][agent]["phase"] == WAITING]
        assert waited and not any(step[2][1][agent] for step in waited)


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        (np.full((3, 3), np.nan), "between"),
        (np.full((3, 3), 11.0), "between"),
        (np.zeros((3, 2)), "between"),
        ("left", "numbers"),
        (None, "between|numbers"),
    ],
)
def test_malformed_evidence_names_the_agent_and_the_step(evidence: Any, said: str) -> None:
    env = seeded(MirrorTest(Stranger(max_cycles=2)), 1)
    with pytest.raises(WorldError, match=rf"seed 4, step 2, agent 'one_0'.*({said})"):
        play(env, 4, lambda env: answer_with(env, lambda observer: evidence))
