"""What is wrong with an agent card, found before anything is sent: `mirrorenv debate check`."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pydantic import ValidationError

from mirrorenv.debate.cards import AgentCard, Endpoint, closest_field
from mirrorenv.debate.players import make_player
from mirrorenv.errors import ConfigError, MirrorError
from mirrorenv.llm.profiles import profile
from mirrorenv.llm.secrets import key_from
from mirrorenv.strict import in_words, parse_toml, read_settings_text

__all__ = ["card_problems"]

_SECRET = re.compile(r"\b(sk-[A-Za-z0-9_-]{12,}|[A-Za-z0-9_-]{40,})\b")


def card_problems(path: str | os.PathLike[str]) -> list[str]:
    """Everything that is wrong with a card, in words. Nothing is sent anywhere.

    Args:
        path: of the card, a TOML file.

    Returns:
        one line for each problem; empty for a good card.
    """
    path = Path(path)
    try:
        text = read_settings_text(path)
        data = parse_toml(text, "the card")
    except ConfigError as error:
        return [f"cannot be read: {error}"]
    found: list[str] = []
    try:
        card = AgentCard(**data)
    except ValidationError as error:
        for problem in error.errors():
            place = ".".join(str(part) for part in problem["loc"]) or "card"
            found.append(f"{place}: {in_words(problem)}{closest_field(problem)}")
    except TypeError as error:  # a key that is no name
        found.append(str(error))
    else:
        if card.endpoint is None:
            found += _player_problems(card)
        else:
            found += _endpoint_problems(card, card.endpoint)
    if _SECRET.search(text):
        found.append(
            "there is something in it that looks like a key: keys belong into the environment "
            "(key_env)"
        )
    return found


def _player_problems(card: AgentCard) -> list[str]:
    try:
        make_player(card)
    except MirrorError as error:
        return [str(error)]
    return []


def _endpoint_problems(card: AgentCard, endpoint: Endpoint) -> list[str]:
    found: list[str] = []
    variable = endpoint.key_env
    try:
        key_from(variable, "endpoint.key_env")
    except MirrorError as error:
        found.append(str(error))
    if endpoint.base_url.startswith("https://api.openai.com") and not variable:
        found.append(
            "endpoint.key_env: this server needs a key; name the environment variable that holds it"
        )
    try:
        server = profile(endpoint.profile)
    except MirrorError as error:
        return [*found, f"endpoint.profile: {error}"]
    if card.reader in ("labels", "likelihood"):
        found.append(f"reader: '{card.reader}' needs a model in this process (player = 'local')")
    if card.reader == "schema" and server.schema_field is None:
        found.append(
            f"reader: servers of the profile '{endpoint.profile}' take no schema; use 'words'"
        )
    return found or _player_problems(card)
