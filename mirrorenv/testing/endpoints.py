"""Servers of language models that misbehave in one way each, on loopback: for checking clients.

Each :class:`EndpointFault` says what a client may make of it: the words it should read, or None
where there is no whole answer and something has to be said.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["ENDPOINT_FAULTS", "WORDS", "EndpointFault", "faulty_endpoint"]

WORDS = "Tea, by the harbour."
Sent = tuple[int, dict[str, str], bytes]


@dataclass(frozen=True)
class EndpointFault:
    """One way to misbehave.

    Attributes:
        name: of the fault.
        sent: what is sent for the k-th request, from 0: status, headers, body.
        right: what a client should read; None if there is no whole answer.
        pause: seconds between the bytes of the body; 0 sends it at once.
        cut: bytes of the body that are announced and never sent.
    """

    name: str
    sent: Callable[[int], Sent]
    right: str | None = None
    pause: float = 0.0
    cut: int = 0


def _choice(
    content: Any, finish: str | None = "stop", usage: Any = (50, 20), **more: Any
) -> dict[str, Any]:
    message = {"role": "assistant", "content": content, **more}
    counted = usage
    if isinstance(usage, tuple):
        counted = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return {"model": "m", "choices": [{"finish_reason": finish, "message": message}]} | (
        {} if usage is None else {"usage": counted}
    )


def _send(body: Any, status: int = 200, **headers: str) -> Callable[[int], Sent]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = (status, {"content-type": "application/json", **named}, data)
    return lambda k: sent


def _once(first: Callable[[int], Sent]) -> Callable[[int], Sent]:
    """Misbehave for the first request only."""
    good = _send(_choice(WORDS))
    return lambda k: first(k) if k == 0 else good(k)


def _error(message: str, code: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "code": code}}


_PART = {"type": "text", "text": WORDS}
_STREAM = "".join(
    f"data: {json.dumps({'choices': [{'delta': {'content': word}}]})}\n\n"
    for word in ("Tea, by ", "the harbour.")
)
_PAGE = b"<!doctype html><title>A web interface</title>"
_FAULTS = [
    EndpointFault("none at all", _send(_choice(WORDS)), WORDS),
    EndpointFault("content in parts", _send(_choice([_PART])), WORDS),
    EndpointFault("content null", _send(_choice(None))),
    EndpointFault("content empty", _send(_choice(""))),
    EndpointFault("content a number", _send(_choice(7))),
    EndpointFault("limit spent on thinking", _send(_choice(None, "length", reasoning="Hm."))),
    EndpointFault("thoughts in tags", _send(_choice(f"<think>I am P1</think>{WORDS}")), WORDS),
    EndpointFault("thoughts never closed", _send(_choice("<think>I am P1. Now", "length"))),
    EndpointFault("thoughts never opened", _send(_choice(f"I am P1</think>{WORDS}")), WORDS),
    EndpointFault("thoughts in a field", _send(_choice(WORDS, reasoning_content="Hm.")), WORDS),
    EndpointFault("half a text", _send(_choice("Tea, by", "length"))),
    EndpointFault("filtered", _send(_choice("Tea, by", "content_filter"))),
    EndpointFault("refusal", _send(_choice(None, refusal="I cannot."))),
    EndpointFault("tool call", _send(_choice(None, "tool_calls", tool_calls=[{"id": "1"}]))),
    EndpointFault("unknown reason to stop", _send(_choice("Tea, by", "because"))),
    EndpointFault("choice with an error", _send(_choice("Tea, by", "error"))),
    EndpointFault("no choices", _send({"choices": [], "usage": {}})),
    EndpointFault("no choices once", _once(_send({"choices": []})), WORDS),
    EndpointFault("error inside 200", _send(_error("upstream failed", 502))),
    EndpointFault("quota inside 200", _send(_error("Insufficient credits", 402))),
    EndpointFault("JSON null", _send(None)),
    EndpointFault("a JSON list", _send([])),
    EndpointFault("empty body", _send(b"")),
    EndpointFault("half of the JSON", _send(json.dumps(_choice(WORDS)).encode()[:60])),
    EndpointFault(
        "mark before the JSON", _send(b"\xef\xbb\xbf" + json.dumps(_choice(WORDS)).encode()), WORDS
    ),
    EndpointFault("web page", _send(_PAGE, content_type="text/html")),
    EndpointFault(
        "event stream",
        _send(f"{_STREAM}data: [DONE]\n".encode(), content_type="text/event-stream"),
        WORDS,
    ),
    EndpointFault(
        "stream breaks off",
        _send(_STREAM.encode(), content_type="text/event-stream"),
    ),
    EndpointFault(
        "stream with an error",
        _send(b'data: {"error": {"message": "no"}}\n\n', content_type="text/event-stream"),
    ),
    EndpointFault(
        "packed",
        _send(gzip.compress(json.dumps(_choice(WORDS)).encode()), content_encoding="gzip"),
        WORDS,
    ),
    EndpointFault("broken packing", _send(b"no gzip", content_encoding="gzip")),
    EndpointFault("redirect", _send(b"", 307, location="http://127.0.0.1:9/v1")),
    EndpointFault("400, profile", _send(_error("unknown field max_tokens"), 400)),
    EndpointFault("400, filter", _send(_error("content policy", "content_filter"), 400)),
    EndpointFault("400, too long", _send(_error("maximum context length is 9"), 400)),
    EndpointFault("401", _send(_error("wrong key"), 401)),
    EndpointFault("402", _send(_error("pay"), 402)),
    EndpointFault("403, moderation", _send(_error("your input was flagged"), 403)),
    EndpointFault("404, model", _send(_error("model 'm' not found"), 404)),
    EndpointFault("404, address", _send({"detail": "Not Found"}, 404)),
    EndpointFault("429 once", _once(_send(_error("slow down"), 429, retry_after="0")), WORDS),
    EndpointFault(
        "429, past date",
        _once(_send(_error("slow"), 429, retry_after="Wed, 21 Oct 2015 07:28:00 GMT")),
        WORDS,
    ),
    EndpointFault("429, for good", _send(_error("slow down"), 429)),
    EndpointFault("429, quota", _send(_error("no quota", "insufficient_quota"), 429)),
    EndpointFault("500 once", _once(_send(b"x" * 5000, 500)), WORDS),
    EndpointFault("503 for good", _send(_error("loading"), 503)),
    EndpointFault("drips", _send(_choice(WORDS)), pause=0.05),
    EndpointFault("breaks off", _send(_choice(WORDS)), cut=10),
    EndpointFault("endless", _send(b'{"choices": "' + b"a" * 6_000_000)),
    EndpointFault("counts nothing", _send(_choice(WORDS, usage=(0, 0))), WORDS),
    EndpointFault("counts in words", _send(_choice(WORDS, usage="many")), WORDS),
    EndpointFault("does not count", _send(_choice(WORDS, usage=None)), WORDS),
]
ENDPOINT_FAULTS: dict[str, EndpointFault] = {fault.name: fault for fault in _FAULTS}
"""Every fault by name; the first is none, for comparison."""


@dataclass
class FaultyEndpoint:
    """A server at work.

    Attributes:
        url: its address, up to and with `/v1`.
        bodies: what it was asked, as JSON.
    """

    url: str = ""
    bodies: list[Any] = field(default_factory=list)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients go away while they are being answered, and that is tested."""


@contextmanager
def faulty_endpoint(fault: EndpointFault) -> Iterator[FaultyEndpoint]:
    """A server that misbehaves in one way, on a free port of this machine.

    Args:
        fault: the way.

    Yields:
        the server.
    """
    made = FaultyEndpoint()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            made.bodies.append(json.loads(body))
            status, headers, data = fault.sent(len(made.bodies) - 1)
            try:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data) + fault.cut))
                self.end_headers()
                _write(self, data, fault.pause)
                if fault.cut:
                    self.close_connection = True
            except OSError:  # who asked has gone
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}/v1"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()


def _write(handler: BaseHTTPRequestHandler, data: bytes, pause: float) -> None:
    if not pause:
        handler.wfile.write(data)
        return
    for place in range(len(data)):
        handler.wfile.write(data[place : place + 1])
        handler.wfile.flush()
        time.sleep(pause)
