"""A language model behind any OpenAI-compatible endpoint: Chat Completions or, where its profile
says so, Responses.

The SDK's own retries are off. There is one retry layer, here, so that every try, wait and refusal
is in the log. The key is read from the environment when the player is made, and taken out of
everything before it is written.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players.base import CallFailed, Reply, Usage
from mirrorenv.debate.prompts import Prompt, prompt_for
from mirrorenv.debate.verdicts import verdict_schema
from mirrorenv.debate.views import View
from mirrorenv.errors import ConfigError, require
from mirrorenv.llm.gate import Gate
from mirrorenv.llm.profiles import Profile, profile
from mirrorenv.llm.wire import PATHS, answered, text_of, to_responses, tokens_of

__all__ = ["EndpointPlayer", "messages_of"]

_FIRST_WAIT = 0.5  # seconds; doubled with each further try
_PASSING = {408, 409, 425, 429}  # and everything from 500 up: trying again may help
_HINTS = {
    400: "the server does not accept the request: try another 'profile' in the card",
    401: "the key is missing or wrong: check the environment variable named by key_env",
    403: "the key may not use this model",
    404: "the address or the model is unknown there: check base_url (up to and with /v1) and model",
    422: "the server does not accept the request: try another 'profile' in the card",
}


class _Passing(Exception):
    """A failure that may pass."""

    def __init__(self, said: str, status: int | None = None, wait: float | None = None) -> None:
        super().__init__(said)
        self.status, self.wait = status, wait


def messages_of(prompt: Prompt, roles: str) -> list[dict[str, str]]:
    """The prompt as messages: at most one instruction first, then user and assistant in strict
    turn.

    Args:
        prompt: what is sent.
        roles: of the profile; ``alternating`` puts the instructions into the first turn.
    """
    turns = list(prompt.turns)
    first: list[dict[str, str]] = []
    if roles == "alternating":
        turns[0] = f"{prompt.system}\n\n{turns[0]}"
    else:
        first = [{"role": roles, "content": prompt.system}]
    return first + [
        {"role": ("user", "assistant")[k % 2], "content": turn} for k, turn in enumerate(turns)
    ]


class EndpointPlayer:
    """Asks a server.

    Args:
        card: with an endpoint.

    Raises:
        ConfigError: if the environment variable of the key is not set.
        MissingExtraError: if the client is not installed.
        UnknownNameError: for an unknown profile.
    """

    def __init__(self, card: AgentCard) -> None:
        if card.endpoint is None:
            raise ConfigError(f"agent '{card.name}': an endpoint player needs the table [endpoint]")
        self.card, self.endpoint = card, card.endpoint
        self.profile: Profile = profile(self.endpoint.profile)
        if (
            card.reader in ("labels", "likelihood")
            and not self.profile.capabilities.sequence_logprobs
        ):
            raise ConfigError(
                f"agent '{card.name}': reader '{card.reader}' needs a local model (player = "
                "'local')"
            )
        self._openai: Any = require("openai", "llm")
        variable = self.endpoint.key_env
        self._key = os.environ.get(variable, "") if variable else ""
        if variable and not self._key:
            raise ConfigError(
                f"agent '{card.name}': the environment variable {variable} is not set; it must "
                "hold the key"
            )
        self._client: Any = None
        self._gate: Gate | None = None

    def connect(self, shared: dict[str, Any]) -> None:
        """Use one gate with all players that ask the same address.

        Args:
            shared: one dictionary for all players of a run.
        """
        address = f"gate {self.endpoint.base_url}"
        self._gate = shared.setdefault(address, Gate(self.endpoint.concurrency))
        self._gate.no_more_than(self.endpoint.concurrency)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    async def speak(self, view: View) -> Reply:
        """A text on the topic, or a paraphrase."""
        return await self._ask(view, view.settings.answer_tokens)

    async def plan(self, view: View) -> Reply:
        """A text for itself."""
        return await self._ask(view, view.settings.notes_tokens)

    async def recognise(self, view: View) -> Reply:
        """A verdict, as its card's ``reader`` says."""
        form: dict[str, Any] = {}
        if self.card.reader == "schema" and view.settings.answer_format != "order":
            form = self._schema(
                verdict_schema(view.settings.num_players, view.settings.answer_format)
            )
        return await self._ask(view, view.settings.verdict_tokens, form)

    def _schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        if self.profile.schema_field == "json_schema":
            named = {"name": "verdict", "schema": schema, "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        if self.profile.schema_field == "json_object":
            return {"response_format": {"type": "json_object", "schema": schema}}
        return {}

    def request(self, view: View, tokens: int, form: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a request."""
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "messages": messages_of(prompt_for(view, self.card), self.profile.roles),
            self.profile.limit_field: tokens + self.endpoint.reasoning_tokens,
            **form,
        }
        if self.profile.temperature and self.endpoint.temperature is not None:
            body["temperature"] = self.endpoint.temperature
        if self.endpoint.top_p is not None:
            body["top_p"] = self.endpoint.top_p
        return {
            **(body if self.profile.api == "chat" else to_responses(body)),
            **self.endpoint.extra_body,
        }

    async def _ask(self, view: View, tokens: int, form: Mapping[str, Any] | None = None) -> Reply:
        body = self.request(view, tokens, form or {})
        gate = self._gate or Gate(self.endpoint.concurrency)
        self._gate = gate
        attempts: list[dict[str, Any]] = []
        for attempt in range(self.endpoint.retries + 1):
            if gate.closed is not None:
                raise CallFailed(gate.closed, tuple(attempts))
            try:
                async with gate.slot():
                    response = await self._send(
                        body, self.endpoint.timeouts.get(view.phase, self.endpoint.timeout)
                    )
            except _Passing as error:
                wait = self._wait(attempt, error)
                attempts.append(
                    {"error": str(error), "status": error.status, "wait": round(wait, 3)}
                )
                if attempt == self.endpoint.retries or wait > self.endpoint.longest_wait:
                    break
                if error.status == 429:
                    gate.too_many(wait)
                await asyncio.sleep(wait)
                continue
            gate.went_well()
            return self._reply(body, response, tuple(attempts))
        last = attempts[-1]
        said = (
            f"agent '{self.card.name}' at {self.endpoint.base_url}: {last['error']}, after "
            f"{len(attempts)} tries"
        )
        if last["status"] is None:  # nobody there: the other calls need not find out for themselves
            gate.close(said)
        raise CallFailed(said, tuple(attempts))

    def _wait(self, attempt: int, error: _Passing) -> float:
        """Seconds: what the server asks for, else doubling, spread so that not all come back at
        once."""
        if error.wait is not None:
            return error.wait
        spread = random.Random(os.urandom(8)).uniform(0.5, 1.0)
        return min(self.endpoint.longest_wait, _FIRST_WAIT * 2.0**attempt * spread)

    async def _send(self, body: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """One request; the answer as JSON, without the key.

        Raises:
            _Passing: for what may pass.
            CallFailed: for what will not.
        """
        if self._client is None:
            address = self.endpoint.base_url
            self._client = self._openai.AsyncOpenAI(
                api_key=self._key or "none", base_url=address, max_retries=0
            )
        # the client's own door for a body as it is: checking it against types took a third of a
        # call's CPU time
        try:
            raw = await self._client.post(
                PATHS[self.profile.api], cast_to=object, body=body, options={"timeout": seconds}
            )
            answer = json.loads(self._scrub(raw if isinstance(raw, str) else json.dumps(raw)))
        except self._openai.APIStatusError as error:
            raise self._refusal(error) from None
        except self._openai.APITimeoutError:
            raise _Passing(f"no answer within {seconds:g} seconds") from None
        except self._openai.APIConnectionError as error:
            raise _Passing(self._scrub(f"cannot connect ({error.__cause__ or error})")) from None
        except (ValueError, RecursionError):
            raise _Passing("the answer is no JSON", 502) from None
        if not answered(answer, self.profile.api):
            raise _Passing("the answer holds no choice", 502)
        found: dict[str, Any] = answer
        return found

    def _refusal(self, error: Any) -> Exception:
        status = int(error.status_code)
        said = self._scrub(str(error))[:500]
        if status in _PASSING or status >= 500:
            return _Passing(f"HTTP {status}: {said}", status, _retry_after(error.response.headers))
        hint = _HINTS.get(status, "refused")
        why = f"agent '{self.card.name}' at {self.endpoint.base_url}: HTTP {status}, {hint}: {said}"
        if self._gate is not None and status in (401, 403, 404):
            self._gate.close(why)
        return CallFailed(why, ({"error": said, "status": status},))

    def _scrub(self, text: str) -> str:
        return text.replace(self._key, "***") if self._key else text

    def _reply(
        self,
        body: Mapping[str, Any],
        response: Mapping[str, Any],
        attempts: tuple[Mapping[str, Any], ...],
    ) -> Reply:
        text = text_of(response, self.profile.api)
        sent = {"url": f"{self.endpoint.base_url}{PATHS[self.profile.api]}", "body": dict(body)}
        return Reply(
            text,
            request=sent,
            response=response,
            usage=_usage(body, text, response),
            attempts=attempts,
        )


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks for, as a number or as a date (RFC 9110, 10.2.3); None if it
    does not say."""
    for name, scale in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        try:
            asked = float(headers[name]) * scale
        except (KeyError, ValueError):
            continue
        return max(0.0, asked) if math.isfinite(asked) else None
    try:
        return max(0.0, parsedate_to_datetime(headers["retry-after"]).timestamp() - time.time())
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def _usage(body: Mapping[str, Any], text: str, response: Mapping[str, Any]) -> Usage:
    """What the server counted; a guess of four characters a token where it did not."""
    counted = tokens_of(response)
    if counted is not None:
        return Usage(*counted)
    read = sum(len(message["content"]) for message in body.get("messages", body.get("input", ())))
    read += len(body.get("instructions", ""))
    return Usage(read // 4 + 1, len(text) // 4 + 1, estimated=True)
