"""Pairs from generation: players, topics, samples; to a file that TRL loads, with a data card.
Needs torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mirrorenv.errors import ConfigError
from mirrorenv.preference.callbacks import RunCallbacks, StageCallback, no_progress
from mirrorenv.preference.card import data_card
from mirrorenv.preference.context import RunContext, topics_for
from mirrorenv.preference.pairs import kept_texts, write_pairs
from mirrorenv.preference.run import CARD, TEXTS, voices_for
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.writing import TextStore, first_texts
from mirrorenv.results.runs.files import atomic_write_json, read_json
from mirrorenv.results.runs.lock import only_writer

__all__ = ["PAIRS", "generate_pairs"]

PAIRS = "pairs.jsonl"
SETTINGS = "settings.json"


def generate_pairs(
    settings: PreferenceSettings,
    folder: Path,
    progress: StageCallback = no_progress,
    device: str = "auto",
) -> dict[str, Any]:
    """Write `pairs.jsonl` and `data_card.json`; texts that are in `texts.jsonl` already are
    not written again.

    Args:
        settings: model, players, topics, samples and seed of it count here.
        folder: new, empty, or one in which the same generation was cut short.
        progress: called with (what, texts done, texts to do).
        device: `cpu`, `cuda` or `auto`.

    Returns:
        `path` of the pairs, `rows` by split, and the `card`.

    Raises:
        ConfigError: if the folder holds texts of other settings.
        RunFolderError: if it cannot be written to, or somebody else is writing it.
    """
    with only_writer(folder):
        return _generated(settings, folder, progress, device)


def _generated(
    settings: PreferenceSettings, folder: Path, progress: StageCallback, device: str
) -> dict[str, Any]:
    config = settings.model_dump(mode="json", include={"model", "dtype", "seed", "control", "data"})
    if (folder / SETTINGS).exists() and read_json(folder / SETTINGS) != config:
        raise ConfigError(
            f"{folder} holds texts of other settings; choose another folder, or the old settings"
        )
    atomic_write_json(folder / SETTINGS, config)
    topics = topics_for(settings)
    with voices_for(settings, device) as voices:
        context = RunContext.start(settings, voices, topics, callbacks=RunCallbacks(progress))
        texts = first_texts(context, TextStore(folder / TEXTS))
        card = data_card(context, texts)
    atomic_write_json(folder / CARD, card)
    kept, _ = kept_texts(texts, settings.data.truncated)
    rows = write_pairs(folder / PAIRS, kept, settings.data.neutral)
    return {"path": str(folder / PAIRS), "rows": rows, "card": card}
