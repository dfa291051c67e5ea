"""The test itself: trajectory, lineup, belief, score, reward and the exact limit. NumPy and SciPy
only."""

from mirrorenv.mirror.belief import Belief, Decode
from mirrorenv.mirror.ideal import (
    Limit,
    count_actions,
    cumulative_evidence,
    exact_limit,
    few_shot_limit,
    limit_evidence,
)
from mirrorenv.mirror.intervals import (
    Estimate,
    bootstrap_t_interval,
    jackknife_interval,
    rate_interval,
    t_interval,
)
from mirrorenv.mirror.leak import likelihood_ratio_e_value, log_e_threshold
from mirrorenv.mirror.lineup import Lineup, Reveal, lineup_permutations, shuffle_lineup
from mirrorenv.mirror.mark import (
    area_under_roc,
    likelihood_ratio,
    masked_policy,
    noisy_policy,
    roc_curve,
)
from mirrorenv.mirror.multiple import holm
from mirrorenv.mirror.neighbourhood import (
    Neighbourhood,
    log_selection,
    mean_distance,
    nearest_agents,
    neighbourhood_evidence,
    neighbourhood_limit,
    neighbourhood_permutations,
    seen_by,
    with_selection,
)
from mirrorenv.mirror.permutations import (
    MAX_EXACT_AGENTS,
    log_permutation_marginals,
    log_permutation_posterior,
    log_permutation_sum,
    most_probable_permutation,
    permutation_marginals,
)
from mirrorenv.mirror.recognition import (
    RecognitionScore,
    check_recognition_score,
    recognition_worth,
)
from mirrorenv.mirror.reward import Credit, Timing, mirror_reward, random_windows
from mirrorenv.mirror.sampling import sampled_marginals
from mirrorenv.mirror.score import (
    Score,
    confusion_matrix,
    episode_information,
    information_over_time,
    recognition_matrix,
    score_belief,
)
from mirrorenv.mirror.trajectory import EpisodeBatch, Trajectory, concatenate_episodes

__all__ = [
    "MAX_EXACT_AGENTS",
    "Belief",
    "Credit",
    "Decode",
    "EpisodeBatch",
    "Estimate",
    "Limit",
    "Lineup",
    "Neighbourhood",
    "RecognitionScore",
    "Reveal",
    "Score",
    "Timing",
    "Trajectory",
    "area_under_roc",
    "bootstrap_t_interval",
    "check_recognition_score",
    "concatenate_episodes",
    "confusion_matrix",
    "count_actions",
    "cumulative_evidence",
    "episode_information",
    "exact_limit",
    "few_shot_limit",
    "holm",
    "information_over_time",
    "jackknife_interval",
    "likelihood_ratio",
    "likelihood_ratio_e_value",
    "limit_evidence",
    "lineup_permutations",
    "log_e_threshold",
    "log_permutation_marginals",
    "log_permutation_posterior",
    "log_permutation_sum",
    "log_selection",
    "masked_policy",
    "mean_distance",
    "mirror_reward",
    "most_probable_permutation",
    "nearest_agents",
    "neighbourhood_evidence",
    "neighbourhood_limit",
    "neighbourhood_permutations",
    "noisy_policy",
    "permutation_marginals",
    "random_windows",
    "rate_interval",
    "recognition_matrix",
    "recognition_worth",
    "roc_curve",
    "sampled_marginals",
    "score_belief",
    "seen_by",
    "shuffle_lineup",
    "t_interval",
    "with_selection",
]
