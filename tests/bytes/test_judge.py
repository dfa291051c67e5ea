"""A judge's word as a reward: what it costs to answer nonsense, and how reliable it is."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mirrorenv
from mirrorenv.bytes.judges import Judge, open_judge
from mirrorenv.bytes.judging import Judged, kappa, reliability, value_of
from mirrorenv.errors import ConfigError, MirrorError, StoreError

SMALL: dict[str, Any] = {"num_agents": 2, "length": 8, "horizon": 2, "execute": False}


class Fickle:
    """Says whatever a function of utterance and turn says."""

    def __init__(self, reply: Any) -> None:
        self.reply = reply
        self.asked = 0

    def replies(self, utterances: Sequence[bytes], turn: int) -> list[str]:
        self.asked += len(utterances)
        return [self.reply(said, turn) for said in utterances]

    def close(self) -> None:
        pass


def recorded(folder: Path, replies: object) -> str:
    path = folder / "replies.json"
    path.write_text(json.dumps(replies))
    return f"recorded:{path}"


@pytest.mark.parametrize(
    ("reply", "value"),
    [
        *((good, 1) for good in ("good", " Good.", "1")),
        *((bad, 0) for bad in ("bad", "BAD!", "0")),
        *((nonsense, -1) for nonsense in ("", "good and bad", "{", "10")),
    ],
)
def test_a_reply_is_worth_what_it_says_and_nonsense_costs(reply: str, value: float) -> None:
    assert value_of(reply) == value


@given(st.text())
def test_any_reply_has_a_value(reply: str) -> None:
    assert value_of(reply) in (-1.0, 0.0, 1.0)


def test_kappa_is_that_of_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    for size in (3, 10, 40):
        first, second = rng.choice([-1.0, 0.0, 1.0], (2, size))
        expected = metrics.cohen_kappa_score(first.astype(int), second.astype(int))
        assert kappa(first, second) == pytest.approx(expected)


def test_a_steady_judge_is_reliable_a_coin_is_not_and_neither_is_one_that_always_agrees() -> None:
    rng = np.random.default_rng(0)
    texts = [rng.bytes(8) for _ in range(400)]
    steady = Fickle(lambda said, turn: "good" if said[0] < 128 else "bad")
    coin = Fickle(lambda said, turn: rng.choice(["good", "bad"]))
    agrees = Fickle(lambda said, turn: "good")
    assert reliability(steady, texts).kappa == 1.0
    assert abs(reliability(coin, texts).kappa) < 0.2
    assert reliability(agrees, texts).kappa == 0.0


def test_it_is_tested_before_it_is_used_and_each_utterance_is_asked_about_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    judge = Fickle(lambda said, turn: "good" if said[0] else "what?")
    judged = Judged(judge)
    said = np.zeros((2, 3, 8), np.uint8)
    said[:, 0, 0] = 1
    with caplog.at_level(logging.WARNING):
        values = judged.values(said)
    np.testing.assert_array_equal(values, [[1, -1, -1]] * 2)
    assert "kappa 1.00" in caplog.text and "50 %" in caplog.text
    asked = judge.asked
    judged.values(said)
    assert judge.asked == asked == 6


def test_recorded_replies_are_paid_and_what_is_not_recorded_costs(tmp_path: Path) -> None:
    named = recorded(tmp_path, {bytes(8).hex(): ["good"]})
    world = mirrorenv.make_batch(
        "mirrorenv/bytes-v0", 1, rewards={"judge": 1.0}, judge=named, **SMALL
    )
    world.reset([0])
    said = np.zeros((1, 2, 8), np.int64)
    said[0, 1] = 3
    np.testing.assert_allclose(world.step(said).rewards, [[0.5, -0.5]])
    world.close()


def test_without_its_reward_no_judge_is_asked_and_the_run_is_the_same(tmp_path: Path) -> None:
    said = np.random.default_rng(0).integers(0, 256, (1, 2, 8))
    steps = []
    for judge in ("", "http://127.0.0.1:1/v1#none"):
        world = mirrorenv.make_batch(
            "mirrorenv/bytes-v0", 1, rewards={"byte_entropy": 1.0}, judge=judge, **SMALL
        )
        world.reset([0])
        steps.append(world.step(said))
        world.close()
    np.testing.assert_array_equal(steps[0].observations, steps[1].observations)
    np.testing.assert_array_equal(steps[0].rewards, steps[1].rewards)


@pytest.mark.parametrize("named", ["", "moon", "http://127.0.0.1/v1", "recorded:"])
def test_a_judge_without_a_form_is_refused(named: str) -> None:
    with pytest.raises(ConfigError, match="judge"):
        mirrorenv.make_batch("mirrorenv/bytes-v0", 1, rewards={"judge": 1.0}, judge=named, **SMALL)


@pytest.mark.parametrize("text", ["", "[", "[]", '{"00": "good"}', '{"00": [1]}'])
def test_damaged_replies_are_refused_with_their_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "replies.json"
    path.write_text(text)
    with pytest.raises(StoreError, match=r"replies\.json"):
        open_judge(f"recorded:{path}")


def test_a_server_is_asked_over_loopback_and_one_that_is_gone_is_named() -> None:
    pytest.importorskip("httpx2")
    from tests.debate.stub import say, serving

    with serving() as stub:
        stub.answer = lambda body, k: (200, {}, say("good" if k % 2 else "no idea"))
        judge: Judge = open_judge(f"{stub.url}#stub-1")
        found = judge.replies([b"one", b"two"], 0)
        assert sorted(found) == ["good", "no idea"]
        assert stub.requests[0]["model"] == "stub-1"
        judge.close()
    judge = open_judge("http://127.0.0.1:9/v1#stub-1")
    with pytest.raises(MirrorError, match="the judge"):
        judge.replies([b"one"], 0)
    judge.close()


def test_the_local_model_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    from mirrorenv.llm import engine
    from tests.debate.tiny import tiny_engine

    tiny = tiny_engine()
    monkeypatch.setattr(engine, "engine_of", lambda name: tiny)
    judge = open_judge("local")
    first, second = judge.replies([b"abc"], 0), judge.replies([b"abc"], 1)
    assert first == judge.replies([b"abc"], 0) and first != second
