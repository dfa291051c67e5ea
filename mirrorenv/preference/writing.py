"""Texts in batches, appended to a file as they are written; what is there already is not written
again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mirrorenv.llm.asking import Request
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.topics import Split, TopicSplit
from mirrorenv.preference.voices import Voices, derived_seed
from mirrorenv.preference.workers import ALONE, Workers
from mirrorenv.results.runs.files import append_jsonl_rows, read_jsonl

if TYPE_CHECKING:
    from mirrorenv.llm.model import LanguageModel

__all__ = ["Notebook", "generate"]

# texts written side by side, and appended together: a batch is there whole or not at all
_BATCH = 16
Progress = Callable[[str, int, int], None]


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


class Notebook:
    """A file of texts that only grows.

    Args:
        path: JSON lines; made when the first text is written.
        workers: write batches side by side; only the first of them touches the file.
    """

    def __init__(self, path: Path, workers: Workers = ALONE) -> None:
        self.path, self.workers = path, workers
        self._known: dict[tuple[int, str, str, int], Text] = {}
        for row in workers.first(lambda: read_jsonl(path).rows):
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
            missing = [
                some if any(one.key not in self._known for one in some) else []
                for some in batches[start : start + self.workers.size]
            ]
            if any(missing):
                mine = missing[self.workers.rank] if self.workers.rank < len(missing) else []
                self._append(
                    self.workers.each(partial(self._written, model, system, mine, settings))
                )
            progress(min((start + self.workers.size) * _BATCH, len(wanted)))
        return [self._known[one.key] for one in wanted]

    def _append(self, parts: list[list[Text]]) -> None:
        for part in filter(None, parts):
            if self.workers.leads:
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
        return [
            Text(
                one.player,
                one.topic,
                one.split,
                text.text,
                text.tokens,
                text.finished,
                one.sample,
                one.round,
            )
            for one, text in zip(some, model.generate(asked), strict=True)
        ]


def generate(
    settings: PreferenceSettings,
    voices: Voices,
    topics: TopicSplit,
    notebook: Notebook,
    splits: Sequence[Split],
    *,
    samples: int,
    round: int | Sequence[int],
    tuned: bool,
    progress: Progress = lambda what, done, of: None,
) -> list[Text]:
    """Have every player write on every topic of some splits.

    Args:
        settings: of the run.
        voices: who writes.
        topics: split beforehand.
        notebook: where texts are kept.
        splits: which topics.
        samples: texts of each player on each topic.
        round: version of the voices, of all or of each; -1 for the first texts.
        tuned: whether the players' adapters speak, told nothing; else the untouched model under
            each persona.
        progress: called with (what, texts done, texts to do).
    """
    found = list[Text]()
    total = len(voices) * samples * sum(len(topics[split]) for split in splits)
    for number, name in enumerate(settings.names):
        version = round if isinstance(round, int) else round[number]
        wanted = [
            _Wanted(name, topic, split, sample, version)
            for split in splits
            for topic in topics[split]
            for sample in range(samples)
        ]
        system = settings.data.neutral if tuned else settings.persona(number)
        before = len(found)

        def written(done: int, before: int = before) -> None:
            progress("writing", before + done, total)

        with voices.speaking(number if tuned else None) as model:
            found += notebook.write(model, system, wanted, settings, written)
    return found
