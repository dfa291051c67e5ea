"""What came back: the words, the thoughts, and why the writing stopped.

Servers agree on little. Content comes as a text or in parts; thoughts come in fields of their own,
in parts, or inside the content between tags; a reason to stop comes by a dozen names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mirrorenv.llm.wire import Api

__all__ = ["NO_WORDS", "STOPS", "TAGS", "Answer", "read_answer", "split_thoughts"]

STOPS: dict[str, str] = {
    "stop": "ended by the model itself",
    "length": "cut short by the limit of tokens; taken as it is",
    "thinking": "the limit was spent on thinking; nothing was said",
    "empty": "nothing was said",
    "refusal": "the model declined; its words are taken, if there are any",
    "filter": "withheld by a filter; nothing is taken of it",
    "tool": "a tool was called; beside it nothing, or half a text, was said",
    "refused": "the server refuses this request for good; nothing is taken of it",
    "other": "a reason that is not known here",
}
"""Why an answer ended, and what is made of it."""

NO_WORDS = ("thinking", "empty", "filter", "refused")
"""Reasons to stop that leave nothing to show to others."""

TAGS: tuple[str, ...] = ("think", "thinking", "thought", "thoughts", "reasoning", "reflection")
"""Tags between which models think aloud inside their content."""

_REASONS = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "complete": "stop",
    "length": "length",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "model_length": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "filter",
    "content-filter": "filter",
    "contentfilter": "filter",
    "safety": "filter",
    "recitation": "filter",
    "blocklist": "filter",
    "prohibited_content": "filter",
    "sensitive": "filter",
    "refusal": "refusal",
    "tool_calls": "tool",
    "tool_call": "tool",
    "tool_use": "tool",
    "function_call": "tool",
}
_THOUGHT_FIELDS = ("reasoning_content", "reasoning", "thinking", "thoughts", "reasoning_text")
_THOUGHT_PARTS = {"thinking", "reasoning", "thought", "reasoning_text", "summary_text"}
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+).*?<\|message\|>", re.DOTALL)
_MARK = re.compile(r"<\|[a-z_]+\|>")


@dataclass(frozen=True)
class Answer:
    """One answer of a server.

    Attributes:
        text: its words, without thoughts; "" if there are none.
        thoughts: what the model thought aloud; never shown to other players.
        stop: one of :data:`STOPS`.
        reason: what the server called it.
    """

    text: str
    thoughts: str = ""
    stop: str = "stop"
    reason: str = ""


def read_answer(response: Mapping[str, Any], api: Api, tags: Sequence[str] = TAGS) -> Answer:
    """The answer in a response that has the outer form of one.

    Args:
        response: JSON of the server; :func:`mirrorenv.llm.failures.broken_answer` found it whole.
        api: which form it has.
        tags: of thoughts inside the content; empty to take content as it is.
    """
    said = _Said(tags)
    reason = _from_chat(response, said) if api == "chat" else _from_output(response, said)
    return said.answer(reason)


def split_thoughts(text: str, tags: Sequence[str] = TAGS) -> tuple[str, str, bool]:
    """Content without the thoughts in it.

    A pair of tags holds thoughts wherever it stands. Behind an opening tag at the start of a line
    that is never closed, everything is thought; so is everything before a closing tag that was
    never opened, because some templates open it in the prompt.

    Args:
        text: content.
        tags: names of tags, without brackets.

    Returns:
        words, thoughts, and whether the thoughts were closed.
    """
    text, thoughts = _channels(text)
    if not tags:
        return text, thoughts, True
    names = "|".join(map(re.escape, tags))
    pairs = re.compile(rf"[<\u25c1]({names})[>\u25b7](.*?)[<\u25c1]/\1[>\u25b7]", re.DOTALL | re.I)
    found = [thoughts] if thoughts else []
    found += [match[2].strip() for match in pairs.finditer(text)]
    text = pairs.sub("", text)
    closing = list(re.finditer(rf"[<\u25c1]/(?:{names})[>\u25b7]", text, re.I))
    if closing:
        found.append(text[: closing[-1].start()].strip())
        text = text[closing[-1].end() :]
    opening = re.search(rf"^\s*[<\u25c1](?:{names})[>\u25b7]", text, re.I | re.M)
    if opening:
        found.append(text[opening.end() :].strip())
        text = text[: opening.start()]
    # a page's words stay as they are where nothing was taken out
    words = text.strip() if found else text
    return words, "\n\n".join(thought for thought in found if thought), opening is None


def _channels(text: str) -> tuple[str, str]:
    """Words of the last channel, and those of the others, of a model that writes in channels."""
    parts = list(_CHANNEL.finditer(text))
    if not parts:
        return text, ""
    bounds = [*(part.start() for part in parts[1:]), len(text)]
    words: list[str] = []
    thoughts: list[str] = []
    for part, end in zip(parts, bounds, strict=True):
        said = _MARK.sub("", text[part.end() : end].split("<|end|>")[0]).strip()
        (words if part[1] == "final" else thoughts).append(said)
    return "\n".join(words), "\n\n".join(thoughts)


class _Said:
    """What is gathered from a response."""

    def __init__(self, tags: Sequence[str]) -> None:
        self.tags = tags
        self.words: list[str] = []
        self.thoughts: list[str] = []
        self.refusal = ""
        self.tool = False

    def content(self, content: Any) -> None:
        """Take content: a text, or parts of any kind."""
        if isinstance(content, str):
            self.words.append(content)
        elif isinstance(content, Mapping):
            self.part(content)
        elif isinstance(content, list):
            for part in content:
                self.content(part)

    def part(self, part: Mapping[str, Any]) -> None:
        """Take one part of a content."""
        kind = str(part.get("type", "text"))
        text = part.get("text", part.get("content", part.get(kind)))
        if isinstance(text, Mapping):  # {"text": {"value": "..."}}
            text = text.get("value")
        if kind in _THOUGHT_PARTS or part.get("thought") is True:
            self.thoughts += _texts(text)
        elif kind == "refusal":
            self.refusal += "".join(_texts(part.get("refusal", text)))
        elif kind in ("tool_use", "tool_call", "function_call"):
            self.tool = True
        elif "text" in kind:
            self.words += _texts(text)

    def answer(self, reason: str) -> Answer:
        """What it comes to."""
        words, thoughts, closed = split_thoughts("".join(self.words), self.tags)
        thoughts = "\n\n".join(part for part in (*self.thoughts, thoughts) if part.strip())
        stop = _REASONS.get(reason.lower(), "other" if reason else "stop")
        if self.refusal:
            words, stop = words or self.refusal, "refusal"
        elif self.tool and stop in ("stop", "other"):
            stop = "tool"
        if stop == "filter":
            words = ""
        elif not words.strip() and stop in ("stop", "length", "other"):
            words = ""
            stop = "thinking" if thoughts and (stop == "length" or not closed) else "empty"
            if stop == "empty" and reason.lower() in ("length", "max_tokens", "max_output_tokens"):
                stop = "thinking"  # tokens were spent and none is shown
        return Answer(words, thoughts, stop, reason)


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    if isinstance(value, Mapping):
        return _texts(value.get("text", value.get("content", value.get("summary"))))
    return []


def _from_chat(response: Mapping[str, Any], said: _Said) -> str:
    choice = response["choices"][0]
    if not isinstance(choice, Mapping):
        return ""
    message = choice.get("message")
    if not isinstance(message, Mapping):
        message = {"content": choice.get("text")}
    fields = [text for name in _THOUGHT_FIELDS for text in _texts(message.get(name))]
    fields = fields or _texts(message.get("reasoning_details"))
    said.thoughts += dict.fromkeys(fields)  # routers send the same by two names
    said.content(message.get("content"))
    if isinstance(message.get("refusal"), str):
        said.refusal = message["refusal"]
    said.tool = said.tool or bool(message.get("tool_calls") or message.get("function_call"))
    reason = choice.get("finish_reason") or choice.get("native_finish_reason") or ""
    return reason if isinstance(reason, str) else str(reason)


def _from_output(response: Mapping[str, Any], said: _Said) -> str:
    for item in response["output"]:
        if not isinstance(item, Mapping):
            continue
        kind = str(item.get("type", ""))
        if kind == "message":
            said.content(item.get("content"))
        elif kind == "reasoning":
            said.thoughts += _texts(item.get("summary")) + _texts(item.get("content"))
        elif kind.endswith("_call"):
            said.tool = True
    incomplete = response.get("incomplete_details")
    if isinstance(incomplete, Mapping) and incomplete.get("reason"):
        return str(incomplete["reason"])
    return str(response.get("status") or "")
