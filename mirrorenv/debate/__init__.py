"""Debate-unshuffle: the mirror test for language models, as an environment and as a tournament."""

from __future__ import annotations

from mirrorenv.lazy import lazily

_HOME = {
    "AgentCard": "cards",
    "Debate": "rules",
    "DebateEnv": "env",
    "DebateSettings": "settings",
    "TopicPack": "topic_files",
    "Verdict": "verdicts",
    "View": "views",
    "load_card": "cards",
    "load_topics": "topic_files",
    "make_player": "players",
    "preset": "settings",
    "presets": "settings",
    "topic_packs": "topic_files",
}

__all__ = list(_HOME)

# Asking for the rules imports neither the tournament nor a client.
__getattr__ = lazily(__name__, _HOME)
