"""Scripted personas: voices that differ as people do, and read by style."""

from __future__ import annotations

from mirrorenv.debate.cards import AgentCard
from mirrorenv.debate.players.base import chance
from mirrorenv.debate.players.stylometric import Stylometric
from mirrorenv.debate.views import View
from mirrorenv.errors import ConfigError, unknown_name

__all__ = ["VOICES", "Persona"]

# Openings, middles, endings. Voices share subjects, so that wording and not the topic tells them
# apart.
VOICES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "sailor": (
        ("Arr, hear me out.", "By the salt in me beard!", "Avast, that be an easy one."),
        (
            "A steady wind beats a clever map.",
            "On deck ye learn what holds.",
            "No harbour be worth a bad crew.",
        ),
        ("Aye, that be all.", "So says the old hand.", "Fair winds to ye."),
    ),
    "professor": (
        (
            "One must distinguish two cases.",
            "The question presupposes a good deal.",
            "Historically, opinions vary.",
        ),
        (
            "The evidence, such as it is, remains inconclusive.",
            "Consequently, a moderate position commends itself.",
            "Ceteris paribus, the former is preferable.",
        ),
        (
            "I refer to the literature.",
            "Further inquiry is warranted.",
            "Quod erat demonstrandum, more or less.",
        ),
    ),
    "teenager": (
        ("ok so honestly", "lol wait", "ngl this one is easy"),
        (
            "its just way more fun that way",
            "like nobody even thinks about it",
            "my friends would totally agree",
        ),
        ("idk thats it", "anyway yeah", "no cap"),
    ),
    "accountant": (
        ("Item one: the costs.", "I ran the numbers.", "Looking at the balance:"),
        (
            "A return of 4 % settles it.",
            "Over 12 months the difference is 30 hours.",
            "Two thirds of it is overhead.",
        ),
        ("Net result: positive.", "Approved, with one reservation.", "File it under 'recurring'."),
    ),
    "poet": (
        (
            "O quiet hour, you ask me this;",
            "Somewhere a window opens -",
            "As leaves that never asked to fall,",
        ),
        (
            "and every answer is a kind of rain,",
            "the morning keeps small promises,",
            "we carry lamps into noon,",
        ),
        ("and so, and so, the river.", "that is all the song.", "softly, then, yes."),
    ),
    "cook": (
        (
            "First, taste it.",
            "Take it off the heat for a minute.",
            "Start with good butter, always.",
        ),
        (
            "A pinch less and you would miss it.",
            "Let it rest, then decide.",
            "Sharp knives make honest work.",
        ),
        ("Serve warm.", "Season to your liking.", "Clean as you go."),
    ),
}


class Persona(Stylometric):
    """Speaks in one voice and attributes by style.

    Args:
        card: option `voice`, one of :data:`VOICES`.

    Raises:
        ConfigError: for an unknown voice.
    """

    OPTIONS = {"voice": "sailor"}  # noqa: RUF012  (read only)

    def __init__(self, card: AgentCard) -> None:
        super().__init__(card)
        if self.options["voice"] not in VOICES:
            raise ConfigError(
                f"agent '{card.name}': {unknown_name('voice', str(self.options['voice']), VOICES)}"
            )

    def text(self, view: View) -> str:
        """Three sentences in its voice, drawn for each answer."""
        rng = chance(view)
        return " ".join(part[rng.integers(len(part))] for part in VOICES[self.options["voice"]])
