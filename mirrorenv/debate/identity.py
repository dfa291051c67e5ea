"""What a tournament is, and how it is run: the first never changes once a call was made.

Settings say how patiently, how fast and at what price a model is asked. They may differ each time a
tournament is gone on with; `settings.jsonl` says when. Everything else decides what was asked and
who answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mirrorenv.debate.cards import AgentCard
from mirrorenv.errors import RunFolderError
from mirrorenv.results.runs.json_lines import append_jsonl
from mirrorenv.results.runs.json_values import first_difference

__all__ = ["OF_CARDS", "OF_ENDPOINTS", "OF_TOURNAMENTS", "log_changes", "refuse_another"]

CHANGES = "settings.jsonl"
OF_TOURNAMENTS = ("games", "games_at_once", "refusals")
"""Settings of a tournament."""
OF_CARDS = ("about", "price")
"""Settings of a card."""
OF_ENDPOINTS = (
    "base_url",
    "key_env",
    "concurrency",
    "timeout",
    "timeouts",
    "retries",
    "longest_wait",
)
"""Settings of a card's endpoint. The same model may move to another address."""

_SHOWN = 60  # characters of a value in a message


def refuse_another(path: Path, recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse to go on with another tournament.

    Args:
        path: of the run folder.
        recorded: its `config.json`.
        wanted: the same of what shall be played.

    Raises:
        RunFolderError: it names the one field that differs first.
    """
    found = first_difference(_identity(recorded), _identity(wanted))
    if found is None:
        return
    key, before, after = found
    raise RunFolderError(
        f"{path} holds a run with {key} = {_short(before)}, not {_short(after)}: games already "
        "played follow from it; resume with the old value or choose another folder with --run"
    )


def log_changes(path: Path, recorded: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Write down which settings are others now, one row for each.

    Args:
        path: of the run folder.
        recorded: its `config.json`.
        wanted: the same of what is going to be played.
    """
    before = dict(_settings(recorded))
    when = datetime.now(UTC).isoformat(timespec="seconds")
    for name, value in _settings(wanted):
        if name in before and before[name] != value:
            row = {"when": when, "setting": name, "before": before[name], "after": value}
            append_jsonl(path / CHANGES, row)


def _cards(config: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every card by the place it has, with the fields that cards have today."""
    named = [(f"cards.{number}", card) for number, card in enumerate(config["cards"])]
    for place, data in [*named, *((one, config[one]) for one in ("judge", "paraphraser"))]:
        if data is not None:
            card = AgentCard.model_validate_json(json.dumps(data))
            yield f"{place} ({card.name})", card.model_dump(mode="json")


def _identity(config: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        name: value
        for name, value in config.items()
        if name not in (*OF_TOURNAMENTS, "cards", "judge", "paraphraser")
    }
    for place, card in _cards(config):
        endpoint = card.pop("endpoint")
        kept = {name: value for name, value in card.items() if name not in OF_CARDS}
        if endpoint is not None:
            kept["endpoint"] = {
                name: value for name, value in endpoint.items() if name not in OF_ENDPOINTS
            }
        found[place] = kept
    return found


def _settings(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name in OF_TOURNAMENTS:
        if name in config:
            yield name, config[name]
    for place, card in _cards(config):
        for name in OF_CARDS:
            yield f"{place}.{name}", card[name]
        for name in OF_ENDPOINTS if card["endpoint"] else ():
            yield f"{place}.endpoint.{name}", card["endpoint"][name]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} ... ({len(text)} characters)"
