"""Debate-unshuffle: the mirror test for language models, as an environment and as a tournament."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "AgentCard": "cards",
    "Debate": "rules",
    "DebateEnv": "env",
    "DebateSettings": "settings",
    "TopicPack": "topic_files",
    "Verdict": "verdicts",
    "View": "rules",
    "load_card": "cards",
    "load_topics": "topic_files",
    "make_player": "players",
    "preset": "settings",
    "presets": "settings",
    "topic_packs": "topic_files",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    # Lazy, so that asking for the rules imports neither the tournament nor a client.
    if name in _HOME:
        return getattr(import_module(f"mirrorenv.debate.{_HOME[name]}"), name)
    raise AttributeError(f"module 'mirrorenv.debate' has no attribute '{name}'")
