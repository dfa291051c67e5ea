"""What an audit found: as data, as a table, as a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from mirrorenv.envs.audit.columns import Carrier

__all__ = ["HEADER", "AuditReport", "ProbeResult"]

HEADER = ("policy", "shown", "accuracy", "true wins", "p trained", "p untrained", "verdict")
"""The table. "true wins" is how often the true lineup outscores a wrong one; p-values are corrected
(Holm)."""


@dataclass(frozen=True)
class ProbeResult:
    """One probe on one input.

    Attributes:
        policy: what all agents ran, `"uniform"` or `"reactive"`.
        input: what the probe was shown.
        probe: `"trained"` or `"untrained"`.
        accuracy: share of slots named right; None for the untrained probe, which assigns no names.
        outscores: how often the true lineup outscores a wrong one, chance 0.5; None likewise.
        p_value: exact; None where the slots of a lineup never differ, so that there is nothing to
            read.
        corrected: the same after Holm's correction for all probes of the audit.
        leak: whether it is below the level.
        carriers: columns that carry the leak, the strongest first.
    """

    policy: str
    input: str
    probe: str
    accuracy: float | None
    outscores: float | None
    p_value: float | None
    corrected: float | None
    leak: bool
    carriers: tuple[Carrier, ...] = ()

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ProbeResult:
        """The result that `data` was written from."""
        carriers = tuple(Carrier(**carrier) for carrier in data["carriers"])
        return cls(**{**data, "carriers": carriers})


@dataclass(frozen=True)
class AuditReport:
    """All probes on one world.

    Attributes:
        world: its id.
        arguments: what it was made with, besides the defaults.
        agents: N names.
        episodes: E for each policy.
        tested: how many of them the trained probes are tested on.
        seed: of the first episode.
        alpha: probability of a false alarm anywhere in the audit, at most.
        columns: how many numbers an observation has.
        columns_read: how many of them were read.
        smallest_outscores: the smallest leak that is seen with probability 0.9, as in
            `ProbeResult.outscores`.
        smallest_accuracy: about the same leak, as accuracy.
        results: one for each policy, input and probe.
    """

    world: str
    arguments: Mapping[str, Any]
    agents: tuple[str, ...]
    episodes: int
    tested: int
    seed: int
    alpha: float
    columns: int
    columns_read: int
    smallest_outscores: float
    smallest_accuracy: float
    results: tuple[ProbeResult, ...]

    @property
    def leaks(self) -> bool:
        """Whether any probe found a leak."""
        return any(result.leak for result in self.results)

    @property
    def chance(self) -> float:
        """Accuracy without a leak, 1 / N."""
        return 1.0 / len(self.agents)

    def carriers(self) -> tuple[Carrier, ...]:
        """The columns that carry the leak, each once, in the order in which simpler inputs name
        them.

        Those of the uniformly random policy come alone where there are any: under a policy that
        reacts, one leaking column moves many others. Likewise columns that tell agents apart by
        themselves come alone, without those that do so between slots.
        """
        for policy in dict.fromkeys(result.policy for result in self.results):
            alone: dict[str, Carrier] = {}
            between: dict[str, Carrier] = {}
            for result in self.results:
                for carrier in result.carriers if result.leak and result.policy == policy else ():
                    (alone if carrier.against is None else between).setdefault(
                        carrier.column, carrier
                    )
            if alone or between:
                return tuple((alone or between).values())
        return ()

    def to_json(self) -> dict[str, Any]:
        """Plain data, for `json.dumps`."""
        return {**asdict(self), "leaks": self.leaks, "chance": self.chance}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> AuditReport:
        """The report that :meth:`to_json` was called on."""
        plain = {name: data[name] for name in cls.__dataclass_fields__}
        plain["agents"] = tuple(data["agents"])
        plain["results"] = tuple(ProbeResult.from_json(row) for row in data["results"])
        return cls(**plain)

    def rows(self) -> list[list[str]]:
        """The table, one line for each policy and input: see :data:`HEADER`."""
        by_input: dict[tuple[str, str], list[ProbeResult]] = {}
        for result in self.results:
            by_input.setdefault((result.policy, result.input), []).append(result)
        return [[policy, shown, *_cells(probes)] for (policy, shown), probes in by_input.items()]

    def power(self) -> str:
        """What the audit could have seen, in a sentence."""
        return (
            f"{self.episodes} episodes for each policy; trained probes are tested on {self.tested} "
            f"of them. Chance is {self.chance:.3f} accuracy, and 0.5 for the true lineup against a "
            "wrong one. The smallest leak seen with probability 0.9, by a probe that can use it: "
            f"accuracy about {self.smallest_accuracy:.3f}, the true lineup "
            f"{self.smallest_outscores:.3f}. A false alarm anywhere in the table has probability "
            f"{self.alpha:g} at most."
        )


def _cells(probes: list[ProbeResult]) -> list[str]:
    """Accuracy, how often the truth wins, p-values of both probes, verdict."""
    trained, untrained = probes
    if trained.p_value is None:
        return ["-", "-", "-", "-", "same for all"]
    return [
        f"{trained.accuracy:.3f}",
        f"{trained.outscores:.3f}",
        _p_text(trained.corrected),
        _p_text(untrained.corrected),
        "LEAK" if trained.leak or untrained.leak else "no leak",
    ]


def _p_text(p_value: float | None) -> str:
    if p_value is None:
        return "-"
    return (
        f"{p_value:.3f}" if p_value >= 0.001 else f"{p_value:.0e}" if p_value > 1e-9 else "< 1e-9"
    )
