"""A client for any OpenAI-compatible server that keeps every failed try. Needs the extra ``llm``.

The SDK's own retries are off. There is one retry policy, here, made of tenacity's parts, so that
each try, wait and refusal can be logged. How many requests are in flight is the business of the
:class:`~mirrorenv.llm.gate.Gate`, which all clients of one address share. The key is taken out of
everything that is returned or raised.
"""

from __future__ import annotations

import json
import math
import os
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import openai
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential,
)

from mirrorenv.llm.asking import CallFailed, FailedTry
from mirrorenv.llm.gate import Gate
from mirrorenv.llm.wire import PATHS, Api, answered

__all__ = ["Connection", "EndpointAnswer", "EndpointClient"]

_FIRST_WAIT = 0.5  # seconds; doubled with each further try
_TRANSIENT = {408, 409, 425, 429}  # and everything from 500 up: trying again may help
_TOO_MANY = 429
_BROKEN_ANSWER = 502  # the status under which an answer without a choice is logged
_FATAL = {401, 403, 404}  # no other request to this address will fare better
_HINTS = {
    400: "the server does not accept the request: try another 'profile' in the card",
    401: "the key is missing or wrong: check the environment variable named by key_env",
    403: "the key may not use this model",
    404: "the address or the model is unknown there: check base_url (up to and with /v1) and model",
    422: "the server does not accept the request: try another 'profile' in the card",
}


class TransientError(Exception):
    """A failure after which the same request may succeed.

    Attributes:
        status: of HTTP; None if there was no answer at all.
        wait: seconds that the server asks for; None if it does not say.
    """

    def __init__(self, message: str, status: int | None = None, wait: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.wait = wait


@dataclass(frozen=True)
class Connection:
    """Where a server is and how patiently it is asked.

    Attributes:
        who: on whose behalf, for messages.
        base_url: address of the API, up to and with ``/v1``.
        key: sent as the bearer token; empty for none.
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

    def scrub(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self.key, "***") if self.key else text


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
    """

    def __init__(self, connection: Connection, gate: Gate) -> None:
        self.connection = connection
        self.gate = gate
        self._client: openai.AsyncOpenAI | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def ask(self, body: Mapping[str, Any], timeout: float) -> EndpointAnswer:
        """Send a request until it is answered, or until trying again is of no use.

        Args:
            body: of the request, in the form of the connection's API.
            timeout: seconds for one try.

        Raises:
            CallFailed: with every try; the message names the remedy where one is known.
        """
        failed: list[FailedTry] = []

        async def attempt() -> dict[str, Any]:
            if self.gate.closed is not None:
                raise CallFailed(self.gate.closed, tuple(failed))
            async with self.gate.slot():
                return await self._send(body, timeout)

        def before_sleep(state: RetryCallState) -> None:
            failed.append(_failed_try(state))
            if _error(state).status == _TOO_MANY:
                self.gate.back_off(_wait(state))

        def give_up(state: RetryCallState) -> NoReturn:
            failed.append(_failed_try(state))
            raise self._given_up(failed)

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
        """What the server asks for, else doubling waits, spread so that not all come back at
        once."""
        asked = _error(state).wait
        if asked is not None:
            return asked
        doubling = wait_exponential(multiplier=_FIRST_WAIT)(state)
        spread = random.Random(os.urandom(8)).uniform(0.5, 1.0)
        return min(self.connection.longest_wait, doubling * spread)

    def _must_stop(self, state: RetryCallState) -> bool:
        enough = stop_after_attempt(self.connection.retries + 1)
        return enough(state) or _wait(state) > self.connection.longest_wait

    def _given_up(self, failed: list[FailedTry]) -> CallFailed:
        last = failed[-1]
        message = (
            f"{self.connection.who} at {self.connection.base_url}: {last['error']}, after "
            f"{len(failed)} tries"
        )
        if last["status"] is None:  # no server there: the other calls need not find out again
            self.gate.close(message)
        return CallFailed(message, tuple(failed))

    async def _send(self, body: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """One request; the answer as JSON, without the key.

        Raises:
            TransientError: for what may pass.
            CallFailed: for what will not.
        """
        scrub = self.connection.scrub
        # the client's own door for a body as it is: checking it against types took a third of a
        # call's CPU time
        try:
            raw = await self._sdk().post(
                PATHS[self.connection.api],
                cast_to=object,
                body=body,
                options={"timeout": timeout},
            )
            answer = json.loads(scrub(raw if isinstance(raw, str) else json.dumps(raw)))
        except openai.APIStatusError as error:
            raise self._refusal(error) from None
        except openai.APITimeoutError:
            raise TransientError(f"no answer within {timeout:g} seconds") from None
        except openai.APIConnectionError as error:
            reason = scrub(str(error.__cause__ or error))
            raise TransientError(f"cannot connect ({reason})") from None
        except (ValueError, RecursionError):
            raise TransientError("the answer is no JSON", _BROKEN_ANSWER) from None
        if not answered(answer, self.connection.api):
            raise TransientError("the answer holds no choice", _BROKEN_ANSWER)
        found: dict[str, Any] = answer
        return found

    def _sdk(self) -> openai.AsyncOpenAI:
        if self._client is None:
            self._client = openai.AsyncOpenAI(
                api_key=self.connection.key or "none",
                base_url=self.connection.base_url,
                max_retries=0,
            )
        return self._client

    def _refusal(self, error: openai.APIStatusError) -> Exception:
        status = int(error.status_code)
        said = self.connection.scrub(str(error))[:500]
        if status in _TRANSIENT or status >= 500:
            wait = retry_after(error.response.headers)
            return TransientError(f"HTTP {status}: {said}", status, wait)
        hint = _HINTS.get(status, "refused")
        message = (
            f"{self.connection.who} at {self.connection.base_url}: HTTP {status}, {hint}: {said}"
        )
        if status in _FATAL:
            self.gate.close(message)
        return CallFailed(message, ({"error": said, "status": status},))


def _error(state: RetryCallState) -> TransientError:
    error = state.outcome.exception() if state.outcome is not None else None
    assert isinstance(error, TransientError)
    return error


def _wait(state: RetryCallState) -> float:
    """Seconds before the next try, as decided after this one."""
    return float(state.upcoming_sleep)


def _failed_try(state: RetryCallState) -> FailedTry:
    error = _error(state)
    return {"error": str(error), "status": error.status, "wait": round(_wait(state), 3)}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks for, as a number or as a date (RFC 9110, 10.2.3).

    Args:
        headers: of its answer; names in lower case, or a mapping that ignores case.

    Returns:
        seconds, at least 0; None if it does not say.
    """
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            asked = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        return max(0.0, asked) if math.isfinite(asked) else None
    try:
        date = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, date.timestamp() - time.time())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
