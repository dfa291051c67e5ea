"""The two roads of a round: pairs, or a classifier and a reward; and what its heads are worth.
Needs trl."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mirrorenv.preference.dpo import train_player
from mirrorenv.preference.grpo import train_player_by_heads
from mirrorenv.preference.heads import Asked, Heads, hidden_states
from mirrorenv.preference.pairing import pairs_for
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.recognition import scored
from mirrorenv.preference.scoring import lineups_of, prompt_of, tokens_of
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.state import Progressed
from mirrorenv.preference.voices import Voices
from mirrorenv.preference.workers import ALONE, Workers

__all__ = ["head_figures", "improve_by_heads", "improve_by_pairs", "teach"]

Stage = Callable[[str, int, int], None]


def improve_by_pairs(
    voices: Voices,
    texts: Sequence[Text],
    settings: PreferenceSettings,
    state: Progressed,
    number: int,
    stage: Stage,
    workers: Workers = ALONE,
) -> list[dict[str, float]]:
    """A few steps of every player on pairs of its own text and another's.

    Returns:
        figures of each player's training.
    """
    losses = []
    for player in range(len(voices)):
        pairs = pairs_for(voices, player, texts, settings, number, workers)
        found, state.optimisers[player] = train_player(
            voices,
            player,
            pairs,
            settings,
            beta=state.betas[player],
            learning_rate=state.rates[player],
            round=number,
            optimiser=state.optimisers[player],
            workers=workers,
        )
        losses.append(found)
        stage(f"round {number}: training", player + 1, len(voices))
    return losses


def improve_by_heads(
    voices: Voices,
    heads: Heads,
    topics: Sequence[str],
    settings: PreferenceSettings,
    state: Progressed,
    number: int,
    stage: Stage,
    workers: Workers = ALONE,
) -> list[dict[str, float]]:
    """A few steps of every player on the reward of being recognised by all heads.

    Returns:
        figures of each player's training.
    """
    losses, before = [], list(voices.states)
    after = list(before)
    for player in range(len(voices)):
        # heads read with the weights they learned on, whoever was trained before
        voices.states = list(before)
        found, state.optimisers[player] = train_player_by_heads(
            voices,
            player,
            topics,
            heads,
            settings,
            learning_rate=state.rates[player],
            round=number,
            optimiser=state.optimisers[player],
            workers=workers,
        )
        after[player] = voices.states[player]
        losses.append(found)
        stage(f"round {number}: training", player + 1, len(voices))
    voices.states = after
    return losses


def teach(
    voices: Voices, heads: Heads, texts: Sequence[Text], settings: PreferenceSettings
) -> None:
    """Let every voice's head learn who wrote which text, from texts on training topics.

    Args:
        voices: the population.
        heads: changed in place.
        texts: with their owners.
        settings: of the run.
    """
    some, authors = (
        _asked(voices, texts, settings),
        [settings.names.index(one.player) for one in texts],
    )
    for observer in range(len(voices)):
        voices.put_in(observer)
        heads.learn(observer, hidden_states(voices, some), authors)


def head_figures(
    voices: Voices, heads: Heads, texts: Sequence[Text], settings: PreferenceSettings, run: str
) -> dict[str, Any]:
    """What the heads are worth on lineups of texts, as :class:`~mirrorenv.mirror.Score`: each reads
    by its own voice.

    Args:
        voices: the population.
        heads: one on each voice.
        texts: of all players on the topics of one split.
        settings: of the run.
        run: names the shuffle.
    """
    lineups = lineups_of(texts, settings.names)
    size = len(voices)
    some = _asked(voices, [one for row in lineups.texts for one in row], settings)
    evidence = heads.evidence(voices, some).reshape(len(lineups), size, size, size)  # (B, K, J, N)
    return scored(evidence.transpose(0, 2, 1, 3), run)


def _asked(voices: Voices, texts: Sequence[Text], settings: PreferenceSettings) -> list[Asked]:
    return [
        (prompt_of(voices.base, one.topic, settings), tokens_of(voices.base, one)) for one in texts
    ]
