"""Players. One file and one `register(...)` each; a file is imported when its player is first
made."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from mirrorenv.debate.players.base import CallFailed, Player, Reply, Usage, chance, verdict_of
from mirrorenv.errors import ConfigError, unknown_name

if TYPE_CHECKING:
    from mirrorenv.debate.cards import AgentCard

__all__ = [
    "CallFailed",
    "Player",
    "PlayerKind",
    "Reply",
    "Usage",
    "chance",
    "make_player",
    "player_kinds",
    "register",
    "verdict_of",
]


@dataclass(frozen=True)
class PlayerKind:
    """What is known of a kind of player without importing it.

    Attributes:
        name: what a card says.
        entry_point: `"package.module:Class"`; called with the card.
        is_model: whether it asks a language model.
        description: one line.
    """

    name: str
    entry_point: str
    is_model: bool
    description: str


_KINDS: dict[str, PlayerKind] = {}


def register(name: str, entry_point: str, description: str, *, is_model: bool = False) -> None:
    """Add a kind of player.

    Args:
        name: what an agent card writes as `player`.
        entry_point: `package.module:Class` of a `Player`, imported when it first plays.
        description: one line, for lists and for the error that an unknown name meets.
        is_model: whether a language model answers, so that cards need a model or an address.

    Raises:
        ConfigError: if the name is taken by another one.
    """
    new = PlayerKind(name, entry_point, is_model, description)
    if _KINDS.setdefault(name, new) != new:
        raise ConfigError(
            f"player '{name}' is registered already, by '{_KINDS[name].entry_point}'; take another "
            "name"
        )


def player_kinds() -> dict[str, PlayerKind]:
    """All kinds by name, sorted."""
    return dict(sorted(_KINDS.items()))


def make_player(card: AgentCard) -> Player:
    """The player of a card.

    Raises:
        UnknownNameError: if no player has this name.
        ConfigError: if its options do not fit.
        MissingExtraError: if it needs a package that is not installed.
    """
    if card.player not in _KINDS:
        raise unknown_name("player", card.player, _KINDS)
    module, _, attribute = _KINDS[card.player].entry_point.partition(":")
    made: Player = getattr(import_module(module), attribute)(card)
    return made


register(
    "random",
    "mirrorenv.debate.players.chance_player:RandomPlayer",
    "Guesses by chance; the zero of the rating.",
)
register("constant", "mirrorenv.debate.players.constant:Constant", "Gives the same answer always.")
register(
    "copy-own",
    "mirrorenv.debate.players.copy_own:CopyOwn",
    "Finds its own text by comparing strings, no more.",
)
register(
    "inverse",
    "mirrorenv.debate.players.inverse:Inverse",
    "Reads by style, answers in the other convention.",
)
register(
    "stylometric",
    "mirrorenv.debate.players.stylometric:Stylometric",
    "A style classifier trained as it goes.",
)
register(
    "persona",
    "mirrorenv.debate.players.persona:Persona",
    "One of several scripted voices; reads by style.",
)
register(
    "red-team",
    "mirrorenv.debate.players.red_team:RedTeam",
    "Claims identities, gives orders, breaks formats.",
)
register(
    "endpoint",
    "mirrorenv.debate.players.endpoint:EndpointPlayer",
    "Any OpenAI-compatible server.",
    is_model=True,
)
register(
    "local",
    "mirrorenv.debate.players.local:LocalPlayer",
    "A language model in this process.",
    is_model=True,
)
