"""Who says whether an utterance is good: recorded replies, a server, or the local model.

`judge` of the world names one of them:

| judge | what |
|---|---|
| `recorded:FILE` | JSON, a list of replies by text in hexadecimal digits; costs nothing |
| `local`, `local:NAME` | the language model in this process |
| `http://HOST/v1#MODEL` | any OpenAI-compatible server; its key in `MIRRORENV_JUDGE_KEY` |
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from mirrorenv.errors import ConfigError, StoreError, require
from mirrorenv.results.runs.files import parse_json
from mirrorenv.strict import read_settings_text

__all__ = ["Judge", "open_judge"]

KEY = "MIRRORENV_JUDGE_KEY"
_QUESTION = (
    "Here are {count} bytes that an agent uttered, in hexadecimal digits, and how they read as "
    "Latin letters. Is this utterance good or bad? Answer with one word, good or bad.\n"
    "{digits}\n{letters}"
)
_TOKENS = 8
_TIMEOUT_S = 60.0


class Judge(Protocol):
    """Replies to utterances in words."""

    def replies(self, utterances: Sequence[bytes], turn: int) -> list[str]:
        """One reply for each; the same utterance may be asked about in several turns."""

    def close(self) -> None:
        """Let go of what is held open."""


def open_judge(named: str) -> Judge:
    """The judge of a name.

    Raises:
        ConfigError: if it has no such form.
        StoreError: if recorded replies cannot be read.
        MissingExtraError: if what it needs is not installed.
    """
    kind, _, rest = named.partition(":")
    if kind == "recorded" and rest:
        return Recorded(Path(rest))
    if kind == "local":
        return Local(rest)
    if kind in ("http", "https") and "#" in rest:
        address, _, model = named.rpartition("#")
        return Endpoint(address, model)
    raise ConfigError(
        f"judge = {named!r}: write recorded:FILE, local, or http://HOST/v1#MODEL; without a judge "
        "leave 'judge' out of rewards"
    )


class Recorded:
    """Replies that were written down: the n-th turn gets the n-th, and the last one for ever.

    Args:
        path: a JSON object, hexadecimal digits -> list of replies. What is not there gets "".

    Raises:
        StoreError: if it is no such file.
    """

    def __init__(self, path: Path) -> None:
        try:
            found = parse_json(read_settings_text(path))
        except (ConfigError, ValueError, RecursionError) as error:
            raise StoreError(f"recorded replies {path}: {error}") from error
        if not isinstance(found, dict):
            raise StoreError(f"recorded replies {path}: an object is wanted, text -> replies")
        self._replies: dict[str, list[str]] = {}
        for digits, replies in found.items():
            if not isinstance(replies, list) or not all(isinstance(one, str) for one in replies):
                raise StoreError(f"recorded replies {path}: {digits[:40]} has no list of texts")
            self._replies[digits] = replies

    def replies(self, utterances: Sequence[bytes], turn: int) -> list[str]:
        """See :meth:`Judge.replies`."""
        known = [self._replies.get(said.hex()) or [""] for said in utterances]
        return [replies[min(turn, len(replies) - 1)] for replies in known]

    def close(self) -> None:
        """Nothing is held open."""


class Local:
    """The model in this process, at temperature 1: a judge that never varied would be perfectly
    reliable and say nothing.

    Args:
        name: of the model; empty for the built-in one.
    """

    def __init__(self, name: str) -> None:
        from mirrorenv.llm.engine import engine_of
        from mirrorenv.llm.options import LocalOptions

        self._engine = engine_of(name or LocalOptions().model)

    def replies(self, utterances: Sequence[bytes], turn: int) -> list[str]:
        """See :meth:`Judge.replies`."""
        from mirrorenv.llm.asking import Request

        asked = [[("system", "You judge."), ("user", _question(said))] for said in utterances]
        prompts = self._engine.compute(lambda model: [model.chat(one) for one in asked]).result()
        waiting = [
            self._engine.write(Request(prompt, _TOKENS, 1.0, 1_000_003 * turn + place))
            for place, prompt in enumerate(prompts)
        ]
        return [one.result().text for one in waiting]

    def close(self) -> None:
        """The model is the process's own."""


class Endpoint:
    """A model behind an address.

    Args:
        address: up to and with `/v1`.
        model: as the server calls it.
    """

    def __init__(self, address: str, model: str) -> None:
        for package in ("httpx2", "tenacity"):
            require(package, "llm")
        from mirrorenv.llm.endpoint import Connection, EndpointClient
        from mirrorenv.llm.rate_limit import Gate
        from mirrorenv.llm.secrets import key_from

        variable = KEY if KEY in os.environ else None
        connection = Connection(
            who="the judge",
            base_url=address.rstrip("/"),
            key=key_from(variable, "the judge"),
            key_name=variable or "",
            model=model,
            api="chat",
            retries=3,
            longest_wait=20.0,
        )
        self._model = model
        self._runner = asyncio.Runner()
        self._client = EndpointClient(connection, Gate(8))

    def replies(self, utterances: Sequence[bytes], turn: int) -> list[str]:
        """See :meth:`Judge.replies`.

        Raises:
            CallFailed: if the server gives no answer, and trying again is of no use.
        """
        return self._runner.run(self._all(utterances))

    async def _all(self, utterances: Sequence[bytes]) -> list[str]:
        return list(await asyncio.gather(*map(self._one, utterances)))

    async def _one(self, said: bytes) -> str:
        from mirrorenv.llm.answers import read_answer

        asked = {
            "model": self._model,
            "max_tokens": _TOKENS,
            "messages": [{"role": "user", "content": _question(said)}],
        }
        answer = await self._client.ask(asked, _TIMEOUT_S)
        return read_answer(answer.response, "chat").text

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._client.close())
        self._runner.close()


def _question(said: bytes) -> str:
    letters = "".join(c if c.isprintable() else "." for c in said.decode("latin-1"))
    return _QUESTION.format(count=len(said), digits=said.hex(" "), letters=letters)
