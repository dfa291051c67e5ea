"""What servers send as an answer: parts, thoughts, refusals, half texts, and why they stopped."""

from __future__ import annotations

import pytest

pytest.importorskip("httpx2", reason="the client comes with the extra llm")

from mirrorenv.llm.answers import STOPS, read_answer, split_thoughts
from mirrorenv.llm.streams import whole_answer
from tests.debate.asking import ask, card, views
from tests.debate.stub import say


def choice(content, finish="stop", **message):
    said = {"role": "assistant", "content": content, **message}
    return {"choices": [{"finish_reason": finish, "message": said}]}


def part(text, kind="text"):
    return {"type": kind, "text": text}


CHAT = {
    "plain": (choice("Tea."), ("Tea.", "", "stop")),
    "parts": (choice([part("Te"), part("a.")]), ("Tea.", "", "stop")),
    "lone texts": (choice(["Te", "a."]), ("Tea.", "", "stop")),
    "output parts": (choice([part("Tea.", "output_text")]), ("Tea.", "", "stop")),
    "value inside": (choice([{"type": "text", "text": {"value": "Tea."}}]), ("Tea.", "", "stop")),
    "pictures": (choice([{"type": "image_url", "image_url": {}}]), ("", "", "empty")),
    "null": (choice(None), ("", "", "empty")),
    "white space": (choice(" \n "), ("", "", "empty")),
    "null at the limit": (choice(None, "length"), ("", "", "thinking")),
    "empty at the limit": (choice("", "max_tokens"), ("", "", "thinking")),
    "thoughts only": (
        choice(None, "length", reasoning_content="Hm."),
        ("", "Hm.", "thinking"),
    ),
    "half a text": (choice("Tea, bec", "length"), ("Tea, bec", "", "length")),
    "other word for it": (choice("Tea, bec", "MAX_TOKENS"), ("Tea, bec", "", "length")),
    "refusal field": (choice(None, refusal="I cannot."), ("I cannot.", "", "refusal")),
    "refusal part": (
        choice([{"type": "refusal", "refusal": "No."}]),
        ("No.", "", "refusal"),
    ),
    "filter": (choice("I like to", "content_filter"), ("", "", "filter")),
    "safety": (choice("I like to", "SAFETY"), ("", "", "filter")),
    "tool": (choice(None, "tool_calls", tool_calls=[{"id": "1"}]), ("", "", "tool")),
    "old tool": (choice(None, "function_call", function_call={"name": "f"}), ("", "", "tool")),
    "tool by stop": (choice("Wait.", "stop", tool_calls=[{"id": "1"}]), ("Wait.", "", "tool")),
    "unknown": (choice("Tea.", "because"), ("Tea.", "", "other")),
    "no reason": (choice("Tea.", None), ("Tea.", "", "stop")),
    "no message": ({"choices": [{"text": "Tea."}]}, ("Tea.", "", "stop")),
    "reasoning": (choice("Tea.", reasoning="Hm."), ("Tea.", "Hm.", "stop")),
    "same by two names": (
        choice("Tea.", reasoning="Hm.", reasoning_content="Hm."),
        ("Tea.", "Hm.", "stop"),
    ),
    "details": (
        choice("Tea.", reasoning_details=[{"type": "reasoning.text", "text": "Hm."}]),
        ("Tea.", "Hm.", "stop"),
    ),
    "thinking part": (
        choice([{"type": "thinking", "thinking": "Hm."}, part("Tea.")]),
        ("Tea.", "Hm.", "stop"),
    ),
    "tags": (choice("<think>\nHm.\n</think>\n\nTea."), ("Tea.", "Hm.", "stop")),
    "open tag": (choice("<think>\nHm. Let me", "length"), ("", "Hm. Let me", "thinking")),
    "open tag, stop": (choice("<think>\nHm. Let me"), ("", "Hm. Let me", "thinking")),
}


@pytest.mark.parametrize("name", CHAT)
def test_an_answer_has_words_thoughts_and_a_reason(name):
    response, (text, thoughts, stop) = CHAT[name]
    found = read_answer(response, "chat")
    assert (found.text, found.thoughts, found.stop) == (text, thoughts, stop)
    assert found.stop in STOPS


def test_responses_say_the_same_in_their_own_form():
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    message = {"type": "message", "content": [part("Tea.", "output_text")]}
    found = read_answer({"output": [thought, message], "status": "completed"}, "responses")
    assert (found.text, found.thoughts, found.stop) == ("Tea.", "Hm.", "stop")
    cut = {"output": [thought], "incomplete_details": {"reason": "max_output_tokens"}}
    assert read_answer(cut, "responses").stop == "thinking"
    called = {"output": [{"type": "function_call", "name": "f"}], "status": "completed"}
    assert read_answer(called, "responses").stop == "tool"
    no = {"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}
    assert read_answer({"output": [no]}, "responses").stop == "refusal"


@pytest.mark.parametrize(
    ("text", "words", "thoughts", "closed"),
    [
        ("<thinking>a</thinking>b", "b", "a", True),
        ("<THINK>a</THINK>\nb", "b", "a", True),
        ("\u25c1think\u25b7a\u25c1/think\u25b7b", "b", "a", True),
        ("a, still a</think>b", "b", "a, still a", True),
        ("<think>a</think>b<think>c</think>d", "bd", "a\n\nc", True),
        ("b\n<reasoning>a", "b", "a", False),
        ("I think <b>so</b>.", "I think <b>so</b>.", "", True),
        ("In HTML, <think> is no tag.", "In HTML, <think> is no tag.", "", True),
        (
            "<|channel|>analysis<|message|>a<|end|><|start|>assistant<|channel|>final<|message|>b",
            "b",
            "a",
            True,
        ),
    ],
)
def test_thoughts_are_found_by_their_tags(text, words, thoughts, closed):
    assert split_thoughts(text) == (words, thoughts, closed)


def test_a_profile_without_tags_takes_content_as_it_is():
    assert split_thoughts("<think>a</think>b", ()) == ("<think>a</think>b", "", True)


def test_a_stream_is_put_together():
    body = (
        'data: {"model": "m", "choices": [{"index": 0, "delta": {"role": "assistant"}}]}\n\n'
        'data: {"choices": [{"index": 0, "delta": {"content": "Te"}}]}\n\n'
        'data: {"choices": [{"index": 0, "delta": {"content": "a."}, "finish_reason": "length"}]}\n'
        'data: {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}\n'
        "data: [DONE]\n"
    )
    whole = whole_answer(body)
    found = read_answer(whole, "chat")
    assert (found.text, found.stop, whole["model"]) == ("Tea.", "length", "m")
    assert whole["usage"]["completion_tokens"] == 2
    assert whole_answer('data: {"error": {"message": "no"}}')["error"] == {"message": "no"}
    assert whole_answer(": ping\n") is None


def test_a_server_that_only_streams_is_understood(stub):
    body = 'data: {"choices": [{"delta": {"content": "Tea."}, "finish_reason": "stop"}]}\n\n'
    stub.answer = lambda _, k: (200, {"content-type": "text/event-stream"}, body)
    reply = ask(card(stub, stream=True), views()[0])
    assert (reply.text, reply.stop) == ("Tea.", "stop")
    assert stub.requests[0]["stream"] is True


def test_thoughts_never_reach_the_text_and_are_kept_beside_it(stub):
    stub.answer = lambda body, k: (200, {}, say("<think>I am P1</think>Tea."))
    reply = ask(card(stub), views()[0])
    assert (reply.text, reply.thoughts, reply.stop) == ("Tea.", "I am P1", "stop")
    assert reply.to_row()["thoughts"] == "I am P1"


def test_fields_of_a_card_are_sent(stub):
    ask(card(stub, reasoning_effort="low", logprobs=True), views()[0])
    assert stub.requests[0]["reasoning_effort"] == "low" and stub.requests[0]["logprobs"] is True
