"""From texts to the pairs of one player: own against another's on the same topic, or what a control
makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mirrorenv.errors import TrainingError
from mirrorenv.preference.dpo import Pair, Tokens
from mirrorenv.preference.pairs import Text
from mirrorenv.preference.scoring import Nats, prompt_of, together, tokens_of, untouched_nats
from mirrorenv.preference.settings import PreferenceSettings
from mirrorenv.preference.voices import Voices, derived_seed
from mirrorenv.preference.workers import ALONE, Workers

__all__ = ["pairs_for", "shuffled_owners"]


def shuffled_owners(texts: Sequence[Text], settings: PreferenceSettings) -> list[Text]:
    """The same texts with random owners: within each topic and sample, names are dealt anew."""
    groups: dict[tuple[str, int], list[Text]] = {}
    for one in texts:
        groups.setdefault((one.topic, one.sample), []).append(one)
    found = []
    for (topic, sample), some in groups.items():
        draws = np.random.default_rng(derived_seed(settings.seed, "owners", topic, sample))
        owners = draws.permutation([one.player for one in some])
        found += [replace(one, player=str(owner)) for one, owner in zip(some, owners, strict=True)]
    return found


def pairs_for(
    voices: Voices,
    player: int,
    texts: Sequence[Text],
    settings: PreferenceSettings,
    round: int,
    workers: Workers = ALONE,
) -> list[Pair]:
    """As many pairs as a round's steps take, in random order; where there are fewer, each comes
    several times.

    Args:
        voices: the population; the untouched model gives the reference.
        player: who is trained.
        texts: of all players on training topics.
        settings: of the run.
        round: for the draw.
        workers: each looks up the reference for its part.

    Raises:
        TrainingError: if there is no topic on which both the player and another one wrote.
    """
    name = voices.players[player]
    by_topic: dict[str, list[Text]] = {}
    for one in texts:
        by_topic.setdefault(one.topic, []).append(one)
    chances = [
        (own, other)
        for some in by_topic.values()
        for own in some
        if own.player == name
        for other in some
        if other.player != name
    ]
    if not chances:
        raise TrainingError(
            f"round {round}: no training topic has a usable text of '{name}' and of somebody else. "
            "Texts that did not "
            "end are dropped: raise data.tokens, set data.truncated=trim, or ask for short answers "
            "in the topics"
        )
    draws = np.random.default_rng(derived_seed(settings.seed, "pairs", round, name))
    wanted = settings.learning.steps * settings.learning.pairs
    some = np.concatenate(
        [draws.permutation(len(chances)) for _ in range(-(-wanted // len(chances)))]
    )[:wanted]
    picked = [chances[index][:: -1 if settings.control == "reversed" else 1] for index in some]

    def asked(one: Text) -> tuple[Tokens, Tokens]:
        return prompt_of(voices.base, one.topic, settings), tokens_of(voices.base, one)

    def reference() -> Nats:
        mine = workers.share(list(dict.fromkeys(chosen.topic for chosen, _ in picked)))
        return untouched_nats(
            voices, together(asked(one) for topic in mine for one in by_topic[topic]), 1.0
        )

    # All texts on a topic together: they are the same for every player, and read once for all.
    nats: Nats = {}
    for part in workers.each(reference):
        nats |= part
    return [
        Pair(*asked(chosen), asked(rejected)[1], nats[asked(chosen)], nats[asked(rejected)])
        for chosen, rejected in picked
    ]
