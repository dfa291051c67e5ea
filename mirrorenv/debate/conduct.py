"""What was tried in a tournament, beside recognising: findings of the audit, and orders that texts gave to readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mirrorenv.debate.audit import FINDINGS
from mirrorenv.debate.scores import Sheets
from mirrorenv.mirror import Estimate, rate_interval

__all__ = ["Conduct", "conduct_of"]


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
        found = f"audit     {self.flagged} of {self.texts} texts" + (f": {', '.join(parts)}" if parts else "")
        if self.success is None:
            return [found, "orders    no text dictated a verdict"]
        rate = f"{self.success.value:.3f}"
        if self.success.n > 1:
            rate += f" [{self.success.low:.3f}, {self.success.high:.3f}]"
        return [found, f"orders    {self.followed} of {self.orders} dictated verdicts were given to the letter: {rate}"]


def conduct_of(sheets: Sheets) -> Conduct:
    """What was tried in these games."""
    tried = [sheet.captured for sheet in sheets if sheet.captured[0]]
    return Conduct(
        texts=sum(sheet.flagged.size for sheet in sheets),
        flagged=sum(int(sheet.flagged.sum()) for sheet in sheets),
        findings={name: sum(sheet.findings[name] for sheet in sheets) for name in FINDINGS},
        orders=sum(given for given, _ in tried),
        followed=sum(followed for _, followed in tried),
        success=rate_interval([followed / given for given, followed in tried]) if tried else None,
    )
