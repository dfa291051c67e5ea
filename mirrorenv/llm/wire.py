"""The two forms of a request: Chat Completions, which every server speaks, and Responses, which
some do.

A body is put together for Chat Completions; :func:`to_responses` says the same in the other form.
Nothing is kept on the server: `store` is false, and each call brings its whole context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["PATHS", "Api", "to_responses"]

Api = Literal["chat", "responses"]
PATHS: dict[Api, str] = {"chat": "/chat/completions", "responses": "/responses"}


def to_responses(body: Mapping[str, Any]) -> dict[str, Any]:
    """A body for Chat Completions in the form of the Responses API: instructions, input, most
    tokens, form of text."""
    said = {
        name: value for name, value in body.items() if name not in ("messages", "response_format")
    }
    for limit in ("max_tokens", "max_completion_tokens"):
        if limit in said:
            said["max_output_tokens"] = said.pop(limit)
    turns = [message for message in body["messages"] if message["role"] in ("user", "assistant")]
    told = [message["content"] for message in body["messages"] if message not in turns]
    if told:
        said["instructions"] = "\n\n".join(told)
    form = body.get("response_format")
    if form is not None:
        said["text"] = {"format": {"type": form["type"], **form.get(form["type"], {})}}
    return {"store": False, **said, "input": turns}
