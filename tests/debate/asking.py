"""One call of an endpoint player, without a tournament."""

from __future__ import annotations

import asyncio

from mirrorenv.debate.cards import AgentCard, Endpoint
from mirrorenv.debate.players import make_player
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics


def card(stub, name="model", price=None, reader="words", **endpoint):
    given = {
        "model": "stub",
        "base_url": getattr(stub, "url", stub),
        "profile": "compatible",
        "retries": 3,
        **endpoint,
    }
    return AgentCard(
        name=name,
        player="endpoint",
        persona="Terse.",
        reader=reader,
        price=price,
        endpoint=Endpoint(**given),
    )


def views(**settings):
    rules = preset("default", {"judges": 0, **settings})
    debate = Debate(rules, load_topics("neutral"), run="e")
    speaking = debate.view(0)
    debate.speak(["one", "two", "three", "four"])
    return speaking, debate.view(0)


def ask(card_, view, phase="speak"):
    async def go():
        player = make_player(card_)
        try:
            return await getattr(player, phase)(view)
        finally:
            await player.close()

    return asyncio.run(go())
