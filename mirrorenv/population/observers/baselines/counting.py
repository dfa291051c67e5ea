"""Three observers that anybody could write down: a coin, the first glance, and counted actions.

Shapes: B episodes, T time, K trajectories, N agents, D observation, A actions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirrorenv.mirror import EpisodeBatch
from mirrorenv.mirror.belief import log_softmax
from mirrorenv.population.actions import ActionLayout
from mirrorenv.population.observers.baselines.base import Baseline, Evidence
from mirrorenv.population.observers.registry import register_baseline

__all__ = ["ActionHistogram", "Chance", "FirstObservation"]


@register_baseline("chance")
class Chance(Baseline):
    """Knows nothing: the same evidence for everybody."""

    def _fit(self, episodes: EpisodeBatch, actions: ActionLayout) -> None:
        pass

    def _evidence(self, episodes: EpisodeBatch) -> Evidence:
        return np.zeros((len(episodes), self.num_agents, self.num_agents))


@register_baseline("first_observation")
class FirstObservation(Baseline):
    """Looks at the first observation only, before anybody has acted: what it knows is a leak, not
    an identity.

    Multinomial logistic regression on the standardised first observation, fitted by L-BFGS.

    Args:
        decay: weight of the squared coefficients in nats (a Gaussian prior of variance 1 / (2
            decay)).
    """

    def __init__(self, decay: float = 1.0) -> None:
        self.decay = decay

    def _fit(self, episodes: EpisodeBatch, actions: ActionLayout) -> None:
        from scipy.optimize import minimize  # slow to load; only whole evaluations fit baselines

        first = _first(episodes)  # (B, K, D)
        self._mean = first.mean((0, 1))
        self._scale = np.maximum(first.std((0, 1)), 1e-6)
        rows = self._rows(first)  # (B*K, 1 + D)
        labels = np.tile(np.arange(self.num_agents), len(first))  # (B*K,)
        live = episodes.mask[:, 0].reshape(-1)
        rows, truth = rows[live], np.eye(self.num_agents)[labels[live]]
        shape = (rows.shape[1], self.num_agents)

        def objective(flat: Evidence) -> tuple[float, Evidence]:
            weights = flat.reshape(shape)
            log_p = log_softmax(rows @ weights)
            slope = rows.T @ (np.exp(log_p) - truth) + 2 * self.decay * weights
            return float(self.decay * (weights**2).sum() - (truth * log_p).sum()), slope.reshape(-1)

        found = minimize(
            objective,
            np.zeros(shape).reshape(-1),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": 200},
        )
        self._weights = found.x.reshape(shape)

    def _evidence(self, episodes: EpisodeBatch) -> Evidence:
        first = _first(episodes)
        log_p = log_softmax(self._rows(first) @ self._weights).reshape(
            *first.shape[:2], self.num_agents
        )
        return np.where(episodes.mask[:, 0, :, None], log_p, 0.0)

    def _rows(self, first: Evidence) -> Evidence:
        rows = ((first - self._mean) / self._scale).reshape(-1, first.shape[-1])
        return np.concatenate([np.ones((len(rows), 1)), rows], axis=1)


@register_baseline("action_histogram")
class ActionHistogram(Baseline):
    """Counts actions and looks at nothing else: naive Bayes, in closed form.

    A choice: log theta[n, a] per step with theta the posterior mean under a Dirichlet(1) prior. A
    number of a vector: a Gaussian for each agent. Parts of an action count as independent.
    """

    def _fit(self, episodes: EpisodeBatch, actions: ActionLayout) -> None:
        live = episodes.mask
        columns = _columns(episodes)
        self._readers: list[_Gaussian | _Counts] = []
        for i, count in actions.columns():
            done = columns[..., i]
            self._readers.append(
                _Gaussian(done, live) if count is None else _Counts(done, live, count)
            )

    def _evidence(self, episodes: EpisodeBatch) -> Evidence:
        live = episodes.mask
        columns = _columns(episodes)
        parts = [one.steps(columns[..., i], live) for i, one in enumerate(self._readers)]
        steps = np.sum(parts, axis=0)  # (B, T, K, N)
        total: Evidence = np.where(live[..., None], steps, 0.0).sum(1)
        return total


class _Counts:
    """How often each agent takes each choice of one part."""

    def __init__(self, actions: NDArray[Any], live: NDArray[np.bool_], count: int) -> None:
        # (B, T, N, A)
        chosen = np.eye(count)[np.where(live, actions, 0).astype(np.int64)] * live[..., None]
        counts = chosen.sum((0, 1)) + 1.0  # (N, A)
        self._log_theta = np.log(counts / counts.sum(1, keepdims=True))

    def steps(self, actions: NDArray[Any], live: NDArray[np.bool_]) -> Evidence:
        """Log probability of every step under every agent, (B, T, K, N)."""
        steps: Evidence = self._log_theta.T[np.where(live, actions, 0).astype(np.int64)]
        return steps


class _Gaussian:
    """Mean and variance of one number of each agent's vectors."""

    def __init__(self, actions: NDArray[Any], live: NDArray[np.bool_]) -> None:
        weight = live.astype(np.float64)
        steps = np.maximum(weight.sum((0, 1)), 1.0)  # (N,)
        self._mean = (actions * weight).sum((0, 1)) / steps  # (N,)
        variance = ((actions - self._mean) ** 2 * weight).sum((0, 1)) / steps
        # an agent that never varied must not be infinitely certain
        self._variance = np.maximum(variance, 1e-4)

    def steps(self, actions: NDArray[Any], live: NDArray[np.bool_]) -> Evidence:
        """Log density of every step under every agent, (B, T, K, N)."""
        z = actions[..., None].astype(np.float64) - self._mean
        steps: Evidence = -0.5 * (z**2 / self._variance + np.log(2 * math.pi * self._variance))
        return steps


def _columns(episodes: EpisodeBatch) -> NDArray[Any]:
    """The numbers of every action, (B, T, N, numbers)."""
    return episodes.actions.reshape(*episodes.mask.shape, -1)


def _first(episodes: EpisodeBatch) -> Evidence:
    """(B, K, D) float64."""
    first: NDArray[np.float64] = episodes.observations[:, 0].astype(np.float64)
    return first.reshape(*first.shape[:2], -1)
