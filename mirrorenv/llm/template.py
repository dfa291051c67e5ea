"""A model's chat template, tried out: what it does with instructions, how it opens and closes a
turn.

Templates are programs, and say nothing about themselves. Some have no system role and say so, some
drop what stands in it without a word; some ignore that an answer is to begin. All of it is found by
rendering.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mirrorenv.errors import ConfigError

__all__ = ["ChatTemplate"]

_WORD = "mirrorenv"  # a word that no template says by itself
Messages = Sequence[tuple[str, str]]


class ChatTemplate:
    """The template of a tokenizer that has one.

    Args:
        tokenizer: of the model.
        name: of the model, for messages.
    """

    def __init__(self, tokenizer: Any, name: str) -> None:
        self.tokenizer = tokenizer
        self.name = name
        self.system_in_user_turn = False
        """Whether instructions had to be put into the user's turn, the last time."""

    def prompt(self, messages: Messages) -> str:
        """A conversation up to where the assistant's next turn begins.

        Args:
            messages: (role, content), a system message first.

        Raises:
            ConfigError: if the template drops what it is given, in every form.
        """
        said = list(messages)
        text = self._rendered(said, opened=True)
        self.system_in_user_turn = text is None or not _holds(text, said)
        if self.system_in_user_turn:
            said = _merged(said)
            text = self._rendered(said, opened=True)
        if text is None or not _holds(text, said):
            raise ConfigError(
                f"local model '{self.name}': its chat template drops what the model is told; use a "
                "model with another chat_template"
            )
        return text if text != self._rendered(said) else text + self._opening(said, text)

    def closing(self) -> str:
        """What the template writes behind the words of an assistant's turn; "" if nothing."""
        for messages in (
            [("system", "s"), ("user", "u"), ("assistant", _WORD)],
            [("user", "u"), ("assistant", _WORD)],
        ):
            text = self._rendered(messages)
            if text is not None and _WORD in text:
                return text.rsplit(_WORD, 1)[1]
        return ""

    def _opening(self, messages: Messages, text: str) -> str:
        """What stands between a user's turn and the words of the answer, where the template does
        not write it before there is an answer."""
        answered = self._rendered([*messages, ("assistant", _WORD)])
        if answered is None or not answered.startswith(text) or _WORD not in answered[len(text) :]:
            return ""
        return answered[len(text) :].split(_WORD, 1)[0]

    def _rendered(self, messages: Messages, opened: bool = False) -> str | None:
        """The text, or None if the template refuses the messages."""
        said = [{"role": role, "content": content} for role, content in messages]
        try:
            return str(
                self.tokenizer.apply_chat_template(
                    said, tokenize=False, add_generation_prompt=opened
                )
            )
        except Exception:  # a template raises its own kinds of error
            return None


def _merged(messages: Messages) -> list[tuple[str, str]]:
    """The instructions in the first user's turn."""
    if len(messages) < 2 or messages[0][0] != "system":
        return list(messages)
    return [("user", f"{messages[0][1]}\n\n{messages[1][1]}"), *messages[2:]]


def _holds(text: str, messages: Messages) -> bool:
    """Whether all that was said to the model stands in a text, white space aside."""
    bare = "".join(text.split())
    # what the assistant said may be without its thoughts
    return all(
        "".join(content.split()) in bare for role, content in messages if role != "assistant"
    )
