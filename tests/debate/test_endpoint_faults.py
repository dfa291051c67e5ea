"""No way in which a server misbehaves is believed in silence."""

from __future__ import annotations

import pytest

pytest.importorskip("httpx2", reason="the client comes with the extra llm")

from mirrorenv.debate.players import CallFailed
from mirrorenv.llm.answers import STOPS
from mirrorenv.testing.endpoints import ENDPOINT_FAULTS, faulty_endpoint
from tests.debate.asking import ask, card, views


def test_there_are_forty_kinds():
    assert len(ENDPOINT_FAULTS) >= 40


@pytest.mark.parametrize("name", ENDPOINT_FAULTS)
def test_a_fault_is_read_rightly_or_said(name):
    fault = ENDPOINT_FAULTS[name]
    with faulty_endpoint(fault) as server:
        try:
            reply = ask(card(server.url, retries=1, timeout=2.0), views()[0])
        except CallFailed as error:
            assert fault.right is None and str(error).split("/v1: ")[-1]
            return
    assert reply.stop in STOPS
    if fault.right is None:
        assert reply.stop != "stop"
    else:
        assert (reply.text, reply.stop) == (fault.right, "stop")
    if "count" in name:
        assert reply.usage.estimated and reply.usage.input > 50 and reply.usage.output >= 5


def test_a_live_check_says_what_answered(tmp_path):
    import asyncio

    from mirrorenv.debate.live_check import live_check

    with faulty_endpoint(ENDPOINT_FAULTS["none at all"]) as server:
        found = asyncio.run(live_check(card(server.url)))
    assert (found.problem, found.model, found.stop) == (None, "m", "stop")
    assert found.tokens == (50, 20) and not found.readable and len(found.lines()) == 3
    with faulty_endpoint(ENDPOINT_FAULTS["401"]) as server:
        found = asyncio.run(live_check(card(server.url)))
    assert "HTTP 401" in found.lines()[0]
