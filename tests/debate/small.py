"""Small games for the tests."""

from __future__ import annotations

import asyncio

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players import make_player, verdict_of
from mirrorenv.debate.rules import Debate
from mirrorenv.debate.settings import preset
from mirrorenv.debate.topic_files import load_topics


def card(kind, name=None, **options):
    return AgentCard(name=name or kind, player=kind, options=options)


def play(cards, *, run="test", game=0, name="default", **settings):
    """A whole game of scripted players, by the rules alone."""
    settings = {"judges": 0, **settings}
    rules = preset(name, {"num_players": len(cards), **settings})
    debate = Debate(rules, load_topics(rules.topics), run=run, game=game)
    players = [make_player(one) for one in cards]
    judge = make_player(card("stylometric"))

    async def go():
        while not debate.over:
            views, phase = debate.views(), debate.phase
            if phase == "paraphrase":
                debate.paraphrase([f"in other words: {view.lineup[0].lower()}" for view in views])
                continue
            who = [players[j] if j < len(players) else judge for j in debate.participants]
            replies = [
                await getattr(one, phase)(view) for one, view in zip(who, views, strict=True)
            ]
            if phase == "recognise":
                debate.recognise(
                    [verdict_of(reply, view) for reply, view in zip(replies, views, strict=True)]
                )
            else:
                getattr(debate, phase)([reply.text for reply in replies])

    asyncio.run(go())
    return debate


def voices(*names):
    return [card("persona", name, voice=name) for name in names]
