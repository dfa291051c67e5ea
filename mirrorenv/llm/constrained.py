"""Answers held to a form: a JSON object whose values come from given lists.

No grammar engine is needed. Each value is the one to which the model gives the highest
log-probability, chosen key by key, so that the answer is always readable and the choice is
deterministic.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["Template", "Value", "constrained_answer"]

Value = str | int | float | bool | None
"""A JSON value that an enumeration may hold."""

Template = Sequence[tuple[str, Sequence[Value]]]
"""Each key of the object, in order, with the values it may take."""


def constrained_answer(
    model: LanguageModel, messages: Sequence[tuple[str, str]], template: Template
) -> str:
    """A JSON object, key by key: of the allowed continuations the most probable, the first on ties.

    Args:
        model: answers.
        messages: (role, content), a system message first and a user message last.
        template: each key with its allowed values.

    Returns:
        the object as JSON text, with exactly the keys of the template.
    """
    prompt = model.chat(messages)
    answer: dict[str, Value] = {}
    for key, values in template:
        # everything up to the closing brace, so that the next key can follow
        texts = [json.dumps({**answer, key: value})[:-1] for value in values]
        tokens = [model.answer_tokens(text, ended=False) for text in texts]
        scores = model.score(prompt, tokens)  # nats, one for each value
        answer[key] = values[int(np.argmax(scores))]
    return json.dumps(answer)
