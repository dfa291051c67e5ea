"""The local server answers its own machine, whatever comes through the socket, and no web page."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mirrorenv.llm import request_checks, serve
from mirrorenv.llm.request_checks import Door

BODY = json.dumps({"messages": [{"role": "user", "content": "hello"}]})


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """A server whose model says how often it was asked."""
    asked: list[Any] = []

    def answer(engine: Any, name: str, body: Any) -> dict[str, Any]:
        asked.append(body)
        return {"asked": len(asked)}

    monkeypatch.setattr(serve, "answer", answer)
    monkeypatch.setattr(request_checks, "SECONDS", 0.6)
    monkeypatch.setattr(request_checks.Visitor, "timeout", 0.6)
    made = serve.server_of(None, "small")  # type: ignore[arg-type]
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def reach(server: Door) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server_port), timeout=10)


def spoken(server: Door, text: str | bytes) -> tuple[int, dict[str, Any]]:
    """Status and object that come back for what is written; 0 if nothing does."""
    with reach(server) as line:
        line.sendall(text.encode() if isinstance(text, str) else text)
        heard = b""
        while part := line.recv(1 << 16):
            heard += part
            head, _, rest = heard.partition(b"\r\n\r\n")
            if b"content-length: %d\r\n" % len(rest) in head + b"\r\n":
                break
    if not heard:
        return 0, {}
    return int(heard.split()[1]), json.loads(rest)


def post(server: Door, *heads: str, host: str = "127.0.0.1", body: str = BODY, **said: str) -> str:
    """A request as text; heads replace the ordinary ones of the same name."""
    ordinary = {
        "host": f"{host}:{server.server_port}",
        "content-type": "application/json",
        "content-length": str(len(body.encode())),
        **{name.replace("_", "-"): value for name, value in said.items()},
    }
    lines = [f"{name}: {value}" for name, value in ordinary.items() if value != "-"]
    head = "\r\n".join(["POST /v1/chat/completions HTTP/1.1", *lines, *heads])
    return f"{head}\r\n\r\n{body}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])
def test_this_machine_is_answered(server: Door, host: str) -> None:
    assert spoken(server, post(server, host=host)) == (200, {"asked": 1})
    status, models = spoken(
        server, f"GET /v1/models HTTP/1.1\r\nhost: {host}:{server.server_port}\r\n\r\n"
    )
    assert status == 200 and models["data"][0]["id"] == "small"


REFUSED = {
    "another host": ({"host": "evil.example"}, (), 421),
    "no host": ({"said": {"host": "-"}}, (), 421),
    "another port": ({"said": {"host": "127.0.0.1:1"}}, (), 421),
    "two hosts": ({}, ("host: evil.example",), 421),
    "a page": ({}, ("origin: http://evil.example",), 403),
    "a page without a name": ({}, ("origin: null",), 403),
    "a page of this machine": ({}, ("origin: http://127.0.0.1:3000",), 403),
    "a page that says no origin": ({}, ("sec-fetch-site: cross-site",), 403),
    "a page behind a blank": ({}, ("origin : http://evil.example",), 400),
    "a page behind a tab": ({}, ("origin\t: http://evil.example",), 400),
    "a page behind a line that is none": ({}, ("nonsense", "origin: http://evil.example"), 400),
    "a page in a folded line": ({}, ("x: y", " origin: http://evil.example"), 400),
    "a page behind an empty name": ({}, (": y", "origin: http://evil.example"), 400),
    "chunks behind a blank": ({}, ("transfer-encoding : chunked",), 400),
    "text": ({"said": {"content_type": "text/plain"}}, (), 415),
    "a form": ({"said": {"content_type": "application/x-www-form-urlencoded"}}, (), 415),
    "no type": ({"said": {"content_type": "-"}}, (), 415),
    "chunks": ({"said": {"content_length": "-"}}, ("transfer-encoding: chunked",), 411),
    "chunks and a length": ({}, ("transfer-encoding: chunked",), 411),
    "no length": ({"said": {"content_length": "-"}}, (), 400),
    "two lengths": ({}, ("content-length: 3",), 400),
    "a negative length": ({"said": {"content_length": "-1"}}, (), 400),
    "a signed length": ({"said": {"content_length": "+5"}}, (), 400),
    "a length in hex": ({"said": {"content_length": "0x10"}}, (), 400),
    "a length with a dash": ({"said": {"content_length": "1_0"}}, (), 400),
    "a length of 5000 digits": ({"said": {"content_length": "9" * 5000}}, (), 400),
    "a length in superscript": ({"said": {"content_length": "\N{SUPERSCRIPT TWO}"}}, (), 400),
    "a length in Arabic digits": (
        {"said": {"content_length": "\N{ARABIC-INDIC DIGIT FIVE}"}},
        (),
        400,
    ),
    "a huge length": ({"said": {"content_length": str(1 << 30)}}, (), 413),
    "no JSON": ({"body": "{"}, (), 400),
    "no object": ({"body": "[]"}, (), 400),
    "twins": ({"body": '{"messages": [], "messages": []}'}, (), 400),
    "half a character": (
        {"body": '{"messages": [{"role": "user", "content": "x\\ud800"}]}'},
        (),
        400,
    ),
    "half a character in a key": ({"body": '{"\\udfff": 1}'}, (), 400),
    "NaN": ({"body": '{"temperature": NaN}'}, (), 400),
    "deep": ({"body": "[" * 50_000}, (), 400),
    "many parts": ({"body": "[" + "[]," * 1_200_000 + "[]]"}, (), 400),
    "digits": ({"body": '{"seed": ' + "9" * 5000 + "}"}, (), 400),
}


@pytest.mark.parametrize("what", REFUSED)
def test_others_are_refused_in_the_form_of_the_api(server: Door, what: str) -> None:
    options, heads, status = REFUSED[what]
    said = options.get("said", {})
    rest = {key: value for key, value in options.items() if key != "said"}
    found, body = spoken(server, post(server, *heads, **rest, **said))
    assert found == status and len(body["error"]["message"]) <= 1000
    assert spoken(server, post(server)) == (200, {"asked": 1})  # nothing of it was computed


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("PUT / HTTP/1.1\r\nhost: x\r\n\r\n", 501),
        ("GET / HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\r\n", 404),
        ("GET " + "/" * 70_000 + " HTTP/1.1\r\n\r\n", 414),
        ("GET / HTTP/1.1\r\n" + "a: b\r\n" * 200 + "\r\n", 431),
        ("nonsense\r\n\r\n", 400),
        (b"\xff\xfe\x00\r\n\r\n", 400),
        ("GET / HTTP/9.9\r\n\r\n", 505),
    ],
)
def test_what_is_no_request_is_answered_too(server: Door, text: str | bytes, status: int) -> None:
    if isinstance(text, str):
        text = text.replace("{port}", str(server.server_port))
    found, body = spoken(server, text)
    assert found == status and body["error"]["message"]


def test_what_was_not_read_is_no_next_request(server: Door) -> None:
    hidden = post(server)
    smuggled = post(server, "transfer-encoding: chunked") + hidden
    status, _ = spoken(server, smuggled)
    assert status == 411
    assert spoken(server, post(server)) == (200, {"asked": 1})


@pytest.mark.parametrize(
    "part", ["POST /v1", "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n", ""]
)
def test_half_a_request_is_ended(server: Door, part: str) -> None:
    with reach(server) as line:
        line.sendall(part.encode())
        assert line.recv(100) == b""


def test_half_a_body_is_told_so(server: Door) -> None:
    status, body = spoken(server, post(server, content_length="5000"))
    assert status in (0, 408) and (not status or "in time" in body["error"]["message"])


def test_a_byte_now_and_then_does_not_hold_a_connection(server: Door) -> None:
    begun = time.monotonic()
    with reach(server) as line:
        try:
            while time.monotonic() < begun + 20:
                line.sendall(b"x")
                time.sleep(0.1)
        except OSError:
            pass
    assert time.monotonic() < begun + 20


def test_connections_and_threads_are_bounded(server: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    before = threading.active_count()
    held = [reach(server) for _ in range(request_checks.MOST + 40)]
    try:
        time.sleep(0.3)
        assert threading.active_count() <= before + request_checks.MOST
        heard = [line.recv(400) for line in held]
        assert any(b"503" in one for one in heard)
    finally:
        for line in held:
            line.close()
    deadline = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert spoken(server, post(server)) == (200, {"asked": 1})


def test_a_fault_of_the_model_is_told_and_the_server_goes_on(
    server: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(engine: Any, name: str, body: Any) -> dict[str, Any]:
        raise ZeroDivisionError("no model")

    with monkeypatch.context() as patch:
        patch.setattr(serve, "answer", broken)
        status, body = spoken(server, post(server))
    assert status == 500 and "no model" in body["error"]["message"]
    assert spoken(server, post(server)) == (200, {"asked": 1})


def test_several_requests_come_through_one_connection(server: Door) -> None:
    with reach(server) as line:
        for number in (1, 2, 3):
            line.sendall(post(server).encode())
            heard = b""
            while b"asked" not in heard:
                heard += line.recv(1000)
            assert f'"asked": {number}'.encode() in heard
