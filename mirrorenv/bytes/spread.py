"""Consumers of thoughts, spread over the processes of Ray: each level is scored by all at once."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from mirrorenv.bytes.thoughts import Score
from mirrorenv.errors import ConfigError, require

__all__ = ["SpreadScore"]


class SpreadScore:
    """A score that several processes work out; the values are those of the score itself.

    Ray is started or joined by whoever calls (`ray.init`), so that consumers stand on a cluster as
    they do on one machine. Use it as a context manager.

    Args:
        score: what a consumer computes; it travels to the consumers.
        consumers: how many.

    Raises:
        ConfigError: if there are fewer than one, or Ray is not up.
        MissingExtraError: if Ray is not installed.
    """

    def __init__(self, score: Score, consumers: int = 2) -> None:
        ray = require("ray", "train")
        if consumers < 1:
            raise ConfigError(f"SpreadScore: {consumers} consumers; at least 1 is needed")
        if not ray.is_initialized():
            raise ConfigError("SpreadScore: Ray is not up here: call ray.init first")
        self._ray: Any = ray
        kind = ray.remote(num_cpus=0)(_Consumer)
        self._consumers = [kind.remote(score) for _ in range(consumers)]

    def __call__(self, texts: Sequence[bytes]) -> list[float]:
        """What texts are worth, each by one of the consumers, in order."""
        count = len(self._consumers)
        parts = [list(texts[first::count]) for first in range(count)]
        waiting = [
            consumer.score.remote(part)
            for consumer, part in zip(self._consumers, parts, strict=True)
            if part
        ]
        found = [0.0] * len(texts)
        for first, values in enumerate(self._ray.get(waiting)):
            found[first::count] = values
        return found

    def close(self) -> None:
        """End the consumers."""
        for consumer in self._consumers:
            self._ray.kill(consumer)
        self._consumers = []

    def __enter__(self) -> Self:
        """The score itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """End the consumers."""
        self.close()


class _Consumer:
    """Holds the score in a process of its own."""

    def __init__(self, score: Score) -> None:
        self._score = score

    def score(self, texts: list[bytes]) -> list[float]:
        """See :data:`Score`."""
        return [float(value) for value in self._score(texts)]
