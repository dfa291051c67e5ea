"""A tournament as a run folder or a result says it: read again without the files it was made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.settings import DebateSettings
from mirrorenv.debate.topic_files import TopicPack
from mirrorenv.debate.tournament import Tournament
from mirrorenv.errors import ConfigError, RunFolderError
from mirrorenv.results.runs.run_folder import RunFolder

__all__ = ["open_tournament", "read_config"]

_MOST_GAMES = 1_000_000


def open_tournament(folder: str | Path) -> tuple[Tournament, RunFolder]:
    """The tournament of a run folder.

    Raises:
        RunFolderError: if it is no run folder of a tournament, or was made by another version of
            the rules.
    """
    run = RunFolder.open(folder)
    config = run.config
    if config.get("what") != "debate tournament":
        raise RunFolderError(
            f"{folder} is no debate tournament; 'mirrorenv debate run TOURNAMENT.toml' makes one"
        )
    try:
        return read_config(config, int(run.info["seed"])), run
    except (TypeError, ValueError, ConfigError) as error:
        raise RunFolderError(
            f"{folder}: its config.json does not fit this version ({error}); play it again in a "
            "new folder"
        ) from error


def read_config(config: Mapping[str, Any], seed: int) -> Tournament:
    """The tournament that `Tournament.config` says.

    Args:
        config: of a run folder or a result, from anybody.
        seed: of the tournament.

    Raises:
        ConfigError: if something is missing, of another type or out of range.
    """
    try:
        topics = config["topics"]
        writer = config["paraphraser"]
        found = Tournament(
            name=_typed(config["name"], str),
            seed=seed,
            games=_typed(config["games"], int),
            games_at_once=_typed(config["games_at_once"], int),
            settings=DebateSettings.model_validate_json(json.dumps(config["settings"])),
            topics=TopicPack(
                _typed(topics["name"], str),
                _typed(topics["title"], str),
                _typed(topics["about"], str),
                tuple(_typed(one, str) for one in topics["topics"]),
            ),
            cards=tuple(_card(card) for card in config["cards"]),
            judge=_card(config["judge"]),
            paraphraser=None if writer is None else _card(writer),
            fake=_typed(config["fake"], bool),
            refusals=config.get("refusals", Tournament.refusals),
            edition=_typed(config.get("texts", 1), int),
            arm=_typed(config.get("arm", ""), str),
        )
        if not found.topics.topics or len(found.cards) < found.settings.num_players:
            raise ValueError("it has no topic, or too few players")
        if not 1 <= found.games <= _MOST_GAMES:
            raise ValueError(f"{found.games} games")
    except (LookupError, TypeError, ValueError) as error:  # ValidationError among them
        raise ConfigError(f"{type(error).__name__}: {error}") from error
    return found


T = TypeVar("T")


def _typed(value: Any, kind: type[T]) -> T:
    if type(value) is not kind:
        raise TypeError(f"{value!r:.80} where {kind.__name__} belongs")
    return value


def _card(data: Any) -> AgentCard:
    return AgentCard.model_validate_json(json.dumps(data))
