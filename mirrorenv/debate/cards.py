"""Agent cards: who plays. One TOML file each; no key ever stands in one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from mirrorenv.debate.settings import Memory
from mirrorenv.errors import ConfigError
from mirrorenv.strict import ExactModel, first_problem, parse_toml, read_settings_text

__all__ = ["AgentCard", "Endpoint", "Price", "closest_field", "load_card"]


_KEY_FIELDS = {"api_key", "apikey", "authorization", "access_token", "auth_token", "password"}


class Endpoint(ExactModel):
    """Where a language model is asked: any OpenAI-compatible server."""

    model: str = Field(min_length=1, max_length=200, description="The server's name of the model.")
    base_url: str = Field(
        default="https://api.openai.com/v1", description="Address of the API, up to and with /v1."
    )
    key_env: str | None = Field(
        default=None, description="The environment variable that holds the key; None for no key."
    )
    profile: str = Field(
        default="openai", description="What the server can do: see mirrorenv.llm.profiles."
    )
    temperature: float | None = Field(
        default=1.0, ge=0.0, le=2.0, description="None sends no temperature."
    )
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    """Nucleus sampling: draw from the smallest set of tokens with this probability; None sends
    none."""
    reasoning_tokens: int = Field(
        default=0, ge=0, description="Tokens a reasoning model may think, on top of each limit."
    )
    reasoning_effort: Literal["none", "minimal", "low", "medium", "high"] | None = Field(
        default=None, description="How much a reasoning model thinks; None leaves it to the server."
    )
    stream: bool = Field(
        default=False, description="Ask for an event stream, for servers that answer no other way."
    )
    logprobs: bool = Field(
        default=False, description="Ask for the log-probabilities of what is written, for the log."
    )
    concurrency: int = Field(default=8, ge=1, le=512, description="Requests in flight at most.")
    timeout: float = Field(default=120.0, gt=0.0, description="Seconds for one answer.")
    timeouts: dict[str, float] = Field(
        default_factory=dict, description="Seconds by phase, where they differ."
    )
    retries: int = Field(
        default=6, ge=0, le=50, description="Further tries after a failure that may pass."
    )
    longest_wait: float = Field(
        default=900.0, ge=0.0, description="Seconds waited at most before one further try."
    )
    extra_body: dict[str, Any] = Field(
        default_factory=dict, description="Further fields of the request. No key belongs here."
    )

    @field_validator("extra_body")
    @classmethod
    def _holds_no_key(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if name.lower().replace("-", "_") in _KEY_FIELDS:
                raise ValueError(
                    f"holds '{name}', which would be logged with every request: name the "
                    "environment variable of a key in key_env"
                )
        return value

    @field_validator("base_url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", value):
            raise ValueError(
                "must start with http:// or https:// and hold no user name and no query"
            )
        return value.rstrip("/")

    @field_validator("timeouts")
    @classmethod
    def _are_phases(cls, value: dict[str, float]) -> dict[str, float]:
        unknown = value.keys() - {"speak", "paraphrase", "recognise", "plan"}
        if unknown or any(seconds <= 0 for seconds in value.values()):
            raise ValueError("holds seconds above 0 for speak, paraphrase, recognise or plan")
        return value


class Price(ExactModel):
    """What tokens cost, in one currency for the whole tournament."""

    input: float = Field(ge=0.0, description="For a million tokens read.")
    output: float = Field(ge=0.0, description="For a million tokens written.")


class AgentCard(ExactModel):
    """One player of a tournament."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$", description="Shown on the leaderboard."
    )
    player: str = Field(
        description="A registered kind of player, e.g. endpoint, persona, copy-own."
    )
    about: str = Field(
        default="", max_length=400, description="One line for people; never put before a model."
    )
    persona: str = Field(
        default="", max_length=4000, description="What a model is told about who it is."
    )
    memory: Memory | None = Field(
        default=None, description="What a model remembers, if not what the game says."
    )
    reader: Literal["words", "schema", "labels", "likelihood"] = Field(
        default="words",
        description="How a model reads: in free words, held to a schema, by log-probabilities of "
        "names, or by the "
        "likelihood of each text in each player's context.",
    )
    options: dict[str, Any] = Field(
        default_factory=dict, description="Settings of a player that is no model."
    )
    endpoint: Endpoint | None = None
    """Where its model is asked, for player = "endpoint"."""
    price: Price | None = None
    """What its tokens cost, for budgets."""

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        if (self.player == "endpoint") != (self.endpoint is not None):
            raise ValueError("the table [endpoint] belongs to player = 'endpoint', both ways")
        return self


def load_card(path: str | os.PathLike[str]) -> AgentCard:
    """Read a card.

    Raises:
        ConfigError: if it is missing, no TOML, or a field is unknown, missing or out of range.
    """
    path = Path(path)
    try:
        text = read_settings_text(path)
    except ConfigError as error:
        raise ConfigError(f"agent card {path}: {error}; check the path") from error
    data = parse_toml(text, f"agent card {path}")
    try:
        return AgentCard(**data)
    except ValidationError as error:
        said = first_problem(error) + closest_field(error.errors()[0])
        raise ConfigError(
            f"agent card {path}: {said}; 'mirrorenv debate check {path}' lists all"
        ) from error
    except TypeError as error:  # a key that is no name
        raise ConfigError(f"agent card {path}: {error}") from error


def closest_field(problem: Mapping[str, Any]) -> str:
    """A hint for a key that no card has: the closest one there is, and the table it belongs to.

    Args:
        problem: one entry of pydantic's `ValidationError.errors()`.

    Returns:
        `"; did you mean ...?"`, or an empty string.
    """
    if problem["type"] != "extra_forbidden":
        return ""
    tables: dict[str, type[BaseModel]] = {"": AgentCard, "[endpoint] ": Endpoint, "[price] ": Price}
    known = {name: table for table, model in tables.items() for name in model.model_fields}
    close = get_close_matches(str(problem["loc"][-1]), known, 1)
    return f"; did you mean {known[close[0]]}{close[0]}?" if close else ""
