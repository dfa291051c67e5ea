"""System neural diversity, of policies that can be asked.

Shape legend: O observations, A actions, N agents.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations

import numpy as np
import numpy.typing as npt

from mirrorenv.errors import ShapeError
from mirrorenv.mirror.arrays import Floats64

__all__ = ["Policy", "system_neural_diversity"]

Policy = Callable[[npt.NDArray[np.float32]], npt.ArrayLike]
"""(O, D) observations to (O, A) probabilities of choices, or to (O, 2, A) means and standard
deviations of numbers."""


def system_neural_diversity(policies: Mapping[str, Policy], observations: npt.ArrayLike) -> float:
    """Mean over pairs of agents and over observations of the distance of their actions' laws
    (Bettini, Shankar and Prorok 2023, "System neural diversity").

    Of Gaussians the 2-Wasserstein distance, in units of the action; of choices the Wasserstein
    distance where any two differ by 1, which is the total variation, 0 to 1.

    Args:
        policies: one for each of at least two agents.
        observations: (O, D) that all of them are asked about.

    Raises:
        ShapeError: if there are fewer than two policies, or their answers differ in shape or are
            neither probabilities nor means with deviations.
    """
    seen = np.asarray(observations, np.float32)
    laws = {name: np.asarray(policy(seen), np.float64) for name, policy in policies.items()}
    shapes = {law.shape for law in laws.values()}
    if len(laws) < 2 or len(shapes) != 1:
        raise ShapeError(
            f"system_neural_diversity: at least two policies of one shape, got {sorted(shapes)}"
        )
    distance = _distance(next(iter(shapes)), len(seen))
    pairs = combinations(laws.values(), 2)
    return float(np.mean([distance(one, other) for one, other in pairs]))


def _distance(
    shape: tuple[int, ...], observations: int
) -> Callable[[Floats64, Floats64], Floats64]:
    if len(shape) == 2 and shape[0] == observations:
        return _total_variation
    if len(shape) == 3 and shape[:2] == (observations, 2):
        return _wasserstein
    raise ShapeError(
        f"system_neural_diversity: a policy answers ({observations}, A) probabilities or "
        f"({observations}, 2, A) means and deviations, got {shape}"
    )


def _total_variation(one: Floats64, other: Floats64) -> Floats64:
    distance: Floats64 = 0.5 * np.abs(one - other).sum(axis=1)  # (O,)
    return distance


def _wasserstein(one: Floats64, other: Floats64) -> Floats64:
    # Gaussians whose numbers vary independently
    distance: Floats64 = np.sqrt(np.square(one - other).sum(axis=(1, 2)))  # (O,)
    return distance
