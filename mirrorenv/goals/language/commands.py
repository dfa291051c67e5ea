"""The four commands of a guide: read texts, learn from them, write under it, say what its codes
are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mirrorenv.errors import ConfigError
from mirrorenv.goals.language.guide import (
    SPAN,
    Guide,
    Prepared,
    load_arrays,
    pooled,
    prepare,
    save_arrays,
)
from mirrorenv.goals.language.steering import Steering, rate_of, write
from mirrorenv.goals.language.texts import read_topics, topic_words, words_of
from mirrorenv.llm.model import LanguageModel
from mirrorenv.llm.weights import load_model
from mirrorenv.results.runs.files import atomic_write_json, read_json

__all__ = ["generate", "interpret", "load_guide", "load_prepared", "prepare_texts", "train_guide"]

_TEXTS = "texts.npz"
_GUIDE = "guide.npz"
_ABOUT = "guide.json"
Say = Callable[[str], None]


def prepare_texts(
    folder: Path, source: str, model: LanguageModel, windows: int, length: int, say: Say
) -> dict[str, Any]:
    """Let a model read texts, and keep what it read and thought.

    Args:
        folder: of the guide.
        source: of the texts, see `read_topics`.
        model: that reads.
        windows: of every topic.
        length: tokens of a window.
        say: is told where it stands.

    Raises:
        ConfigError: if texts and windows do not fit.
    """
    texts = read_topics(source)
    found = prepare(model, texts, windows=windows, length=length, say=say)
    folder.mkdir(parents=True, exist_ok=True)
    save_arrays(folder / _TEXTS, found._asdict())
    atomic_write_json(folder / _ABOUT, {"model": model.name, "texts": source})
    return {"folder": str(folder), "topics": list(texts), "windows": len(found.tokens)}


def load_prepared(folder: Path) -> Prepared:
    """What `prepare_texts` kept.

    Raises:
        ConfigError: if there is nothing, or something else.
    """
    made_by = f"python -m mirrorenv.goals prepare {folder}"
    found = load_arrays(folder / _TEXTS, made_by)
    if set(found) != set(Prepared._fields):
        raise ConfigError(f"{folder / _TEXTS} holds no texts that were read: `{made_by}`")
    return Prepared(**found)


def train_guide(folder: Path, levels: int, codes: int, seed: int, say: Say) -> dict[str, Any]:
    """Fit codes and guides.

    Args:
        folder: with texts that were read.
        levels: how many.
        codes: of each level.
        seed: of codes and guides.
        say: is told where it stands.

    Raises:
        ConfigError: if levels or codes do not fit the texts.
    """
    prepared = load_prepared(folder)
    guide = Guide(prepared.states.shape[-1], levels, codes, len(prepared.names))
    rows = guide.learn(prepared, seed, say)
    state = {name: value.numpy() for name, value in guide.state_dict().items()}
    save_arrays(folder / _GUIDE, state)
    return {"folder": str(folder), "levels": [row._asdict() for row in rows]}


def load_guide(folder: Path) -> tuple[Guide, list[str]]:
    """A guide and the names of its goals.

    Args:
        folder: of `train_guide`.

    Raises:
        ConfigError: if there is none, or it does not fit the texts beside it.
    """
    made_by = f"python -m mirrorenv.goals train {folder}"
    state = load_arrays(folder / _GUIDE, made_by)
    names = load_prepared(folder).names.tolist()
    try:
        levels, codes, width = state["codes"].shape
        guide = Guide(width, levels, codes, len(names))
        guide.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    except (KeyError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{folder / _GUIDE} is no guide to these texts: `{made_by}`") from error
    return guide, names


def generate(
    folder: Path,
    model: LanguageModel | None,
    prompt: str,
    topic: str,
    steering: Steering,
    **how: Any,
) -> dict[str, Any]:
    """Write texts under a guide.

    Args:
        folder: of the guide.
        model: that writes; None: the one that read the texts.
        prompt: how the texts begin.
        topic: of the goal.
        steering: weight and where; guide and topic are filled in.
        **how: `count` texts, `tokens` each, `seed`.

    Raises:
        ConfigError: for a goal that the guide does not know.
    """
    guide, names = load_guide(folder)
    if topic not in names:
        raise ConfigError(f"the guide knows no way to {topic!r}: its goals are {', '.join(names)}")
    about = read_json(folder / _ABOUT)
    model = model or load_model(str(about["model"]))
    told = steering._replace(guide=guide, topic=names.index(topic))
    written = write(model, [prompt] * how["count"], told, tokens=how["tokens"], seed=how["seed"])
    words = topic_words(read_topics(str(about["texts"])), topic)
    known = {*words.shown, *words.held_out}
    return {
        "topic": topic,
        "weight": steering.weight,
        "texts": list(written.texts),
        "perplexity": round(float(np.mean(written.perplexity)), 3),
        "rate_of_topic_words": round(
            float(np.mean([rate_of(text, known) for text in written.texts])), 4
        ),
    }


def interpret(folder: Path, model: LanguageModel | None, most: int = 6) -> dict[str, Any]:
    """What each code stands for: its words, where they are more frequent than elsewhere, and the
    topics it is met in.

    Args:
        folder: of the guide.
        model: whose words the tokens are; None: the one that read the texts.
        most: words of a code.
    """
    guide, names = load_guide(folder)
    prepared = load_prepared(folder)
    model = model or load_model(str(read_json(folder / _ABOUT)["model"]))
    every = Counter(words_of(" ".join(model.words(row) for row in prepared.tokens.tolist())))
    levels = []
    for level in range(guide.levels):
        span = SPAN ** (level + 1)
        states = torch.from_numpy(prepared.states)
        count = prepared.tokens.shape[1] // span
        means = pooled(states[:, : count * SPAN**level], SPAN**level)
        named = guide.name(means - guide.centre[0], level).numpy()
        pieces = prepared.tokens[:, : count * span].reshape(len(named), count, span)
        codes = []
        for code in range(guide.codes.shape[1]):
            rows, places = np.nonzero(named == code)
            whole = words_of(" ".join(map(model.words, pieces[rows, places].tolist())))
            said = Counter(word for word in whole if word in every)  # none cut in two
            best = sorted(said, key=lambda word: (-(said[word] ** 2) / every[word], word))[:most]
            met = Counter(prepared.topics[rows].tolist()).most_common(2)
            topics = {names[topic]: round(times / len(rows), 3) for topic, times in met}
            codes.append({"code": code, "states": len(rows), "words": best, "topics": topics})
        levels.append({"level": level, "tokens": span, "codes": codes})
    return {"levels": levels}
