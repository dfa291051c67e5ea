"""What is tried again, how long it waits, and how many requests are in flight."""

from __future__ import annotations

import asyncio
import time

import pytest

pytest.importorskip("httpx2", reason="the client comes with the extra llm")

from mirrorenv.debate.players import CallFailed, make_player
from mirrorenv.llm.rate_limit import Gate
from tests.debate.asking import ask, card, views
from tests.debate.stub import player_like


def test_refusals_that_pass_are_waited_for_and_logged(stub):
    stub.answer = lambda body, k: (
        (429, {"retry-after": "0.1"}, {"error": {"message": "slow"}})
        if k < 2
        else player_like(body, k)
    )
    began = time.monotonic()
    reply = ask(card(stub), views()[0])
    assert time.monotonic() - began >= 0.4 and len(stub.requests) == 3
    assert [attempt["status"] for attempt in reply.attempts] == [429, 429]
    # what the server asks for is less than one's own first wait
    assert 0.25 <= reply.attempts[0]["wait"] <= 0.5


@pytest.mark.parametrize(
    "broken", [(500, {}, "{}"), (200, {}, "no json"), (200, {}, {"choices": []}), (503, {}, "x")]
)
def test_servers_that_stumble_once_are_asked_again(stub, broken):
    stub.answer = lambda body, k: broken if k == 0 else player_like(body, k)
    assert ask(card(stub), views()[0]).text.startswith("an answer") and len(stub.requests) == 2


def test_a_wait_beyond_the_sdk_limit_is_honoured_and_one_beyond_ours_is_refused(stub):
    stub.answer = lambda body, k: (429, {"retry-after": "300"}, {"error": {"message": "later"}})
    with pytest.raises(CallFailed, match=r"HTTP 429.*after 1 tries") as failed:
        ask(card(stub, longest_wait=120.0), views()[0])
    assert failed.value.attempts[0]["wait"] == 300.0


class Clock:
    """Time that passes only where somebody sleeps."""

    def __init__(self, monkeypatch):
        self.now, self.real, self.slept = 0.0, asyncio.sleep, []
        monkeypatch.setattr("mirrorenv.llm.rate_limit.time", self)
        monkeypatch.setattr(asyncio, "sleep", self.sleep)

    def monotonic(self):
        return self.now

    async def sleep(self, seconds):
        self.now += seconds
        self.slept += [seconds] if seconds else []
        await self.real(0)


def test_a_wait_of_five_minutes_is_slept_through(stub, monkeypatch):
    clock = Clock(monkeypatch)
    stub.answer = lambda body, k: (
        (429, {"retry-after": "300"}, {}) if k < 2 else player_like(body, k)
    )
    reply = ask(card(stub), views()[0])
    assert (
        reply.text
        and [attempt["wait"] for attempt in reply.attempts] == [300.0, 300.0]
        and clock.now >= 600.0
    )


def test_waits_double_where_the_server_does_not_say_how_long(stub, monkeypatch):
    clock = Clock(monkeypatch)
    stub.answer = lambda body, k: (503, {}, {}) if k < 5 else player_like(body, k)
    waits = [attempt["wait"] for attempt in ask(card(stub, retries=5), views()[0]).attempts]
    assert (
        all(0.25 * 2**k <= wait <= 0.5 * 2**k for k, wait in enumerate(waits)) and len(waits) == 5
    )
    assert clock.slept == pytest.approx(waits, abs=1e-3)


@pytest.mark.parametrize(
    ("date", "waited"),
    [("Wed, 21 Oct 2015 07:28:00 GMT", True), ("Fri, 01 Jan 2100 00:00:00 GMT", False)],
)
def test_a_server_may_name_the_date_of_the_next_try(stub, date, waited):
    stub.answer = lambda body, k: (
        (429, {"retry-after": date}, {}) if k < 1 else player_like(body, k)
    )
    if waited:
        assert 0.25 <= ask(card(stub), views()[0]).attempts[0]["wait"] <= 0.5
    else:
        with pytest.raises(CallFailed, match="429") as failed:
            ask(card(stub), views()[0])
        assert failed.value.attempts[0]["wait"] > 1e8


def test_one_address_has_one_gate_that_shrinks_when_refused_and_grows_when_answered(monkeypatch):
    shared = {}
    first, second, other = (
        make_player(card(f"http://127.0.0.1:{port}/v1", concurrency=cap))
        for port, cap in ((1, 8), (1, 5), (2, 9))
    )
    for player in (first, second, other):
        player.connect(shared)
    assert first.client.gate is second.client.gate is not other.client.gate and (
        first.client.gate.cap,
        other.client.gate.cap,
    ) == (5, 9)
    clock, gate = Clock(monkeypatch), first.client.gate
    gate.back_off(0.0)
    gate.back_off(0.0)  # one burst counts once
    assert gate.limit == pytest.approx(3.5)
    clock.now += 2.0
    gate.back_off(0.0)
    assert gate.limit == pytest.approx(2.45)
    for _ in range(40):
        gate.on_success()
    assert gate.limit == 5.0


@pytest.mark.parametrize(("asked", "pauses"), [("one model", 0), ("another model", 1)])
def test_a_pause_holds_for_all_that_is_not_closed(asked, pauses, monkeypatch):
    gate = Gate(2)
    gate.back_off(60.0)
    gate.close("unknown", "one model")
    slept = []

    async def over(seconds):
        slept.append(seconds)
        gate._open_at = 0.0

    async def take():
        async with gate.slot([asked]):
            pass

    monkeypatch.setattr("mirrorenv.llm.rate_limit.asyncio.sleep", over)
    asyncio.run(take())
    assert len(slept) == pauses
