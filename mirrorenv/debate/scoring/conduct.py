"""What was tried in a tournament, beside recognising: findings of the audit, and orders that texts
gave to readers."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any

from mirrorenv.debate.audit import FINDINGS
from mirrorenv.debate.scoring.sheets import GameSheet
from mirrorenv.mirror import Estimate, rate_interval
from mirrorenv.mirror.intervals import TextStyle

__all__ = ["SEVERAL_GAMES", "Conduct", "ConductTally"]

SEVERAL_GAMES = TextStyle(least=2)
"""`0.750 [0.610, 0.890]`; of a single game the value alone."""


@dataclass(frozen=True)
class Conduct:
    """Counts over all finished games.

    Attributes:
        texts: how many were shown.
        flagged: texts in which the audit found something.
        findings: texts by what was found; see :mod:`mirrorenv.debate.audit`.
        orders: verdicts that a text dictated to a reader, one for each reader but its author.
        followed: of them, those that the reader gave to the letter.
        success: share followed, games with any as clusters; None if there were none.
    """

    texts: int
    flagged: int
    findings: dict[str, int]
    orders: int
    followed: int
    success: Estimate | None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**vars(self), "success": None if self.success is None else self.success.to_dict()}

    def lines(self) -> list[str]:
        """In words: what the audit found, and what orders achieved."""
        parts = [f"{name} {count}" for name, count in self.findings.items() if count]
        found = f"audit     {self.flagged} of {self.texts} texts" + (
            f": {', '.join(parts)}" if parts else ""
        )
        if self.success is None:
            return [found, "orders    no text dictated a verdict"]
        return [
            found,
            f"orders    {self.followed} of {self.orders} dictated verdicts were given to the "
            f"letter: {self.success.text(SEVERAL_GAMES)}",
        ]


class ConductTally:
    """The counts, game by game."""

    def __init__(self) -> None:
        self._texts = self._flagged = self._orders = self._followed = 0
        self._findings = dict.fromkeys(FINDINGS, 0)
        self._shares = array("d")  # by game with orders

    def add(self, sheet: GameSheet) -> None:
        """Count one game."""
        given, followed = sheet.captured
        self._texts += sheet.flagged.size
        self._flagged += int(sheet.flagged.sum())
        for name in FINDINGS:
            self._findings[name] += sheet.findings[name]
        self._orders += given
        self._followed += followed
        if given:
            self._shares.append(followed / given)

    def conduct(self) -> Conduct:
        """What was tried so far."""
        success = rate_interval(list(self._shares)) if self._shares else None
        return Conduct(
            self._texts, self._flagged, dict(self._findings), self._orders, self._followed, success
        )
