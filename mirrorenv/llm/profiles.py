"""What servers can do: one profile for each kind, as data. Nothing is assumed that a profile does
not say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mirrorenv.errors import unknown_name
from mirrorenv.llm.answers import TAGS
from mirrorenv.llm.options import Capabilities
from mirrorenv.llm.wire import Api

__all__ = ["PROFILES", "Profile", "profile"]


@dataclass(frozen=True)
class Profile:
    """One kind of OpenAI-compatible server.

    Attributes:
        roles: who may speak. `system`: a system message, then user and assistant in turn.
            `developer`: the same with the role that reasoning models want. `alternating`: no
            system role at all; templates that insist on user and assistant in strict turn get
            everything as one.
        limit_field: the request's field for the most tokens of an answer.
        temperature: whether a temperature may be sent.
        schema_field: `json_schema` or `json_object` in `response_format`; None where neither
            may be sent.
        enforces_schema: whether an answer is known to follow the schema. It is parsed tolerantly
            either way.
        grammar: whether an answer can be held to a grammar of one's own (`extra_body` of a card).
        logprobs: whether it tells the log-probabilities of the tokens it writes. None of these
            servers tells those of a text that it did not write in a chat, which the readers
            `labels` and `likelihood` need.
        thought_tags: tags between which its models think aloud inside their content; what stands
            between them is kept apart from the answer. Fields of their own are always kept apart.
        api: `chat` for Chat Completions, `responses` for the Responses API.
    """

    roles: Literal["system", "developer", "alternating"] = "system"
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True
    schema_field: Literal["json_schema", "json_object"] | None = None
    enforces_schema: bool = False
    grammar: bool = False
    logprobs: bool = False
    api: Api = "chat"
    thought_tags: tuple[str, ...] = TAGS

    @property
    def capabilities(self) -> Capabilities:
        """What players may rely on."""
        return Capabilities(
            self.enforces_schema, self.grammar, self.logprobs, sequence_logprobs=False
        )


PROFILES: dict[str, Profile] = {
    "openai": Profile(
        "system", "max_completion_tokens", True, "json_schema", enforces_schema=True, logprobs=True
    ),
    "reasoning": Profile(
        "developer", "max_completion_tokens", temperature=False, schema_field="json_schema"
    ),
    "responses": Profile(
        "system",
        "max_completion_tokens",
        True,
        "json_schema",
        enforces_schema=True,
        api="responses",
    ),
    "responses-reasoning": Profile(
        "developer", "max_completion_tokens", False, "json_schema", api="responses"
    ),
    "compatible": Profile(),  # the least that every server knows: for one that nothing is known of
    "strict-template": Profile("alternating"),
    "ignores-schema": Profile(schema_field="json_schema", enforces_schema=False),
    "llama-server": Profile(
        schema_field="json_object", enforces_schema=True, grammar=True, logprobs=True
    ),
    "vllm": Profile(schema_field="json_schema", enforces_schema=True, grammar=True, logprobs=True),
    # mirrorenv debate serve: schemas of enumerations, so answer_format = 'labels'
    "mirrorenv": Profile(schema_field="json_schema", enforces_schema=True, logprobs=True),
}


def profile(name: str) -> Profile:
    """A profile by name.

    Raises:
        UnknownNameError: with the closest known names.
    """
    if name not in PROFILES:
        raise unknown_name("profile", name, PROFILES)
    return PROFILES[name]
