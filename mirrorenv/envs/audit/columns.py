"""Which columns carry a leak.

Shape legend: E episodes, N agents, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mirrorenv.envs.audit.features import Features
from mirrorenv.envs.audit.probes import CUTS, best_features, probe
from mirrorenv.mirror.arrays import Floats64

__all__ = ["Carrier", "carriers_by_test", "cover", "edges_between"]

Edge = tuple[str, str, float]
"""Two columns that carry a leak together, and the p-value."""

_SCANNED = 64
_SHOWN = 12


@dataclass(frozen=True)
class Carrier:
    """A column that carries a leak.

    Attributes:
        column: its name.
        p_value: corrected for all columns that were tried with it.
        against: if it does so only together with another column, of the same slot or of another
            one: that column.
    """

    column: str
    p_value: float
    against: str | None = None


def carriers_by_test(
    features: Features, p_values: Floats64, alpha: float
) -> tuple[tuple[Carrier, ...], list[Edge]]:
    """The columns with the smallest corrected p-values below alpha; and products of two columns of
    one slot.

    Args:
        features: what was tested.
        p_values: (F,) of :func:`~mirrorenv.envs.audit.exact.column_test`.
        alpha: level.
    """
    best: dict[tuple[str, ...], float] = {}
    for columns, p_value in zip(features.columns, p_values.tolist(), strict=True):
        best[columns] = min(best.get(columns, 1.0), p_value)
    found = {columns: p_value for columns, p_value in best.items() if p_value < alpha}
    alone = sorted(
        (p_value, place, columns) for place, (columns, p_value) in enumerate(found.items())
    )
    return (
        tuple(Carrier(columns[0], p_value) for p_value, _, columns in alone if len(columns) == 1)[
            :_SHOWN
        ],
        [
            (columns[0], columns[1], p_value)
            for columns, p_value in found.items()
            if len(columns) == 2
        ],
    )


def edges_between(
    pairs: Features, agents: int, alpha: float, rng: np.random.Generator
) -> list[Edge]:
    """Pairs of columns, one of each of two slots, that give the order of the lineup away by
    themselves.

    Those that stand out in the first quarter of the episodes are each tested alone on the others
    (Bonferroni over the pairs tried).

    Args:
        pairs: features of ordered pairs of slots.
        agents: N.
        alpha: level.
        rng: breaks ties.
    """
    chosen = best_features(pairs, round(CUTS[0] * len(pairs.values)), _SCANNED)
    nothing = Features(np.zeros((len(pairs.values), agents, 0)), ())
    edges: list[Edge] = []
    for index in chosen:
        alone = Features(pairs.values[:, :, index : index + 1], (pairs.columns[index],))
        outcome = probe(nothing, alone, agents, rng)
        p_value = min(1.0, len(chosen) * outcome.p_value)
        if p_value < alpha:
            edges.append((pairs.columns[index][0], pairs.columns[index][1], p_value))
    return edges


def cover(edges: Sequence[Edge]) -> tuple[Carrier, ...]:
    """Few columns that take part in every pair: to shuffle or drop these is enough.

    Greedily: first the column with most evidence in its pairs, then the one with most in the pairs
    that are left.

    Args:
        edges: pairs of columns with their p-values.
    """
    rest = list(edges)
    carriers = list[Carrier]()
    while rest:
        weight: dict[str, float] = {}
        for edge in rest:
            for column in {edge[0], edge[1]}:
                weight[column] = weight.get(column, 0.0) - float(np.log(max(edge[2], 1e-300)))
        column = max(weight, key=lambda name: weight[name])
        mine = [edge for edge in rest if column in edge[:2]]
        p_value, against = min(
            (edge[2], edge[1] if edge[0] == column else edge[0]) for edge in mine
        )
        carriers.append(Carrier(column, p_value, against))
        rest = [edge for edge in rest if column not in edge[:2]]
    return tuple(carriers[:_SHOWN])
