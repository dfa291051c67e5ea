"""The calls of one game: what was sent and what came back, behind every text and verdict.

Request and reply stand there as the log holds them, escaped. A page stays below some megabytes:
what is longer than its share is cut and says so; the log has all.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from mirrorenv.debate.tournament import Tournament
from mirrorenv.results.report.page import document, section
from mirrorenv.results.report.templates import Html, render

__all__ = ["anchor", "calls_page"]

PAGE = 4_000_000
"""Characters of all texts, thoughts, requests, replies, tries and evidence on a page."""
_FIELD = 20_000  # of one request or reply at most
_LEAST = 500
_FIELDS = 6  # of a call
_TAKEN = {
    "text": "the text of the set's base, not asked again",
    "answer": "the answer of another folder to the same request, not paid again",
}


def anchor(key: str, sample: int = 0) -> str:
    """Where a call stands on its page.

    Args:
        key: of the call, `game/round/phase/participant`.
        sample: 0, or the number of the try after an unreadable verdict.
    """
    place = key.partition("/")[2].replace("/", "-").replace(":", "-")
    return f"{place}-{sample}" if sample else place


def calls_page(tournament: Tournament, game: int, rows: Iterable[Mapping[str, Any]]) -> str:
    """One game's calls, HTML.

    Args:
        tournament: whose game it is.
        game: its number.
        rows: of the log, in the order in which they were finished.
    """
    held = list(rows)
    longest = max(_LEAST, min(_FIELD, PAGE // max(1, _FIELDS * len(held))))
    calls = [_call(row, longest) for row in held]
    lead = (
        f"{len(calls)} calls in the order in which they were finished. Requests and replies beyond "
        f"{longest:,} characters are cut here and whole in calls.jsonl."
    )
    return document(
        f"{tournament.name}: calls of game {game}",
        _filled("calls_head.html", game=game, page=f"game-{game:05d}.html"),
        section("Calls", *(_filled("call.html", **call) for call in calls), lead=lead),
        style=_STYLE,
    )


_STYLE = """
pre { white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.85em; }
"""


def _filled(name: str, **data: object) -> Html:
    return render("mirrorenv.debate.output", name, **data)


def _call(row: Mapping[str, Any], longest: int) -> dict[str, Any]:
    """What the template of a call shows."""
    reply = row["reply"]
    usage = reply.get("usage", {})
    cost = "" if not row.get("cost") else f"cost {row['cost']:.6f}"
    facts = [
        reply.get("stop") or "no model",
        f"{usage.get('input', 0):,} + {usage.get('output', 0):,} tokens",
        "estimated" if usage.get("estimated") else "",
        f"{row.get('seconds', 0.0):g} s",
        cost,
        f"{len(reply.get('attempts', ()))} failed tries" if reply.get("attempts") else "",
        _TAKEN.get(row.get("taken", ""), ""),
    ]
    parts = {
        "request": reply.get("request"),
        "reply": reply.get("response"),
        "failed tries": reply.get("attempts") or None,
        "evidence": reply.get("evidence"),
    }
    return {
        "anchor": anchor(row["key"], row["sample"]),
        "key": row["key"].partition("/")[2] + (" (second try)" if row["sample"] else ""),
        "agent": row["agent"],
        "facts": ", ".join(one for one in facts if one),
        "text": reply["text"],
        "thoughts": reply.get("thoughts", ""),
        "parts": [(name, _shown(value)) for name, value in parts.items() if value is not None],
        "longest": longest,
    }


def _shown(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False)
