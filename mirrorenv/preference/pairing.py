"""From texts to the pairs of one player: own against another's on the same topic, or what a control
makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from mirrorenv.errors import TrainingError
from mirrorenv.preference.dpo import Pair
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.scoring import (
    LogProbabilities,
    group_by_prompt,
    prompt_of,
    tokens_of,
    untouched_log_probabilities,
)
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.trl_steps import PlayerTurn, Tokens
from mirrorenv.preference.voices import derived_seed

__all__ = ["pairs_for", "shuffled_owners"]

OwnAndOther = tuple[Text, Text]


def shuffled_owners(texts: Sequence[Text], settings: PreferenceSettings) -> list[Text]:
    """The same texts with random owners: within each topic and sample, names are shuffled.

    Args:
        texts: in any order.
        settings: of the run; the shuffle follows from its seed.
    """
    groups: dict[tuple[str, int], list[Text]] = {}
    for text in texts:
        groups.setdefault((text.topic, text.sample), []).append(text)
    found: list[Text] = []
    for (topic, sample), group in groups.items():
        rng = np.random.default_rng(derived_seed(settings.seed, "owners", topic, sample))
        owners = rng.permutation([text.player for text in group])
        found += [
            replace(text, player=str(owner)) for text, owner in zip(group, owners, strict=True)
        ]
    return found


def pairs_for(turn: PlayerTurn, texts: Sequence[Text]) -> list[Pair]:
    """As many pairs as a round's steps take, in random order; where there are fewer, each comes
    several times.

    Args:
        turn: who is trained, in which round; every worker looks up the reference for its part.
        texts: of all players on training topics.

    Raises:
        TrainingError: if there is no topic on which both the player and another one wrote.
    """
    settings = turn.context.settings
    by_topic: dict[str, list[Text]] = {}
    for text in texts:
        by_topic.setdefault(text.topic, []).append(text)
    candidates = list(_candidates(by_topic.values(), turn.name))
    if not candidates:
        raise TrainingError(
            f"round {turn.round}: no training topic has a usable text of '{turn.name}' and of "
            "another player. Texts that did not end are dropped: raise data.tokens, set "
            "data.truncated=trim, or ask for short answers in the topics"
        )
    rng = np.random.default_rng(derived_seed(settings.seed, "pairs", turn.round, turn.name))
    wanted = settings.learning.steps * settings.learning.batch_size
    repeats = -(-wanted // len(candidates))  # rounded up
    order = np.concatenate([rng.permutation(len(candidates)) for _ in range(repeats)])[:wanted]
    picked = [candidates[index] for index in order]
    if settings.control == "reversed":
        picked = [(other, own) for own, other in picked]
    nats = _references(turn, picked, by_topic)
    return [_pair(turn, chosen, rejected, nats) for chosen, rejected in picked]


def _candidates(groups: Iterable[list[Text]], player: str) -> Iterator[OwnAndOther]:
    """Every own text with every text of another player on the same topic."""
    for group in groups:
        others = [text for text in group if text.player != player]
        for own in group:
            if own.player == player:
                yield from ((own, other) for other in others)


def _asked(turn: PlayerTurn, text: Text) -> tuple[Tokens, Tokens]:
    base = turn.context.voices.base
    return prompt_of(base, text.topic, turn.context.settings), tokens_of(base, text)


def _references(
    turn: PlayerTurn, picked: Sequence[OwnAndOther], by_topic: dict[str, list[Text]]
) -> LogProbabilities:
    """Log-probabilities under the untouched model. All texts on a topic are read together: they are
    the same for every player, and read once for all."""
    workers = turn.context.workers
    topics = list(dict.fromkeys(chosen.topic for chosen, _ in picked))

    def my_part() -> LogProbabilities:
        asked: list[tuple[Tokens, Tokens]] = []
        for topic in workers.shard(topics):
            asked += [_asked(turn, text) for text in by_topic[topic]]
        return untouched_log_probabilities(turn.context.voices, group_by_prompt(asked), 1.0)

    nats: LogProbabilities = {}
    for part in workers.gather(my_part):
        nats |= part
    return nats


def _pair(turn: PlayerTurn, chosen: Text, rejected: Text, nats: LogProbabilities) -> Pair:
    chosen_key = _asked(turn, chosen)
    rejected_key = _asked(turn, rejected)
    return Pair(
        prompt=chosen_key[0],
        chosen=chosen_key[1],
        rejected=rejected_key[1],
        chosen_reference=nats[chosen_key],
        rejected_reference=nats[rejected_key],
    )
