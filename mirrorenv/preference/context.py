"""What all parts of a run share: one object in place of a handful of arguments. Needs torch."""

from __future__ import annotations

from dataclasses import dataclass

from mirrorenv.preference.callbacks import SILENT, RunCallbacks
from mirrorenv.preference.classifiers import AuthorClassifiers
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.state import RoundState
from mirrorenv.preference.topics import TopicSplit, split_topics, topics_of
from mirrorenv.preference.voices import VoicePopulation
from mirrorenv.preference.workers import ALONE, Workers

__all__ = ["RunContext", "topics_for"]


@dataclass
class RunContext:
    """One run while it goes on.

    Attributes:
        settings: of the run; they do not change.
        voices: the population that is tuned, and the untouched model.
        classifiers: one on each voice; used by the method `grpo`.
        topics: by split.
        state: how far the run is; changed in place.
        workers: this process among those that train together.
        callbacks: what the run reports to.
    """

    settings: PreferenceSettings
    voices: VoicePopulation
    classifiers: AuthorClassifiers
    topics: TopicSplit
    state: RoundState
    workers: Workers = ALONE
    callbacks: RunCallbacks = SILENT

    @classmethod
    def start(
        cls,
        settings: PreferenceSettings,
        voices: VoicePopulation,
        topics: TopicSplit | None = None,
        workers: Workers = ALONE,
        callbacks: RunCallbacks = SILENT,
    ) -> RunContext:
        """A run before its first round.

        Args:
            settings: of the run.
            voices: the population.
            topics: split beforehand; those of the settings if None.
            workers: this process among those that train together.
            callbacks: what the run reports to; only the main worker does.
        """
        return cls(
            settings=settings,
            voices=voices,
            classifiers=AuthorClassifiers(len(voices)),
            topics=topics_for(settings) if topics is None else topics,
            state=RoundState.start(settings),
            workers=workers,
            callbacks=callbacks if workers.is_main else SILENT,
        )


def topics_for(settings: PreferenceSettings) -> TopicSplit:
    """The topics of a run, split before anything is written about them.

    Raises:
        ConfigError: if a pack is unknown or unreadable, or a split would be empty.
    """
    data = settings.data
    return split_topics(
        topics_of(data.topics), data.tuning, data.held_out, settings.seed, data.most_topics
    )
