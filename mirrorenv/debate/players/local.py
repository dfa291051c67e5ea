"""A language model in this process: writes in batches with all players of its model, and reads as
its card says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players.base import CallFailed, Reply, Usage, chance
from mirrorenv.debate.players.local_prompts import messages_for
from mirrorenv.debate.players.local_readers import (
    constrained_verdict,
    label_evidence,
    likelihood_evidence,
    tokens_read,
)
from mirrorenv.debate.views import View
from mirrorenv.errors import ConfigError, MirrorError, MissingExtraError
from mirrorenv.llm.answers import split_thoughts
from mirrorenv.llm.asking import Generated, Request
from mirrorenv.llm.engine import Engine, engine_of
from mirrorenv.llm.options import TRANSFORMERS, Capabilities, local_options

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["LocalPlayer"]

T = TypeVar("T")


class LocalPlayer:
    """A local model under a persona.

    Args:
        card: its options are those of :class:`mirrorenv.llm.LocalOptions`.
        engine: where the model is; that of its options if None.

    Raises:
        ConfigError: for an option that is unknown or out of range.
    """

    capabilities: Capabilities = TRANSFORMERS

    def __init__(self, card: AgentCard, engine: Engine | None = None) -> None:
        self.card = card
        self.options = local_options(card.options, card.name)
        self._engine = engine

    def connect(self, shared: dict[str, Any]) -> None:
        """Look whether everything is installed, before a tournament begins.

        Raises:
            MissingExtraError: with the pip line.
            ConfigError: if there is no such model.
        """
        self.engine()

    def engine(self) -> Engine:
        """The engine of its model."""
        if self._engine is None:
            self._engine = engine_of(self.options.model, self.options.dtype, self.options.adapter)
        return self._engine

    async def speak(self, view: View) -> Reply:
        """A text on the topic, or a paraphrase."""
        return await self._write(view, view.settings.answer_tokens)

    async def plan(self, view: View) -> Reply:
        """A text for itself."""
        return await self._write(view, view.settings.notes_tokens)

    async def recognise(self, view: View) -> Reply:
        """A verdict, in the way that the card's `reader` says."""
        if self.card.reader == "words":
            return await self._write(view, view.settings.verdict_tokens)
        if self.card.reader == "schema":
            text, read = await self._compute(
                lambda model: (
                    constrained_verdict(model, view, self.card, self.options),
                    tokens_read(model, view, self.card, self.options),
                )
            )
            return Reply(text, request={"reader": "schema"}, usage=Usage(read, len(text) // 4))
        evidence_of = {"labels": label_evidence, "likelihood": likelihood_evidence}[
            self.card.reader
        ]
        evidence, read = await self._compute(
            lambda model: (
                evidence_of(model, view, self.card, self.options),
                tokens_read(model, view, self.card, self.options),
            )
        )
        rows = tuple(_rounded(row) for row in evidence.tolist())
        return Reply("", evidence=rows, request={"reader": self.card.reader}, usage=Usage(read, 0))

    async def _write(self, view: View, tokens: int) -> Reply:
        messages = messages_for(view, self.card, self.options.prompt)
        seed = int(chance(view, "local").integers(2**62))
        prompt, moved = await self._compute(
            lambda model: (model.chat(messages), model.template.system_in_user_turn)
        )
        asked = Request(prompt, tokens, self.options.temperature, seed)
        written: Generated = await self._wait(self.engine().write(asked))
        request: dict[str, Any] = {
            "model": self.options.model,
            "messages": [list(one) for one in messages],
            "tokens": tokens,
            "temperature": self.options.temperature,
            "seed": seed,
        }
        if moved:
            request["system"] = "said in the user's turn: the chat template has no place for it"
        response = {
            "tokens": list(written.tokens),
            "finished": written.finished,
            "nats": round(sum(written.logprobs), 4),
        }
        usage = Usage(len(prompt), len(written.tokens))
        text, thoughts, _ = split_thoughts(written.text)
        stop = "stop" if written.finished else "length"
        if not text.strip():
            stop = "thinking" if thoughts else "empty"
        return Reply(
            text,
            request=request,
            response=response,
            usage=usage,
            stop=stop,
            thoughts=thoughts,
        )

    async def _compute(self, function: Callable[[LanguageModel], T]) -> T:
        found: T = await self._wait(self.engine().compute(function))
        return found

    async def _wait(self, future: Any) -> Any:
        try:
            return await asyncio.wrap_future(future)
        except (ConfigError, MissingExtraError, CallFailed):
            raise
        except MirrorError as error:
            raise CallFailed(
                f"agent '{self.card.name}': {error}", ({"error": str(error)},)
            ) from error


def _rounded(row: list[float]) -> tuple[float, ...]:
    return tuple(round(nats, 6) for nats in row)
