"""Self versus other: language models that learn to be recognisable, measured beside whether they
stay useful.

Each player of a population prefers its own text to the texts of the others (DPO, Rafailov et al.
2023, with authorship in the place of a preference). Settings, topics, pair files and reports need
no torch; training needs the extra ``trl``.
"""

from __future__ import annotations

from mirrorenv.lazy import lazily

_HOME = {
    "PlayerSettings": "settings",
    "PreferenceSettings": "settings",
    "Text": "pairs",
    "TopicSplit": "topics",
    "Voices": "voices",
    "generate": "writing",
    "load_settings": "settings",
    "read_pairs": "pairs",
    "split_topics": "topics",
    "train": "run",
    "write_report": "report",
}

__all__ = list(_HOME)

__getattr__ = lazily(
    __name__,
    _HOME,
    needs={"torch": "trl", "transformers": "trl", "peft": "trl", "trl": "trl"},
    light=("settings", "pairs", "topics", "report"),
)
