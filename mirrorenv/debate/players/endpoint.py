"""A language model behind any OpenAI-compatible endpoint: Chat Completions or, where its profile
says so, Responses.

The player turns views into requests and answers into replies. Sending, waiting and trying again are
the client's business (:mod:`mirrorenv.llm.endpoint`). The key is read from the environment when the
player is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mirrorenv.debate.cards import AgentCard, Endpoint
from mirrorenv.debate.players.base import CallFailed, Reply
from mirrorenv.debate.prompts import Prompt, prompt_for
from mirrorenv.debate.verdicts import verdict_schema
from mirrorenv.debate.views import View
from mirrorenv.errors import ConfigError, require
from mirrorenv.llm.answers import Answer, read_answer
from mirrorenv.llm.profiles import Profile, profile
from mirrorenv.llm.rate_limit import Gate
from mirrorenv.llm.secrets import key_from
from mirrorenv.llm.usage import usage_of, usage_of_tries
from mirrorenv.llm.wire import PATHS, to_responses

if TYPE_CHECKING:
    from mirrorenv.llm.endpoint import EndpointClient

__all__ = ["EndpointPlayer", "messages_of"]


def messages_of(prompt: Prompt, roles: str) -> list[dict[str, str]]:
    """The prompt as messages: at most one instruction first, then user and assistant in strict
    turn.

    Args:
        prompt: what is sent.
        roles: of the profile; `alternating` puts the instructions into the first turn.
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
        ConfigError: if the environment variable of the key is not set or holds no key, or a proxy
            or certificate file of the environment cannot be used.
        MissingExtraError: if the client is not installed.
        UnknownNameError: for an unknown profile.
    """

    def __init__(self, card: AgentCard) -> None:
        if card.endpoint is None:
            raise ConfigError(f"agent '{card.name}': an endpoint player needs the table [endpoint]")
        self.card = card
        self.endpoint = card.endpoint
        self.profile: Profile = profile(self.endpoint.profile)
        reads_numbers = card.reader in ("labels", "likelihood")
        if reads_numbers and not self.profile.capabilities.sequence_logprobs:
            raise ConfigError(
                f"agent '{card.name}': reader '{card.reader}' needs a local model (player = "
                "'local')"
            )
        self.client = _client(card, self.endpoint, self.profile)

    def connect(self, shared: dict[str, Any]) -> None:
        """Use one gate with all players that ask the same address, and hide the keys of all.

        Args:
            shared: one dictionary for all players of a run.
        """
        address = f"gate {self.endpoint.base_url}"
        self.client.gate = shared.setdefault(address, Gate(self.endpoint.concurrency))
        self.client.gate.cap_at(self.endpoint.concurrency)
        self.client.share_keys(shared.setdefault("keys", []))

    @property
    def closed(self) -> str | None:
        """Why no further request of this player will be answered; None while they are."""
        return self.client.closed

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    async def speak(self, view: View) -> Reply:
        """A text on the topic, or a paraphrase."""
        return await self._ask(view)

    async def plan(self, view: View) -> Reply:
        """A text for itself."""
        return await self._ask(view)

    async def recognise(self, view: View) -> Reply:
        """A verdict, as its card's `reader` says."""
        return await self._ask(view)

    def question(self, view: View) -> dict[str, Any]:
        """What would be sent: `url` and `body`, as the log keeps them.

        Args:
            view: what the player is given.
        """
        settings = view.settings
        form: dict[str, Any] = {}
        tokens = settings.notes_tokens if view.phase == "plan" else settings.answer_tokens
        if view.phase == "recognise":
            tokens = settings.verdict_tokens
            if self.card.reader == "schema" and settings.answer_format != "order":
                form = self._schema(verdict_schema(settings.num_players, settings.answer_format))
        url = f"{self.endpoint.base_url}{PATHS[self.profile.api]}"
        return {"url": url, "body": self.request(view, tokens, form)}

    def _schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        if self.profile.schema_field == "json_schema":
            named = {"name": "verdict", "schema": schema, "strict": True}
            return {"response_format": {"type": "json_schema", "json_schema": named}}
        if self.profile.schema_field == "json_object":
            return {"response_format": {"type": "json_object", "schema": schema}}
        return {}

    def request(self, view: View, tokens: int, form: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a request.

        Args:
            view: what the player is given.
            tokens: most tokens of the answer; those for reasoning come on top.
            form: the field that asks for a schema, or nothing.
        """
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
        if self.endpoint.reasoning_effort is not None:
            body["reasoning_effort"] = self.endpoint.reasoning_effort
        if self.endpoint.logprobs:
            body["logprobs"] = True
        if self.endpoint.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if self.profile.api == "responses":
            body = to_responses(body)
        return {**body, **self.endpoint.extra_body}

    async def _ask(self, view: View) -> Reply:
        request = self.question(view)
        body = request["body"]
        timeout = self.endpoint.timeouts.get(view.phase, self.endpoint.timeout)
        letters = _letters(body)
        try:
            answer = await self.client.ask(body, timeout)
        except CallFailed as error:
            error.usage = usage_of_tries(error.attempts, letters)
            error.request = request
            raise
        said = read_answer(answer.response, self.profile.api, self.profile.thought_tags)
        usage = usage_of(answer.response.get("usage"), letters, _written(said))
        return Reply(
            said.text,
            request=request,
            response=answer.response,
            usage=usage + usage_of_tries(answer.failed, letters),
            attempts=answer.failed,
            stop=said.stop,
            thoughts=said.thoughts,
        )


def _client(card: AgentCard, endpoint: Endpoint, server: Profile) -> EndpointClient:
    for package in ("httpx2", "tenacity"):
        require(package, "llm")
    from mirrorenv.llm.endpoint import Connection, EndpointClient

    who = f"agent '{card.name}'"
    connection = Connection(
        who=who,
        base_url=endpoint.base_url,
        key=key_from(endpoint.key_env, who),
        key_name=endpoint.key_env or "",
        model=endpoint.model,
        api=server.api,
        retries=endpoint.retries,
        longest_wait=endpoint.longest_wait,
    )
    return EndpointClient(connection, Gate(endpoint.concurrency))


def _letters(body: Mapping[str, Any]) -> int:
    """Characters that the model reads."""
    told = [message["content"] for message in body.get("messages", body.get("input", ()))]
    return sum(map(len, told)) + len(body.get("instructions", ""))


def _written(said: Answer) -> int:
    """Characters that the model wrote, as far as they came."""
    return len(said.text) + len(said.thoughts)
