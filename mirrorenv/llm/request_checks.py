"""The door of the local server: who may ask, in what form, and for how long.

The server listens on loopback, and that is not enough. A web page can have a browser post to it,
and by a name that leads back here (DNS rebinding) can read the answers. So a request must be
addressed to this server by a name of this machine, must not come from a page, and must say that it
is JSON: a browser asks first before it sends that, and is refused.
"""

from __future__ import annotations

import json
import re
import socket
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["LONGEST_BODY", "Door", "Visitor", "error_body"]

LONGEST_BODY = 4 << 20
"""Bytes of a request."""
SECONDS = 15.0
"""For a request to arrive whole, and for a connection to say nothing."""
MOST = 32
"""Connections at once."""
_NAMES = ("127.0.0.1", "localhost", "[::1]")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)  # of a header, RFC 9110
_LENGTH = re.compile(r"[0-9]{1,12}", re.ASCII)


def error_body(message: str) -> dict[str, Any]:
    """An error as the API that is spoken here says it."""
    return {"error": {"message": message[:1000], "type": "invalid_request_error"}}


class Door(ThreadingHTTPServer):
    """A server on loopback with a bounded number of connections, each with a time to ask in."""

    daemon_threads = True
    request_queue_size = MOST

    def __init__(self, port: int, handler: type[Visitor]) -> None:
        self._free = threading.BoundedSemaphore(MOST)
        self._asking: dict[socket.socket, float] = {}  # until when
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection, or say that there are too many."""
        if not self._free.acquire(blocking=False):
            _turn_away(request)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection from its first request to its last."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.answering(request)
            self._free.release()

    def asking(self, connection: socket.socket) -> None:
        """A request is awaited from now on."""
        with self._lock:
            self._asking[connection] = time.monotonic() + SECONDS

    def answering(self, connection: socket.socket) -> None:
        """The request is there as a whole, or its connection has ended."""
        with self._lock:
            self._asking.pop(connection, None)

    def service_actions(self) -> None:
        """End connections whose request has not come in its time; a byte now and then is no
        help."""
        now = time.monotonic()
        with self._lock:
            late = [one for one, until in self._asking.items() if until < now]
            for one in late:
                del self._asking[one]
        for one in late:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:  # it has gone
                continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is nothing to report; a fault of ours is."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


def _turn_away(connection: socket.socket) -> None:
    body = json.dumps(error_body(f"{MOST} connections are open; try again")).encode()
    head = f"HTTP/1.1 503 Busy\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    try:
        connection.settimeout(1.0)
        connection.sendall(head.encode() + body)
    except OSError:
        return


class Visitor(BaseHTTPRequestHandler):
    """A connection: its requests are looked at before anything is computed.

    Subclasses answer in `do_GET` and `do_POST`, which begin with `welcome` and `body`.
    """

    protocol_version = "HTTP/1.1"
    timeout = SECONDS
    server: Door

    def handle_one_request(self) -> None:
        """Await a request and answer it."""
        self.server.asking(self.connection)
        super().handle_one_request()

    def welcome(self) -> bool:
        """Whether it is asked by this machine's name and by no page; if not, that is answered."""
        if not self._plain_heads():
            return self.refuse(400, "a header is a name, a colon and a value in one line")
        port = self.server.server_port
        hosts = self.headers.get_all("host") or []
        known = {
            name for one in _NAMES for name in (f"{one}:{port}", *([one] if port == 80 else []))
        }
        if len(hosts) != 1 or hosts[0].strip().lower() not in known:
            return self.refuse(421, f"ask for 127.0.0.1:{port}: no other host is served")
        near = (None, "none", "same-origin")  # what browsers say of who asks
        if self.headers.get_all("origin") or self.headers.get("sec-fetch-site") not in near:
            return self.refuse(403, "requests of web pages are not answered")
        if self.headers.get_all("transfer-encoding"):
            return self.refuse(411, "a request needs a content-length; chunks are not taken")
        if self.command == "GET":
            self.close_connection |= "content-length" in self.headers  # its body is not read
            self.server.answering(self.connection)
        return True

    def place(self) -> str:
        """The path that is asked for, without a query such as `?api-version=1`."""
        return self.path.partition("?")[0].rstrip("/")

    def _plain_heads(self) -> bool:
        """Whether no header hides from who looks for it: behind a blank before its colon, behind a
        line that is none, or in the next line of another's value."""
        names = all(map(_NAME.fullmatch, self.headers.keys()))
        values = not any("\n" in value or "\r" in value for value in self.headers.values())
        return names and values and not self.headers.defects and not self.headers.get_payload()

    def body(self) -> bytes | None:
        """What was posted; None if it was refused."""
        lengths = self.headers.get_all("content-length") or []
        if len(lengths) != 1 or not _LENGTH.fullmatch(lengths[0].strip()):
            self.refuse(400, "a request needs one content-length, in digits")
            return None
        length = int(lengths[0])
        if length > LONGEST_BODY:
            self.refuse(413, f"a request has at most {LONGEST_BODY} bytes")
            return None
        kind = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            self.refuse(415, "a request is of content-type application/json")
            return None
        try:
            data = self.rfile.read(length)
        except TimeoutError:
            data = b""
        self.server.answering(self.connection)
        if len(data) < length:
            self.refuse(408, f"{length} bytes were announced, and {len(data)} came in time")
            return None
        return data

    def refuse(self, status: int, message: str) -> bool:
        """Answer with an error and end the connection: what is not read of a request would be taken
        for the next. Always False."""
        self.close_connection = True
        self.answer(status, error_body(message))
        return False

    def answer(self, status: int, content: Mapping[str, Any]) -> None:
        """Send an object."""
        out = json.dumps(content).encode()
        try:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(out)))
            self.send_header("x-content-type-options", "nosniff")
            if self.close_connection:
                self.send_header("connection", "close")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(out)
        except OSError:  # who asked has gone
            self.close_connection = True

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses (lines too long, methods unknown), in the same form.

        Args:
            code: of the answer.
            message: what is wrong, if it is known.
            explain: not told.
        """
        self.request_version = self.protocol_version  # what said another still gets a status
        self.command = self.command or ""
        self.refuse(code, message or "this request is not understood")

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: prompts and addresses are private."""
