"""Identity in words and numbers: sentences for people, a dictionary for scripts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mirrorenv.instrument.measured import Part, Reading
from mirrorenv.instrument.telling_apart import Identity
from mirrorenv.mirror.intervals import Estimate

__all__ = ["headline", "sentences", "to_dict"]


def headline(found: Identity) -> str:
    """The number to print, as a sentence."""
    return (
        f"Identity: {found.reading.identity} of at most {found.reading.most:.3f} nats a trajectory"
    )


def sentences(found: Identity) -> list[str]:
    """What was found, most important first."""
    lineups = found.lineups
    together = f"{lineups.num_episodes:,} episodes"
    said = [
        f"{headline(found)}. {len(lineups.agent):,} trajectories of {lineups.num_agents} agents in "
        f"{together}; nothing was read that was trained on.",
        f"Taken alone, {found.reading.recognised} of the trajectories are recognised (chance "
        f"{found.reading.chance:.3f}).",
    ]
    if found.lineup is not None:
        said.append(
            f"In lineups of {found.lineup.size}, each name once: {found.lineup.recognised} are "
            f"recognised, {found.lineup.identity} nats."
        )
    said.append(_chance(found))
    if found.ceiling is not None:
        said.append(
            f"Exact ceiling of each trajectory alone, from the probabilities in the log: "
            f"{found.ceiling.identity} nats, {found.ceiling.recognised} recognised."
        )
    if found.diversity is not None:
        said.append(f"System neural diversity of the policies: {found.diversity:.4f}.")
    return said


def _chance(found: Identity) -> str:
    log_e = float(found.watched.log_e[-1])
    past = found.watched.first_past_20
    unit = "episodes" if found.lineups.together else "trajectories"
    if past is None:
        return (
            f'"No agent differs from another" stands: the e-value against it is {_power(log_e)}, '
            f"and 20 would reject it."
        )
    return (
        f'"No agent differs from another" is rejected after {past:,} {unit} (e-value 20), and at '
        f"the end the e-value is {_power(log_e)}."
    )


def _power(log_e: float) -> str:
    if log_e < math.log(1e4):
        return f"{math.exp(log_e):.3g}"
    return f"10^{log_e / math.log(10):.0f}"


def to_dict(found: Identity) -> dict[str, object]:
    """All figures, ready for JSON."""
    return {
        "identity": found.reading.identity.to_dict(),
        "most": found.reading.most,
        "recognised": found.reading.recognised.to_dict(),
        "chance": found.reading.chance,
        "agents": list(found.lineups.names),
        "trajectories": len(found.lineups.agent),
        "episodes": found.lineups.num_episodes,
        "lineup": _lineup(found),
        "matrix": found.reading.matrix.tolist(),
        "parts": _parts(found.parts),
        "columns": _parts(found.columns),
        "first_observation": None if found.first is None else found.first.to_dict(),
        "enrolment": [{"episodes": k, "identity": one.to_dict()} for k, one in found.curve],
        "log_e_value": float(found.watched.log_e[-1]),
        "rejected_after": found.watched.first_past_20,
        "ceiling": _ceiling(found.ceiling),
        "log_e_above_ceiling": found.log_e_above,
        "diversity": found.diversity,
        "warnings": found.warnings,
        "notes": found.notes,
    }


def _lineup(found: Identity) -> dict[str, object] | None:
    if found.lineup is None:
        return None
    return {
        "size": found.lineup.size,
        "identity": found.lineup.identity.to_dict(),
        "recognised": found.lineup.recognised.to_dict(),
        "exact": _estimate(found.lineup.exact),
    }


def _ceiling(ceiling: Reading | None) -> dict[str, object] | None:
    if ceiling is None:
        return None
    return {
        "identity": ceiling.identity.to_dict(),
        "recognised": ceiling.recognised.to_dict(),
    }


def _estimate(found: Estimate | None) -> dict[str, float | None] | None:
    return None if found is None else found.to_dict()


def _parts(parts: Sequence[Part]) -> list[dict[str, object]]:
    return [
        {"name": one.name, "part": one.part, "identity": one.identity.to_dict()} for one in parts
    ]
