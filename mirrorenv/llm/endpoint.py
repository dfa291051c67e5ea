"""A client for any OpenAI-compatible server that keeps every failed try. Needs the extra `llm`.

There is one retry policy, made of tenacity's parts, so that each try, wait and refusal can be
logged. How many requests are in flight is the business of the
:class:`~mirrorenv.llm.rate_limit.Gate`, which all clients of one address share. The key is taken
out of everything that is returned or raised.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

import httpx2
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from mirrorenv.llm.asking import CallFailed, FailedTry
from mirrorenv.llm.failures import Failure, broken_answer, refusal, server_words
from mirrorenv.llm.rate_limit import Gate
from mirrorenv.llm.secrets import Scrubber
from mirrorenv.llm.streams import whole_answer
from mirrorenv.llm.transport import client_for, connection_failure
from mirrorenv.llm.wire import PATHS, Api
from mirrorenv.results.runs.files import parse_json

__all__ = ["LARGEST", "Connection", "EndpointAnswer", "EndpointClient"]

LARGEST = 4_000_000
"""Bytes of an answer that are read at most, unpacked: some hundred times the longest one."""

_FIRST_WAIT = 0.5  # seconds; doubled with each further try
_TOO_MANY = 429
_BROKEN_ANSWER = 502  # the status under which an answer that is none is logged


_Sent = tuple[httpx2.Response, bytes]


class TransientError(Exception):
    """A failure after which the same request may succeed."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.said)
        self.failure = failure


@dataclass(frozen=True)
class Connection:
    """Where a server is and how patiently it is asked.

    Attributes:
        who: on whose behalf, for messages.
        base_url: address of the API, up to and with `/v1`.
        key: sent as the bearer token; empty for none.
        key_name: the environment variable it came from; empty for none.
        model: the server's name of the model.
        api: which form of request the server takes.
        retries: further tries after a transient failure.
        longest_wait: seconds waited at most before one further try.
    """

    who: str
    base_url: str
    key: str
    api: Api
    retries: int
    longest_wait: float
    key_name: str = ""
    model: str = ""

    @property
    def places(self) -> dict[str, str]:
        """What a failure may close, by scope: names at the gate of the address."""
        return {
            "address": "address",
            "key": f"key {self.key_name}",
            "card": f"model {self.model} key {self.key_name}",
        }


@dataclass(frozen=True)
class EndpointAnswer:
    """What a server answered.

    Attributes:
        response: its JSON, without the key.
        failed: tries that failed before.
    """

    response: dict[str, Any]
    failed: tuple[FailedTry, ...]


class EndpointClient:
    """Asks one server.

    Args:
        connection: where and how.
        gate: shared by all clients of the address.

    Raises:
        ConfigError: if a proxy or a certificate file of the environment cannot be used.
    """

    def __init__(self, connection: Connection, gate: Gate) -> None:
        self.connection = connection
        self.gate = gate
        self._keys = [connection.key]
        self._url = f"{connection.base_url}{PATHS[connection.api]}"
        self._headers = {
            "accept": "application/json",
            "content-type": "application/json",
            "user-agent": "mirrorenv",
        }
        if connection.key:
            self._headers["authorization"] = f"Bearer {connection.key}"
        client_for(connection.base_url, connection.who)  # says now what would not work later
        self._client: httpx2.AsyncClient | None = None

    def share_keys(self, keys: list[str]) -> None:
        """Take the keys of other clients out of what comes back, too: one server may be told
        several.

        Args:
            keys: of all clients of a run; this one's is added.
        """
        keys.append(self.connection.key)
        self._keys = keys

    @property
    def _scrub(self) -> Scrubber:
        return _scrubber(frozenset(self._keys))

    @property
    def closed(self) -> str | None:
        """Why no further request is sent; None while requests are sent."""
        return self.gate.closed_for(self.connection.places.values())

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def ask(self, body: Mapping[str, Any], timeout: float) -> EndpointAnswer:
        """Send a request until it is answered, or until trying again is of no use.

        Args:
            body: of the request, in the form of the connection's API.
            timeout: seconds for one try, from the first byte sent to the last one received.

        Raises:
            CallFailed: with every try; the message names the remedy where one is known.
        """
        failed: list[FailedTry] = []
        content = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()

        async def attempt() -> dict[str, Any]:
            async with self.gate.slot(self.connection.places.values()):
                closed = self.closed  # after the wait for a place: another call may have found out
                if closed is not None:
                    raise CallFailed(closed, tuple(failed), closed=True)
                found = await self._tried(content, timeout)
            # the place is free for another request while this answer is read
            return self._read(found, failed)

        def before_sleep(state: RetryCallState) -> None:
            failed.append(_failed_try(_failure(state), _wait(state)))
            if _failure(state).status == _TOO_MANY:
                self.gate.back_off(_wait(state))

        def give_up(state: RetryCallState) -> NoReturn:
            failed.append(_failed_try(_failure(state), _wait(state)))
            raise self._given_up(_failure(state), failed)

        retrying = AsyncRetrying(
            retry=retry_if_exception_type(TransientError),
            wait=self._seconds_to_wait,
            stop=self._must_stop,
            before_sleep=before_sleep,
            retry_error_callback=give_up,
        )
        response: dict[str, Any] = await retrying(attempt)
        self.gate.on_success()
        return EndpointAnswer(response, tuple(failed))

    def _seconds_to_wait(self, state: RetryCallState) -> float:
        """Doubling waits, spread so that not all come back at once; longer if the server asks."""
        doubling = wait_exponential(multiplier=_FIRST_WAIT)(state)
        spread = random.Random(os.urandom(8)).uniform(0.5, 1.0)
        own = min(self.connection.longest_wait, doubling * spread)
        return max(own, _failure(state).wait or 0.0)

    def _must_stop(self, state: RetryCallState) -> bool:
        enough = stop_after_attempt(self.connection.retries + 1)
        return enough(state) or _wait(state) > self.connection.longest_wait

    def _given_up(self, last: Failure, failed: list[FailedTry]) -> CallFailed:
        message = (
            f"{self.connection.who} at {self.connection.base_url}: {last.said}, after "
            f"{len(failed)} tries"
        )
        if last.scope != "call":  # the other calls need not find out again
            self.gate.close(message, self.connection.places[last.scope])
        elif last.status is None and self.gate.on_silence():
            self.gate.close(message, self.connection.places["address"])
        return CallFailed(message, tuple(failed))

    async def _tried(self, content: bytes, timeout: float) -> _Sent | Failure:
        """One request; what came back, or why nothing did."""
        try:
            async with asyncio.timeout(timeout):
                return await self._sent(content)
        except TimeoutError:
            # whatever was written until now may be on the bill
            return Failure(f"no answer within {timeout:g} seconds", usage={})
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            return connection_failure(error)

    async def _sent(self, content: bytes) -> _Sent | Failure:
        if self._client is None:
            self._client = client_for(self.connection.base_url, self.connection.who)
        async with self._client.stream(
            "POST", self._url, content=content, headers=self._headers, timeout=None
        ) as answer:
            data = bytearray()
            async for piece in answer.aiter_bytes():
                data += piece
                if len(data) > LARGEST:
                    said = f"the answer is longer than {LARGEST:,} bytes"
                    return Failure(said, _BROKEN_ANSWER, False, "call", usage={})
        return answer, bytes(data)

    def _read(self, came: _Sent | Failure, failed: list[FailedTry]) -> dict[str, Any]:
        """The answer as JSON, without any key.

        Raises:
            TransientError: for what may pass.
            CallFailed: for what will not.
        """
        found: dict[str, Any] | Failure
        if isinstance(came, Failure):
            found = came
        else:
            answer, data = came
            found = self._understood(answer, data.decode("utf-8-sig", "replace"))
        if not isinstance(found, Failure):
            return found
        found = Failure(**{**vars(found), "said": self._scrub.text(found.said)})
        if found.again:
            raise TransientError(found)
        remedy = f", {found.remedy}" if found.remedy else ""
        message = f"{self.connection.who} at {self.connection.base_url}: {found.said}{remedy}"
        if found.scope != "call":
            self.gate.close(message, self.connection.places[found.scope])
        tries = (*failed, _failed_try(found, 0.0))
        raise CallFailed(message, tries, refused=found.refused, closed=found.scope != "call")

    def _understood(self, answer: httpx2.Response, text: str) -> dict[str, Any] | Failure:
        """The JSON of an answer, or why there is none."""
        found: Any = text
        kind = answer.headers.get("content-type", "")
        try:
            streamed = "event-stream" in kind or text.startswith(("data:", "event:"))
            found = whole_answer(text) if streamed else parse_json(text, constants=True)
        except ValueError as error:
            if answer.status_code == 200:
                return self._no_json(kind, text, str(error))
        found = self._scrub.json(found)
        if answer.status_code != 200:
            return refusal(answer.status_code, answer.headers, found)
        broken = broken_answer(found, self.connection.api, answer.headers)
        return broken if broken is not None else dict(found)

    def _no_json(self, kind: str, text: str, why: str) -> Failure:
        words, _ = server_words(self._scrub.text(text[:20_000]))
        if "there twice" in why:
            return Failure(f"the answer is no JSON to rely on: {why}", _BROKEN_ANSWER)
        said = f"the answer is no JSON ({kind or 'of no kind'}): {words or 'empty'}"
        if words.startswith("a web page"):
            remedy = "that is a page for people: check base_url (up to and with /v1)"
            return Failure(said, _BROKEN_ANSWER, False, "address", remedy=remedy)
        return Failure(said, _BROKEN_ANSWER)


@lru_cache(maxsize=64)
def _scrubber(keys: frozenset[str]) -> Scrubber:
    return Scrubber(*sorted(keys))


def _failure(state: RetryCallState) -> Failure:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, TransientError)
    return error.failure


def _wait(state: RetryCallState) -> float:
    """Seconds before the next try, as decided after this one."""
    return float(state.upcoming_sleep)


def _failed_try(failure: Failure, wait: float) -> FailedTry:
    row: dict[str, Any] = {"error": failure.said, "status": failure.status, "wait": round(wait, 3)}
    return row if failure.usage is None else {**row, "usage": dict(failure.usage)}
