"""An answer that came as an event stream, put together as if it had come whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mirrorenv.results.runs.files import parse_json

__all__ = ["whole_answer"]


def whole_answer(text: str) -> Any:
    """The one answer that a stream of Chat Completions or Responses events amounts to.

    Args:
        text: the body; lines of `data: {...}`.

    Returns:
        JSON as a server that does not stream would have sent it; the error of the stream, if it
        holds one; None if there is no event in it.

    Raises:
        ValueError: if an event is no JSON.
    """
    whole: dict[str, Any] | None = None
    for event in _events(text):
        if not isinstance(event, Mapping):
            continue
        if event.get("error"):
            return {"error": event["error"], "usage": event.get("usage")}
        if isinstance(event.get("response"), Mapping) and event["response"].get("output"):
            whole = dict(event["response"])  # Responses: the last event holds everything
        elif isinstance(event.get("choices"), list):
            whole = _joined(whole, event)
    if whole is not None and "[DONE]" not in text and not _ended(whole):
        return {"error": {"message": "the event stream broke off"}, "usage": whole.get("usage")}
    return whole


def _ended(whole: Mapping[str, Any]) -> bool:
    """Whether the server said that this is all."""
    if "choices" not in whole:
        return True  # Responses: the event that holds everything is the last one
    return bool(whole["choices"][0].get("finish_reason"))


def _events(text: str) -> Iterator[Any]:
    for line in text.splitlines():
        if line.startswith("data:"):
            data = line.removeprefix("data:").strip()
            if data and data != "[DONE]":
                yield parse_json(data, constants=True)


def _joined(whole: dict[str, Any] | None, event: Mapping[str, Any]) -> dict[str, Any]:
    if whole is None:
        choice: dict[str, Any] = {"index": 0, "finish_reason": None, "message": {}}
        whole = {**event, "object": "chat.completion", "choices": [choice]}
    whole.update({name: event[name] for name in ("usage", "model") if event.get(name)})
    choice = whole["choices"][0]
    for part in event["choices"]:
        if not isinstance(part, Mapping) or part.get("index", 0) != 0:
            continue
        choice["finish_reason"] = part.get("finish_reason") or choice["finish_reason"]
        delta = part.get("delta", part.get("message"))
        for name, value in (delta if isinstance(delta, Mapping) else {}).items():
            before = choice["message"].get(name)
            if value is not None:
                grows = name != "role" and isinstance(value, str | list)
                joins = grows and type(before) is type(value)
                choice["message"][name] = before + value if joins else value
    return whole
