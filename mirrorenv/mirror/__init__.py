"""The test itself: trajectory, lineup, belief, score, reward and the exact limit. NumPy and SciPy only."""

from mirrorenv.mirror.lineup import Lineup, Reveal, lineup_permutations, shuffle_lineup
from mirrorenv.mirror.permutations import (
    MAX_EXACT_AGENTS,
    log_permutation_marginals,
    log_permutation_posterior,
    log_permutation_sum,
    most_probable_permutation,
    permutation_marginals,
)
from mirrorenv.mirror.trajectory import EpisodeBatch, Trajectory, concatenate_episodes

__all__ = [
    "MAX_EXACT_AGENTS",
    "EpisodeBatch",
    "Lineup",
    "Reveal",
    "Trajectory",
    "concatenate_episodes",
    "lineup_permutations",
    "log_permutation_marginals",
    "log_permutation_posterior",
    "log_permutation_sum",
    "most_probable_permutation",
    "permutation_marginals",
    "shuffle_lineup",
]
