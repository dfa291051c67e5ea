"""Which columns carry a leak.

Shape legend: E episodes, N agents, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mirrorenv.envs.audit.exact import rank_p_value
from mirrorenv.envs.audit.features import Features
from mirrorenv.envs.audit.probes import best_features, probe

__all__ = ["Carrier", "carriers_by_test", "carriers_of_pairs"]

_SCANNED, _SHOWN = 64, 12


@dataclass(frozen=True)
class Carrier:
    """A column that carries a leak.

    Attributes:
        column: its name.
        p_value: corrected for all columns that were tried with it.
        against: of a leak between slots, the column of another slot that gives it away.
    """

    column: str
    p_value: float
    against: str | None = None


def carriers_by_test(features: Features, p_values: npt.NDArray[np.float64], alpha: float) -> tuple[Carrier, ...]:
    """Columns with a corrected p-value below alpha, smallest first.

    Args:
        features: what was tested, one column for each feature.
        p_values: (F,) of :func:`~mirrorenv.envs.audit.exact.column_test`.
        alpha: level.
    """
    best: dict[str, float] = {}
    for (column,), p_value in zip(features.columns, p_values.tolist(), strict=True):
        best[column] = min(best.get(column, 1.0), p_value)
    found = sorted((p_value, place, column) for place, (column, p_value) in enumerate(best.items()) if p_value < alpha)
    return tuple(Carrier(column, p_value) for p_value, _, column in found)


def carriers_of_pairs(pairs: Features, agents: int, alpha: float, rng: np.random.Generator) -> tuple[Carrier, ...]:
    """Columns of a leak that shows only between the slots of a lineup.

    The pairs of columns that stand out in the first quarter of the episodes are each tested alone on the others
    (Bonferroni over the pairs tried). Of those that carry the leak, the columns are named that between them take part
    in all: first the one with most, then the one with most of the rest. To shuffle or drop these is enough.

    Args:
        pairs: features of ordered pairs of slots.
        agents: N.
        alpha: level.
        rng: breaks ties.
    """
    chosen = best_features(pairs, round(0.25 * len(pairs.values)), _SCANNED)
    nothing = Features(np.zeros((len(pairs.values), agents, 0)), ())
    edges: list[tuple[str, str, float]] = []
    for index in chosen:
        alone = Features(pairs.values[:, :, index : index + 1], (pairs.columns[index],))
        outcome = probe(nothing, alone, agents, rng)
        p_value = min(1.0, len(chosen) * rank_p_value(outcome.ranks, outcome.size))
        if p_value < alpha:
            edges.append((*pairs.columns[index], p_value))
    return tuple(_cover(edges))[:_SHOWN]


def _cover(edges: Sequence[tuple[str, str, float]]) -> list[Carrier]:
    """Few columns that touch every pair, greedily; a pair counts by the size of its evidence."""
    rest, carriers = list(edges), []
    while rest:
        weight: dict[str, float] = {}
        for edge in rest:
            for column in {edge[0], edge[1]}:
                weight[column] = weight.get(column, 0.0) - float(np.log(max(edge[2], 1e-300)))
        column = max(weight, key=lambda name: weight[name])
        mine = [edge for edge in rest if column in edge[:2]]
        p_value, against = min((edge[2], edge[1] if edge[0] == column else edge[0]) for edge in mine)
        carriers.append(Carrier(column, p_value, against))
        rest = [edge for edge in rest if column not in edge[:2]]
    return carriers
