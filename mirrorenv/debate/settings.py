"""Settings of the debate game, and the presets as data."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as package_files
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from mirrorenv.errors import ConfigError, unknown_name
from mirrorenv.strict import ExactModel, first_problem

__all__ = ["DebateSettings", "Memory", "PlanStep", "preset", "presets"]

PlanStep = Literal["notes", "stand_out", "theory"]
"""What a player may be asked after a round: notes to itself, how to stand out, what it thinks of
each player."""

Memory = Literal["full", "notes", "window", "none"]
"""What of earlier rounds stays in a player's context."""


class DebateSettings(ExactModel):
    """The rules of one game. Every field is one flag; the defaults are the preset `default`."""

    num_players: int = Field(default=4, ge=2, le=10, description="Players in a game, N.")
    rounds: int = Field(
        default=8, ge=1, le=200, description="Rounds, R. Topics repeat when the pack has fewer."
    )
    topics: str = Field(
        default="neutral", description="A topic pack of the package, or the path of a TOML file."
    )
    index_told: Literal["start", "after_round"] = Field(
        default="start",
        description="When a player learns which index is its own: at the start, or once a round is "
        "over.",
    )
    shuffle: Literal["observer", "shared"] = Field(
        default="observer",
        description="Whether every reader sees an order of its own, or all see the same one.",
    )
    orders: tuple[tuple[int, ...], ...] | None = Field(
        default=None,
        description="Fixed orders instead of drawn ones: one for each round, slot by author. For "
        "reproductions.",
    )
    answer_format: Literal["matrix", "labels", "order"] = Field(
        default="matrix",
        description="How a verdict is asked for: probabilities, one player a text, or the bare "
        "order.",
    )
    memory: Memory = Field(
        default="notes", description="What of earlier rounds stays in a player's context."
    )
    window: int = Field(default=2, ge=1, description="Rounds kept by the memory 'window'.")
    plan: tuple[PlanStep, ...] = Field(
        default=("notes",), description="What is asked after each round."
    )
    feedback: Literal["full", "own", "none"] = Field(
        default="full",
        description="After a round: the true authors, only one's own score, or nothing.",
    )
    own_text: Literal["kept", "withheld"] = Field(
        default="kept",
        description="Whether a reader's context holds the text it wrote in this round.",
    )
    reader: Literal["player", "fresh"] = Field(
        default="player",
        description="Who reads: the player with its memory, or a fresh copy of it without any.",
    )
    judges: int = Field(
        default=1,
        ge=0,
        le=4,
        description="Neutral readers outside the game, without a seat or a history.",
    )
    reread_rounds: int = Field(
        default=0,
        ge=0,
        le=200,
        description="Last rounds whose texts every reader reads again, in another order.",
    )
    show: Literal["as_written", "equal_length", "plain", "paraphrased"] = Field(
        default="as_written", description="What is shown of the texts: see mirrorenv.debate.texts."
    )
    answer_tokens: int = Field(
        default=120, ge=1, le=8192, description="Tokens a player may write on a topic."
    )
    notes_tokens: int = Field(
        default=300, ge=1, le=8192, description="Tokens of each planning step."
    )
    verdict_tokens: int = Field(default=400, ge=1, le=8192, description="Tokens of a verdict.")
    longest_text: int = Field(
        default=4000, ge=16, le=100_000, description="Characters of a text that are shown."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(set(self.plan)) != len(self.plan):
            raise ValueError("plan names a step twice")
        if self.memory == "notes" and "notes" not in self.plan:
            raise ValueError("memory 'notes' needs the plan step 'notes', which writes them")
        if self.orders is not None:
            if len(self.orders) != self.rounds:
                raise ValueError(f"orders holds {len(self.orders)} orders for {self.rounds} rounds")
            for order in self.orders:
                if sorted(order) != list(range(self.num_players)):
                    raise ValueError(
                        f"orders: {list(order)} does not name each of {self.num_players} players "
                        "once"
                    )
        return self

    @property
    def knows_own_item(self) -> bool:
        """Whether a reader can find its own text by comparing strings, which makes 1/(N - 1) the
        floor for the rest."""
        return self.own_text == "kept" and self.reader == "player"

    @property
    def num_readers(self) -> int:
        """J: the players and the judges."""
        return self.num_players + self.judges


@cache
def presets() -> dict[str, dict[str, Any]]:
    """The settings of each preset that differ from the defaults, by name; kept in
    `presets.toml`."""
    text = package_files("mirrorenv.debate").joinpath("presets.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def preset(name: str = "default", overrides: Mapping[str, Any] | None = None) -> DebateSettings:
    """The settings of a preset.

    Args:
        name: `local`, `original` or `default`.
        overrides: single settings to change; lists count as tuples.

    Raises:
        UnknownNameError: for an unknown preset.
        ConfigError: for an unknown setting or a value out of range.
    """
    if name not in presets():
        raise unknown_name("preset", name, presets())
    given = {**presets()[name], **(overrides or {})}
    for key in given:
        if key not in DebateSettings.model_fields:
            raise ConfigError(
                f"debate settings: {unknown_name('setting', key, DebateSettings.model_fields)}"
            )
    try:
        return DebateSettings(**{key: _tuples(value) for key, value in given.items()})
    except ValidationError as error:
        raise ConfigError(f"debate settings: {first_problem(error)}") from error


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
