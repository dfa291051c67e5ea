"""The two forms of a request: Chat Completions, which every server speaks, and Responses, which
some do.

A body is put together for Chat Completions; :func:`to_responses` says the same in the other form.
Nothing is kept on the server: ``store`` is false, and each call brings its whole context.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

__all__ = ["PATHS", "Api", "answered", "text_of", "to_responses", "tokens_of"]

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


def answered(response: Any, api: Api) -> bool:
    """Whether a reply has the outer form of an answer."""
    parts = (
        response.get("choices" if api == "chat" else "output")
        if isinstance(response, dict)
        else None
    )
    return isinstance(parts, list) and bool(parts)


def text_of(response: Mapping[str, Any], api: Api) -> str:
    """The words of an answer; "" where there are none."""
    if api == "chat":
        first = response["choices"][0]
        message = first.get("message") if isinstance(first, dict) else None
        text = message.get("content") if isinstance(message, dict) else None
        return text if isinstance(text, str) else ""
    found = []
    for item in response["output"]:  # reasoning items come beside messages
        parts = (
            item.get("content")
            if isinstance(item, dict) and item.get("type") == "message"
            else None
        )
        for part in parts if isinstance(parts, list) else ():
            text = (
                part.get("text")
                if isinstance(part, dict) and part.get("type") == "output_text"
                else None
            )
            found.append(text if isinstance(text, str) else "")
    return "".join(found)


def tokens_of(response: Mapping[str, Any]) -> tuple[int, int] | None:
    """Tokens read and written, as the server counted them; None where it did not."""
    counted = response.get("usage")
    if isinstance(counted, dict):
        for names in (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")):
            read, written = (counted.get(name) for name in names)
            if isinstance(read, int) and isinstance(written, int) and min(read, written) >= 0:
                return read, written
    return None
