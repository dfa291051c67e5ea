"""The checks by name. To add one, write one function that looks at the evidence and yields what it
sees."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mirrorenv.envs.checks.findings import Seen, Severity
from mirrorenv.errors import ConfigError

if TYPE_CHECKING:
    from mirrorenv.envs.checks.evidence import Evidence

__all__ = ["CHECKS", "Check", "check"]


@dataclass(frozen=True)
class Check:
    """A check as the runner knows it.

    Attributes:
        name: short, with hyphens; also the name of the fault that it catches.
        severity: of what it sees.
        remedy: what to do about it.
        after: names of checks without whose passing this one has no meaning.
        look: the function; its docstring is the rule it holds.
    """

    name: str
    severity: Severity
    remedy: str
    after: tuple[str, ...]
    look: Callable[[Evidence], Iterable[Seen]]

    @property
    def rule(self) -> str:
        """The rule, in one sentence."""
        return " ".join((self.look.__doc__ or "").split("\n\n")[0].split())


CHECKS: dict[str, Check] = {}
"""All checks in the order in which they run."""

_Look = Callable[["Evidence"], Iterable[Seen]]


def check(
    name: str, *, remedy: str, severity: Severity = "error", after: tuple[str, ...] = ()
) -> Callable[[_Look], _Look]:
    """Register a function as a check; the arguments are :class:`Check`'s.

    Args:
        name: short, with hyphens.
        remedy: what to do about it.
        severity: of what it sees.
        after: names of checks without whose passing this one has no meaning.

    Returns:
        the decorator; the docstring of the decorated function is the rule.

    Raises:
        ConfigError: if the name is taken, or `after` names a check that does not exist yet.
    """

    def add(look: _Look) -> _Look:
        if name in CHECKS:
            raise ConfigError(f"there is a check '{name}' already")
        if missing := [other for other in after if other not in CHECKS]:
            raise ConfigError(
                f"check '{name}' comes after {missing}, which are not registered before it"
            )
        CHECKS[name] = Check(name, severity, remedy, after, look)
        return look

    return add
