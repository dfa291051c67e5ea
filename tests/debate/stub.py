"""An OpenAI-compatible server on loopback that does as it is told: answers, refuses, dawdles,
forgets."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Stub:
    """What was asked, and what to answer.

    Attributes:
        answer: from the body and the number of the request to (status, headers, body); a body of
            str is sent as it is.
        latency: seconds for each answer.
        requests: bodies in order; headers beside them.
        highest: most requests in hand at once.
    """

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any], int], tuple[int, dict[str, str], Any]] = (
            lambda body, k: (
                200,
                {},
                say("words"),
            )
        )
        self.latency = 0.0
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.now = self.highest = 0
        self.lock = threading.Lock()
        self.url = ""


def say(text, usage=True, **more):
    counted = (
        {"usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}
        if usage
        else {}
    )
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "message": {"role": "assistant", "content": text},
    }
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": "stub-1",
        "choices": [choice],
        **counted,
        **more,
    }


def player_like(body, k):
    """Answers that a model could give: words, or a verdict where one is asked for."""
    asked = body["messages"][-1]["content"]
    if "Who wrote which" in asked:
        return 200, {}, say('{"A": "P1", "B": "P2", "C": "P3", "D": "P4"}')
    return 200, {}, say(f"an answer of {len(asked)} letters")


@contextmanager
def serving() -> Iterator[Stub]:
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            with stub.lock:
                stub.requests.append({**body, "path": self.path})
                stub.headers.append(dict(self.headers))
                number = len(stub.requests) - 1
                stub.now += 1
                stub.highest = max(stub.highest, stub.now)
            time.sleep(stub.latency)
            status, headers, answer = stub.answer(body, number)
            data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
            with stub.lock:
                stub.now -= 1
            try:
                self.send_response(status)
                for name, value in {"content-type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:  # who asked has gone
                pass

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    stub.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
    )
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
