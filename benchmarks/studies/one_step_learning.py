"""One-step games with an observer that has to learn, trained online beside policies that learn from
samples.

Every step plays a batch of episodes in the world, pays reward plus weight times mirror reward,
moves the policies by their sampled gradient (REINFORCE, the batch mean of each agent's return as
its baseline) and then the observer by its own: a table of logits, one row for each action, trained
on who did what in the same batch by cross-entropy. So the observer that pays a batch has learned
from earlier ones only.

Shape legend: S seeds, W weights, B episodes of a batch, N agents, K actions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from benchmarks.studies.one_step_games import (
    Floats,
    Game,
    Ints,
    exact_log_belief,
    log_softmax,
    starts,
)
from mirrorenv.envs import make_batch
from mirrorenv.envs.random import BatchRandom
from mirrorenv.mirror import Belief, Estimate, mirror_reward


@dataclass(frozen=True)
class Learner:
    """How policies and observer learn.

    Args:
        observer_steps: gradient steps of the observer for each of the policies'; None for the exact
            observer.
        observer_rate: its learning rate.
        policy_rate: learning rate of the policies.
        steps: policy steps.
        batch: B, episodes for each of them.
        scale: size of the random start.
        lead: nats by which action 0 leads in it.
    """

    observer_steps: int | None
    observer_rate: float = 0.5
    policy_rate: float = 0.5
    steps: int = 2000
    batch: int = 32
    scale: float = 0.01
    lead: float = 0.0


def learn(game: Game, seeds: Ints, weights: Floats, learner: Learner) -> Floats:
    """(S, W, N, K) final log policies. A seed uses the same random numbers at every weight."""
    cells = (len(seeds), len(weights))
    width = (game.num_agents, game.num_actions)
    random = BatchRandom(seeds, stream="critical weight samples")
    world = make_batch(
        game.world, math.prod(cells) * learner.batch, num_agents=width[0], num_actions=width[1]
    )
    no_seeds = np.zeros(world.num_envs, np.int64)  # the world draws nothing
    logits = np.repeat(
        starts(seeds, *width, learner.scale, learner.lead)[:, None], len(weights), axis=1
    )  # (S, W, N, K)
    # (S, W, K, N) logits of the author given the action
    observer = np.zeros((*cells, width[1], width[0]))
    for _ in range(learner.steps):
        log_policy = log_softmax(logits)
        edges = np.exp(log_policy).cumsum(axis=-1)[:, :, None, :, :-1]  # (S, W, 1, N, K - 1)
        draws = random.uniform((learner.batch, width[0]))[:, None, ..., None]  # (S, 1, B, N, 1)
        actions = (draws >= edges).sum(axis=-1)  # (S, W, B, N)
        world.reset(no_seeds)
        rewards = world.step(actions.reshape(-1, width[0])).rewards.reshape(actions.shape)
        chosen = actions[..., None] == np.arange(width[1])  # (S, W, B, N, K)
        counts = chosen.sum(axis=2).astype(np.float64)  # (S, W, N, K)
        earned = np.einsum("swbn,swbnk->swnk", rewards, chosen)
        earned += weights[:, None, None] * counts * _mirror_reward(log_policy, observer, learner)
        baseline = earned.sum(axis=-1, keepdims=True) / learner.batch  # (S, W, N, 1) mean return
        logits = logits + learner.policy_rate * (earned - counts * baseline) / learner.batch
        observer = _train(observer, np.swapaxes(counts, -1, -2), learner)
    return log_softmax(logits)


def _mirror_reward(log_policy: Floats, observer: Floats, learner: Learner) -> Floats:
    """(S, W, N, K) what agent n is paid for being recognised after action k."""
    if learner.observer_steps is None:
        log_belief = exact_log_belief(log_policy)  # (S, W, N, K)
    else:
        log_belief = np.swapaxes(Belief(observer).log_belief(), -1, -2)
    by_action = np.swapaxes(log_belief, -1, -2)  # (S, W, K, N)
    rows = math.prod(by_action.shape[:-1])
    agents = by_action.shape[-1]
    paid = mirror_reward(
        by_action.reshape(rows, 1, 1, agents), np.ones((rows, 1, agents), np.bool_)
    )
    return np.swapaxes(paid.reshape(by_action.shape), -1, -2).astype(np.float64)


def _train(observer: Floats, counts: Floats, learner: Learner) -> Floats:
    """Steps of gradient descent on the mean cross-entropy of (S, W, K, N) counts of who did
    what."""
    acted = counts.sum(axis=-1, keepdims=True)  # (S, W, K, 1)
    share = learner.observer_rate / (learner.batch * counts.shape[-1])
    for _ in range(learner.observer_steps or 0):
        observer = observer + share * (counts - acted * np.exp(log_softmax(observer)))
    return observer


def crossing(
    parted: npt.NDArray[np.bool_], weights: Floats, rng: np.random.Generator, resamples: int = 2000
) -> Estimate:
    """The weight at which the share of seeds that parted crosses one half, with a bootstrap
    interval over seeds.

    The share is made monotone in the weight (isotonic regression) and interpolated in the logarithm
    of the weight.

    Args:
        parted: (S, W) what became of each seed at each weight.
        weights: (W,) rising.
        rng: source of the resamples.
        resamples: how many; the interval is their 2.5 and 97.5 % quantiles.

    Returns:
        The estimate; -inf or inf where the crossing lies outside the weights.
    """
    seeds = len(parted)
    picked = rng.integers(seeds, size=(resamples, seeds))
    drawn = [cross(parted[rows].mean(axis=0), weights) for rows in picked]
    # interpolating inf gives NaN
    low, high = np.quantile(drawn, [0.025, 0.975], method="closest_observation")
    return Estimate(
        cross(parted.mean(axis=0), weights),
        float(low),
        float(high),
        seeds,
        f"bootstrap of {seeds} seeds",
    )


def cross(share: Floats, weights: Floats) -> float:
    """The weight (W,) at which the share (W,) of seeds that parted crosses one half; -inf or inf if
    outside."""
    rising = isotonic_regression(share).x
    above = int(np.searchsorted(rising, 0.5))  # first weight with a share of at least one half
    if above == 0:
        return float(weights[0]) if rising[0] == 0.5 else -math.inf
    if above == len(weights):
        return math.inf
    part = (0.5 - rising[above - 1]) / (rising[above] - rising[above - 1])
    return float(weights[above - 1] * (weights[above] / weights[above - 1]) ** part)
