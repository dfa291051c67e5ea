"""How voices are tuned in a round: a method for each way, one registry. Needs trl.

To add a method, write a class with the members of :class:`TuningMethod`, put it into
:data:`METHODS`, and name it in :class:`~mirrorenv.preference.settings.PreferenceSettings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mirrorenv.preference.callbacks import EvaluationRow
from mirrorenv.preference.classifiers import PromptAndAnswer, hidden_states
from mirrorenv.preference.context import RunContext
from mirrorenv.preference.dpo import train_player
from mirrorenv.preference.grpo import train_player_by_reward
from mirrorenv.preference.pairing import pairs_for
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.recognition import scored
from mirrorenv.preference.scoring import lineups_of, prompt_of, tokens_of
from mirrorenv.preference.trl_steps import PlayerTurn

__all__ = ["METHODS", "TuningMethod", "classifier_figures", "fit_classifiers", "tune_by_reward"]

TextsOfVersion = Callable[[int], list[Text]]
"""Training texts that the voices of a round write; 0 gives the first texts."""
Column = Callable[[], dict[str, Any]]
"""Computes one column of an evaluation row."""


class TuningMethod(Protocol):
    """One way to tune a population."""

    @property
    def always_on_policy(self) -> bool:
        """Whether training texts are always written by the voices as they are, whatever
        `learning.on_policy` says."""
        ...

    def prepare(self, context: RunContext, texts: TextsOfVersion) -> None:
        """Called once, before the first measurement."""
        ...

    def improve(
        self, context: RunContext, number: int, texts: TextsOfVersion
    ) -> list[dict[str, float]]:
        """A few steps of every player.

        Args:
            context: of the run; voices, classifiers and state are changed in place.
            number: of the round, from 1.
            texts: training texts by version of the voices.

        Returns:
            figures of each player's training.
        """
        ...

    def columns(self, context: RunContext, fresh: Sequence[Text], run: str) -> dict[str, Column]:
        """What the method adds to an evaluation row, by column.

        Args:
            context: of the run.
            fresh: texts of all players on the topics of one split.
            run: names the shuffles.
        """
        ...

    def rank(self, row: EvaluationRow) -> list[float]:
        """What rounds are compared by, the most important first, and last what is recognised of
        fresh texts."""
        ...


class DPO:
    """Own text preferred to another's (DPO, Rafailov et al. 2023)."""

    always_on_policy = False

    def prepare(self, context: RunContext, texts: TextsOfVersion) -> None:
        """Nothing is needed."""

    def improve(
        self, context: RunContext, number: int, texts: TextsOfVersion
    ) -> list[dict[str, float]]:
        """See `TuningMethod.improve`: on pairs of a player's own text and another's."""
        training = texts(context.state.version)
        figures: list[dict[str, float]] = []
        for player in range(len(context.voices)):
            turn = PlayerTurn(context, player, number)
            figures.append(train_player(turn, pairs_for(turn, training)))
            _report(context, number, player)
        return figures

    def columns(self, context: RunContext, fresh: Sequence[Text], run: str) -> dict[str, Column]:
        """See `TuningMethod.columns`: none."""
        return {}

    def rank(self, row: EvaluationRow) -> list[float]:
        """Recognition of texts assigned by both authors together, mean over first and fresh texts;
        then how little the voices have moved, in nats per token, where few lineups make the first
        equal."""
        first = float(row["first"]["recognition"]["assigned"]["value"])
        fresh = float(row["fresh"]["recognition"]["assigned"]["value"])
        moved = [one["kl"] for one in row["fresh"]["useful"].values()]
        return [(first + fresh) / 2, -float(sum(moved) / len(moved)), fresh]


class GRPO:
    """Rewarded for being recognised by classifiers on hidden states (GRPO, Shao et al. 2024)."""

    always_on_policy = True

    def prepare(self, context: RunContext, texts: TextsOfVersion) -> None:
        """Fit the classifiers to the first texts."""
        fit_classifiers(context, texts(0))

    def improve(
        self, context: RunContext, number: int, texts: TextsOfVersion
    ) -> list[dict[str, float]]:
        """See `TuningMethod.improve`: on the reward, and then classifiers that know the new
        voices."""
        figures = tune_by_reward(context, number)
        fit_classifiers(context, texts(number))
        return figures

    def columns(self, context: RunContext, fresh: Sequence[Text], run: str) -> dict[str, Column]:
        """See `TuningMethod.columns`: `head`, what the classifiers are worth."""
        return {"head": lambda: classifier_figures(context, fresh, f"{run}/head")}

    def rank(self, row: EvaluationRow) -> list[float]:
        """What the classifiers name rightly, and their information."""
        top1 = float(row["head"]["top1"]["value"])
        return [top1, float(row["head"]["information"]["value"]), top1]


METHODS: Mapping[str, TuningMethod] = {"dpo": DPO(), "grpo": GRPO()}


def _report(context: RunContext, number: int, player: int) -> None:
    context.callbacks.stage(f"round {number}: training", player + 1, len(context.voices))


def tune_by_reward(context: RunContext, number: int) -> list[dict[str, float]]:
    """A few steps of every player on the reward of being recognised by all classifiers.

    Classifiers read with the weights that they were fitted to, whichever player was trained before,
    so new voices take their places only when all have been trained.

    Args:
        context: of the run; voices and state are changed in place.
        number: of the round, from 1.

    Returns:
        figures of each player's training.
    """
    voices = context.voices
    before = list(voices.states)
    after = list(before)
    figures: list[dict[str, float]] = []
    for player in range(len(voices)):
        voices.states = list(before)
        turn = PlayerTurn(context, player, number)
        figures.append(train_player_by_reward(turn, context.topics.train))
        after[player] = voices.states[player]
        _report(context, number, player)
    voices.states = after
    return figures


def fit_classifiers(context: RunContext, texts: Sequence[Text]) -> None:
    """Fit every voice's classifier to who wrote which text. The main worker does it for all.

    Args:
        context: of the run; its classifiers are changed in place.
        texts: on training topics, with their owners.
    """

    def fitted() -> list[Any]:
        asked = _asked(context, texts)
        authors = [context.settings.names.index(text.player) for text in texts]
        for observer in range(len(context.voices)):
            context.voices.load(observer)
            states = hidden_states(context.voices, asked)  # (B, H)
            context.classifiers.fit(observer, states, authors)
        return context.classifiers.states

    context.classifiers.states = context.workers.on_main(fitted)


def classifier_figures(context: RunContext, texts: Sequence[Text], run: str) -> dict[str, Any]:
    """What the classifiers are worth on lineups of texts, as :class:`~mirrorenv.mirror.Score`: each
    reads by its own voice.

    Args:
        context: of the run.
        texts: of all players on the topics of one split.
        run: names the shuffle.
    """
    lineups = lineups_of(texts, context.settings.names)
    size = len(context.voices)
    in_order: list[Text] = []
    for lineup in lineups.texts:
        in_order += lineup
    flat = context.classifiers.evidence(context.voices, _asked(context, in_order))  # (B K, J, N)
    evidence = flat.reshape(len(lineups), size, size, size)  # (B, K, J, N)
    return scored(evidence.transpose(0, 2, 1, 3), run)


def _asked(context: RunContext, texts: Sequence[Text]) -> list[PromptAndAnswer]:
    base = context.voices.base
    return [
        (prompt_of(base, text.topic, context.settings), tokens_of(base, text)) for text in texts
    ]
