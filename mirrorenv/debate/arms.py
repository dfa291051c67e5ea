"""Arms of a tournament: the same texts, read under other rules.

The base is played first, as any tournament. An arm is a tournament of its own in a folder of its
own, with the same seats, topics and orders; what was said is taken from the base's log, and only
readings are asked for, so that texts are written once and paid once and a difference between arms
is one of reading.

| what an arm changes | what is asked again |
|---|---|
| anything | the readings |
| `show = "paraphrased"`, where the base has no paraphrases | the paraphrases |
| `feedback`, `memory`, `window`, `index_told` | what players write to themselves after a round |

What is said stays the base's even so: an arm without feedback is read without it, while the texts
were written by players that had it. To ask what feedback does to writing, play two tournaments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mirrorenv.debate.settings import DebateSettings, preset
from mirrorenv.debate.tournament import Tournament
from mirrorenv.errors import ConfigError, unknown_name

__all__ = ["BASE", "CHANGEABLE", "arms_of", "kept_phases"]

BASE = "base"
"""Name of the tournament whose texts the arms read."""
_OF_READING = (
    "own_text",
    "reader",
    "show",
    "judges",
    "shuffle",
    "answer_format",
    "verdict_tokens",
    "reread_rounds",
)
_OF_KNOWING = ("feedback", "memory", "window", "index_told")
CHANGEABLE = (*_OF_READING, *_OF_KNOWING)
"""Settings that an arm may change: what readers see, know and are asked."""
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
_USUAL: Mapping[str, Mapping[str, Any]] = {
    "withheld": {"own_text": "withheld"},
    "fresh": {"reader": "fresh"},
    "paraphrased": {"show": "paraphrased"},
    "plain": {"show": "plain"},
    "no-feedback": {"feedback": "none"},
}


def arms_of(base: Tournament) -> dict[str, Tournament]:
    """The arms of a tournament by name: those of its file, or the usual ones.

    The usual ones withhold the own text, read afresh, take style away (by the paraphraser if there
    is one, else by `plain`) and say nothing after a round; one that changes nothing is left out.

    Args:
        base: whose texts are read.

    Raises:
        ConfigError: for a name that cannot be one of a folder, a setting that an arm cannot change,
            or an arm that changes nothing.
    """
    if base.arms:
        return {name: _arm(base, name, changes) for name, changes in base.arms.items()}
    style = "plain" if base.paraphraser is None else "paraphrased"
    names = [name for name in _USUAL if name not in ("plain", "paraphrased") or name == style]
    return {name: _arm(base, name, _USUAL[name]) for name in names if _differs(base, _USUAL[name])}


def _differs(base: Tournament, changes: Mapping[str, Any]) -> bool:
    return any(getattr(base.settings, name) != value for name, value in changes.items())


def _arm(base: Tournament, name: str, changes: Mapping[str, Any]) -> Tournament:
    where = f"arm '{name}'"
    if not _NAME.fullmatch(name) or name == BASE:
        raise ConfigError(
            f"{where}: a name is up to 40 of a-z, 0-9, '-' and '_', and not '{BASE}', which is the "
            "tournament itself"
        )
    for setting in changes:
        if setting not in DebateSettings.model_fields:
            raise ConfigError(f"{where}: {unknown_name('setting', setting, CHANGEABLE)}")
        if setting not in CHANGEABLE:
            raise ConfigError(
                f"{where}: {setting} changes what is written, and arms read the same texts; play "
                f"another tournament, or change one of {', '.join(CHANGEABLE)}"
            )
    try:
        settings = preset("default", {**base.settings.model_dump(), **changes})
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error
    if settings == base.settings:
        raise ConfigError(f"{where} changes nothing of the tournament: leave it out")
    if settings.show == "paraphrased" and base.paraphraser is None:
        raise ConfigError(f"{where}: show = 'paraphrased' needs a card as 'paraphraser'")
    return replace(base, name=f"{base.name}.{name}"[:60], settings=settings, arm=name, arms={})


def kept_phases(base: DebateSettings, arm: DebateSettings) -> set[str]:
    """Phases whose texts an arm takes from its base.

    Args:
        base: rules of the base.
        arm: rules of the arm.
    """
    kept = {"speak"}
    if base.show == "paraphrased":
        kept.add("paraphrase")
    if all(getattr(base, name) == getattr(arm, name) for name in _OF_KNOWING):
        kept.add("plan")
    return kept
