"""The exact limits: what the best possible observer would believe.

Known policies. With the whole lineup shown, the world's own dynamics cancel whenever the slots are
exchangeable, and

    `p(sigma | lineup) = prod_k prod_t pi_sigma(k)(a[t, k] | h[t, k]) / normaliser`

where every policy n is evaluated on slot k's own history h, with n's own hidden state replayed on
it. The evidence is the (K, N) sum of log probabilities; its exact permutation marginals are the
limit. Reading each row alone is a weaker observer that knows the policies but not that each agent
made exactly one trajectory.

Slots are exchangeable when nothing but the policies tells agents apart: same start distribution,
dynamics, view and role for whoever stands in a slot, and no noise or channel shared by some agents
only. Otherwise the product above is not the posterior, and a learned observer may rightly lie above
it.

Unknown policies (the second, different limit; Rabinowitz et al. 2018, "Machine theory of mind").
Each agent's action law in each state is Dirichlet(alpha), and an observer has only seen labelled
past episodes. Then the likelihood of a trajectory is Dirichlet-multinomial in its counts, and it
approaches the known-policy limit as the past grows.

Shape legend: B batch (episodes), T time, K slots, N agents, S states, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

from mirrorenv.errors import ConfigError, ShapeError, WorldError
from mirrorenv.mirror._checks import float_array, mask_array
from mirrorenv.mirror.arrays import Floats64
from mirrorenv.mirror.belief import Belief

__all__ = [
    "NOT_EXCHANGEABLE",
    "Limit",
    "count_actions",
    "cumulative_evidence",
    "exact_limit",
    "few_shot_limit",
    "limit_evidence",
]

NOT_EXCHANGEABLE = (
    "this world's slots are not exchangeable (start, dynamics, view or role depend on the agent), "
    "so the product of "
    "action probabilities is not the posterior over permutations"
)


@dataclass(frozen=True, eq=False)
class Limit:
    """The exact limit of a batch of lineups, and whether it may be called one.

    Args:
        belief: evidence (B, K, N); `belief.marginals()` is the limit, `belief.independent()`
            the weaker observer that judges each trajectory alone.
        valid: False where slot exchangeability is missing and the caller asked for the number
            anyway.
        reason: why it is not valid, empty if it is.
    """

    belief: Belief
    valid: bool
    reason: str


def exact_limit(
    log_probabilities: npt.ArrayLike,
    mask: npt.ArrayLike,
    *,
    slot_exchangeable: bool,
    start_log_probability: npt.ArrayLike | None = None,
    on_invalid: Literal["raise", "mark"] = "raise",
) -> Limit:
    """The posterior over who made what, from every policy's probability of every action taken.

    Args:
        log_probabilities: (B, T, K, N) `log pi_n(a[t, k] | h[t, k])`, policy n evaluated on slot
            k's history with its own hidden state replayed. Densities may exceed 0; -inf for actions
            n never takes.
        mask: (B, T, K) bool, the steps that happened in slot k.
        slot_exchangeable: the world's metadata: True if nothing but the policies tells agents
            apart.
        start_log_probability: (B, K, N) log probability of slot k's start for agent n; where the
            start is all that breaks exchangeability, this known term restores the limit.
        on_invalid: `raise`, or `mark` to receive the number labelled as not valid.

    Raises:
        WorldError: if the slots are not exchangeable, no start term is given, and `on_invalid` is
            `raise`.
        ShapeError: if shapes disagree or a live log probability is NaN or +inf.
        ConfigError: for another `on_invalid`.
    """
    if on_invalid not in ("raise", "mark"):
        raise ConfigError(f"exact_limit: on_invalid must be 'raise' or 'mark', got {on_invalid!r}")
    valid = slot_exchangeable or start_log_probability is not None
    if not valid and on_invalid == "raise":
        raise WorldError(
            f"exact_limit: {NOT_EXCHANGEABLE}. Shuffle the slots at reset, give "
            "start_log_probability if only the "
            "start differs, or ask with on_invalid='mark'"
        )
    evidence = limit_evidence(log_probabilities, mask)  # (B, K, N)
    if start_log_probability is not None:
        start = float_array("start_log_probability", start_log_probability)
        if start.shape != evidence.shape:
            raise ShapeError(
                f"start_log_probability must have shape {evidence.shape}, got {start.shape}"
            )
        evidence = evidence + start
    return Limit(Belief(evidence), valid, "" if valid else NOT_EXCHANGEABLE)


def limit_evidence(log_probabilities: npt.ArrayLike, mask: npt.ArrayLike) -> Floats64:
    """(B, K, N) summed log probabilities of whole trajectories; arguments as
    :func:`exact_limit`."""
    evidence: Floats64 = _live(log_probabilities, mask).sum(axis=1)
    return evidence


def cumulative_evidence(log_probabilities: npt.ArrayLike, mask: npt.ArrayLike) -> Floats64:
    """(B, T, K, N) evidence after each step, held after a slot's last one; arguments as
    :func:`exact_limit`.

    `Belief(cumulative_evidence(...)).marginals()` is the limit as it builds up over the episode.
    """
    evidence: Floats64 = _live(log_probabilities, mask).cumsum(axis=1)
    return evidence


def _live(log_probabilities: npt.ArrayLike, mask: npt.ArrayLike) -> Floats64:
    logs = float_array("log_probabilities", log_probabilities, ndim=4)
    alive = mask_array("mask", mask, logs.shape[:3])
    steps = np.where(alive[..., None], logs, 0.0)  # (B, T, K, N)
    bad = np.isnan(steps) | (steps == np.inf)
    if bad.any():
        b, t, k, n = np.argwhere(bad)[0].tolist()
        raise ShapeError(
            f"log_probabilities is {steps[b, t, k, n]} in episode {b}, step {t}, slot {k}, policy "
            f"{n}"
        )
    return steps


def count_actions(
    states: npt.ArrayLike,
    actions: npt.ArrayLike,
    num_states: int,
    num_actions: int,
    mask: npt.ArrayLike | None = None,
) -> Floats64:
    """How often each action was taken in each state.

    Args:
        states: (..., T) ints in [0, S).
        actions: (..., T) ints in [0, A).
        num_states: S.
        num_actions: A.
        mask: (..., T) bool, the steps that count; all of them if not given.

    Returns:
        (..., S, A) float64 counts.

    Raises:
        ShapeError: if shapes disagree or a live index is out of range.
    """
    where = np.asarray(states)
    what = np.asarray(actions)
    if where.shape != what.shape or where.ndim < 1:
        raise ShapeError(
            f"count_actions: states {where.shape} and actions {what.shape} must have one shape "
            "(..., T)"
        )
    live = (
        np.ones(where.shape, dtype=np.bool_)
        if mask is None
        else mask_array("mask", mask, where.shape)
    )
    inside = (where >= 0) & (where < num_states) & (what >= 0) & (what < num_actions)
    if not (inside | ~live).all():
        raise ShapeError(
            f"count_actions: states must lie in [0, {num_states}) and actions in [0, {num_actions})"
        )
    rows = int(np.prod(where.shape[:-1]))
    row = np.broadcast_to(np.arange(rows).reshape(*where.shape[:-1], 1), where.shape)[live]
    cell = (row * num_states + where[live]) * num_actions + what[live]
    counts = np.bincount(cell, minlength=rows * num_states * num_actions).astype(np.float64)
    return counts.reshape(*where.shape[:-1], num_states, num_actions)


def few_shot_limit(counts: npt.ArrayLike, past_counts: npt.ArrayLike, alpha: float) -> Belief:
    """What labelled past episodes of unknown tabular policies allow: the Dirichlet-multinomial
    posterior.

    Given agent n's past counts m, the action law in state s is Dirichlet(alpha + m[n, s]), and a
    trajectory with counts c has probability `prod_s B(alpha + m[n, s] + c[s]) / B(alpha + m[n,
    s])` with the multivariate beta B. `independent()` of the result judges each trajectory
    alone; `marginals()` is the joint posterior: every agent made one trajectory, so each
    trajectory's counts are charged to one agent and each agent to one trajectory.

    Args:
        counts: (..., K, S, A) counts of the lineup's trajectories.
        past_counts: (..., N, S, A) counts of each agent's labelled past episodes; zeros for no past
            at all.
        alpha: prior concentration per action, above 0.

    Returns:
        the belief with evidence (..., K, N).

    Raises:
        ShapeError: if the state and action axes differ or a count is negative.
        ConfigError: if `alpha` is not above 0.
    """
    now = float_array("counts", counts, min_ndim=3)
    past = float_array("past_counts", past_counts, min_ndim=3)
    if now.shape[-2:] != past.shape[-2:]:
        raise ShapeError(
            f"few_shot_limit: counts end in {now.shape[-2:]} and past_counts in {past.shape[-2:]}"
        )
    if not ((now >= 0).all() and (past >= 0).all()):
        raise ShapeError("few_shot_limit: counts must be 0 or more")
    if not alpha > 0:
        raise ConfigError(f"few_shot_limit: alpha must be above 0, got {alpha}")
    prior = past[..., None, :, :, :] + alpha  # (..., 1, N, S, A)
    posterior = prior + now[..., :, None, :, :]  # (..., K, N, S, A)
    return Belief((_log_beta(posterior) - _log_beta(prior)).sum(axis=-1))


def _log_beta(concentration: Floats64) -> Floats64:
    result: Floats64 = gammaln(concentration).sum(axis=-1) - gammaln(concentration.sum(axis=-1))
    return result
