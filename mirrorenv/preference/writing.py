"""Texts in batches, appended to a file as they are written; what is there already is not written
again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorenv.llm.asking import Generated, Request
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.topics import SPLITS, Split, TopicSplit
from mirrorenv.preference.voices import derived_seed
from mirrorenv.preference.workers import ALONE, Workers
from mirrorenv.results.runs.json_lines import append_jsonl_rows, read_jsonl

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["TextStore", "first_texts", "fresh_texts"]

# texts written side by side, and appended together: a batch is there whole or not at all
_BATCH = 16


@dataclass(frozen=True)
class _Wanted:
    player: str
    topic: str
    split: Split
    sample: int
    round: int

    @property
    def key(self) -> tuple[int, str, str, int]:
        return self.round, self.player, self.topic, self.sample


class TextStore:
    """A file of texts that only grows.

    Args:
        path: JSON lines; made when the first text is written.
        workers: write batches side by side; only the first of them touches the file.
    """

    def __init__(self, path: Path, workers: Workers = ALONE) -> None:
        self.path = path
        self.workers = workers
        self._known: dict[tuple[int, str, str, int], Text] = {}
        for row in workers.on_main(lambda: read_jsonl(path).rows):
            self._keep(Text.of_row(row))

    def _keep(self, one: Text) -> None:
        self._known[one.round, one.player, one.topic, one.sample] = one

    def write(
        self,
        model: LanguageModel,
        system: str,
        wanted: Sequence[_Wanted],
        settings: PreferenceSettings,
        progress: Callable[[int], None],
    ) -> list[Text]:
        """Texts as wanted, from the file or from the model.

        Args:
            model: who speaks.
            system: what it is told.
            wanted: in order.
            settings: of the run.
            progress: called with the number of texts done, after each batch.
        """
        # Batches are cut before asking what is there, so that a resumed run computes the same
        # batches; and each is written by one worker alone, so that any number of workers writes the
        # same texts.
        batches = [wanted[start : start + _BATCH] for start in range(0, len(wanted), _BATCH)]
        for start in range(0, len(batches), self.workers.size):
            missing = [self._missing(some) for some in batches[start : start + self.workers.size]]
            if any(missing):
                mine = missing[self.workers.rank] if self.workers.rank < len(missing) else []
                written = partial(self._written, model, system, mine, settings)
                self._append(self.workers.gather(written))
            progress(min((start + self.workers.size) * _BATCH, len(wanted)))
        return [self._known[one.key] for one in wanted]

    def _missing(self, batch: Sequence[_Wanted]) -> Sequence[_Wanted]:
        """The whole batch, or nothing if all of it is there."""
        return batch if any(one.key not in self._known for one in batch) else []

    def _append(self, parts: list[list[Text]]) -> None:
        for part in filter(None, parts):
            if self.workers.is_main:
                append_jsonl_rows(self.path, [one.to_row() for one in part])
            for one in part:
                self._keep(one)

    @staticmethod
    def _written(
        model: LanguageModel, system: str, some: Sequence[_Wanted], settings: PreferenceSettings
    ) -> list[Text]:
        if not some:
            return []
        data = settings.data
        asked = [
            Request(
                prompt=model.chat([("system", system), ("user", one.topic)]),
                tokens=data.tokens,
                temperature=data.temperature,
                seed=derived_seed(settings.seed, "text", *one.key),
            )
            for one in some
        ]
        answers = zip(some, model.generate(asked), strict=True)
        return [_text(one, answer) for one, answer in answers]


def _text(wanted: _Wanted, answer: Generated) -> Text:
    return Text(
        player=wanted.player,
        topic=wanted.topic,
        split=wanted.split,
        text=answer.text,
        tokens=answer.tokens,
        finished=answer.finished,
        sample=wanted.sample,
        round=wanted.round,
    )


def first_texts(context: RunContext, store: TextStore) -> list[Text]:
    """What the untouched model writes under each player's persona, on all topics.

    Args:
        context: of the run.
        store: where texts are kept.
    """
    versions = [-1] * len(context.voices)
    asked = _Order(SPLITS, context.settings.data.samples, versions, tuned=False)
    return _generate(context, store, asked)


def fresh_texts(
    context: RunContext, store: TextStore, split: Split, versions: Sequence[int], samples: int
) -> list[Text]:
    """What the tuned voices write on the topics of one split, without a persona.

    Args:
        context: of the run; its voices write.
        store: where texts are kept.
        split: which topics.
        versions: round that each player's voice comes from.
        samples: texts of each player on each topic.
    """
    return _generate(context, store, _Order((split,), samples, versions, tuned=True))


@dataclass(frozen=True)
class _Order:
    """What is to be written.

    Attributes:
        splits: which topics.
        samples: texts of each player on each topic.
        versions: of each player's voice; -1 for first texts.
        tuned: whether voices speak, told nothing; else the untouched model under each persona.
    """

    splits: Sequence[Split]
    samples: int
    versions: Sequence[int]
    tuned: bool

    def wanted(self, topics: TopicSplit, player: int, name: str) -> list[_Wanted]:
        """The texts of one player, in order."""
        found: list[_Wanted] = []
        for split in self.splits:
            found += [
                _Wanted(name, topic, split, sample, self.versions[player])
                for topic, sample in product(topics[split], range(self.samples))
            ]
        return found


def _generate(context: RunContext, store: TextStore, order: _Order) -> list[Text]:
    settings = context.settings
    topics = sum(len(context.topics[split]) for split in order.splits)
    total = len(context.voices) * order.samples * topics
    found: list[Text] = []
    for player, name in enumerate(settings.names):
        before = len(found)

        def report(done: int, before: int = before) -> None:
            context.callbacks.stage("writing", before + done, total)

        system = settings.data.neutral if order.tuned else settings.persona(player)
        wanted = order.wanted(context.topics, player, name)
        with context.voices.speaking(player if order.tuned else None) as model:
            found += store.write(model, system, wanted, settings, report)
    return found
