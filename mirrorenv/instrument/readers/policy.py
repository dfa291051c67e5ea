"""A likelihood head: a policy for each agent, fitted to what it did, that says how likely it would
have done what is read.

A choice: multinomial logistic regression on standardised observations. A number: a linear Gaussian.
Each agent's policy is drawn towards the one fitted to all agents together, so that agents who do
not differ are not told apart by noise.

Shape legend: S steps, M trajectories, N agents, D features, A choices.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from mirrorenv.instrument.readers.base import Reader
from mirrorenv.instrument.record import StepRecord
from mirrorenv.mirror.arrays import Bools, Floats64, Ints64
from mirrorenv.mirror.belief import log_softmax

__all__ = ["Policy"]

_STEPS = 8_000  # of each agent that a policy is fitted to
_PULL = 4.0  # of the common policy: squared distance counts as much as so many nats
_WIDEST = 256  # features


class Policy(Reader):
    """What each agent does, given what it sees.

    Args:
        record: S steps with observations and actions.
        seed: of the sample of steps that is fitted to.
    """

    name = "policy"
    part = "a fitted policy"
    quick = False

    def __init__(self, record: StepRecord, seed: int = 0) -> None:
        self._record = record
        self._seed = seed
        seen = record.observations[:, :_WIDEST].astype(np.float64)
        spread = seen.std(0)
        scaled = (seen - seen.mean(0)) / np.where(spread > 0, spread, 1.0)
        self._features = np.concatenate([np.ones((len(seen), 1)), scaled], axis=1)  # (S, 1 + D)

    def evidence(self, agent: Ints64, num_agents: int, fit: Bools, read: Bools) -> Floats64:
        """As :meth:`Reader.evidence`.

        Args:
            agent: (M,) the authors; only those of trajectories to learn from are looked at.
            num_agents: N.
            fit: (M,) trajectories to learn from.
            read: (M,) trajectories to read.
        """
        record = self._record
        rng = np.random.default_rng(self._seed)
        author = agent[record.trajectory]  # (S,)
        learn = fit[record.trajectory]
        samples = []
        for one in range(num_agents):
            rows = np.flatnonzero(learn & (author == one))
            kept = rng.choice(rows, min(_STEPS, len(rows)), replace=False)
            samples.append(np.sort(kept))
        steps = np.flatnonzero(read[record.trajectory])
        total: Floats64 = np.zeros((len(steps), num_agents))
        for column, choices in enumerate(record.choices):
            if choices:
                total += self._choice(column, choices, samples, steps)
            else:
                total += self._number(column, samples, steps)
        starts = np.flatnonzero(np.diff(record.trajectory[steps], prepend=-1))
        found: Floats64 = np.add.reduceat(total, starts, axis=0)  # (read, N)
        return found

    def _choice(self, column: int, choices: int, samples: list[Ints64], steps: Ints64) -> Floats64:
        """(steps, N) log probability of a choice under every agent's policy."""
        done = self._record.actions[:, column].astype(np.int64)
        everybody = np.concatenate([one[: _STEPS // len(samples) + 1] for one in samples])
        start = np.zeros((self._features.shape[1], choices))
        common = _fitted(self._features[everybody], done[everybody], start, 1e-3)
        found = np.zeros((len(steps), len(samples)))
        for agent, rows in enumerate(samples):
            weights = _fitted(self._features[rows], done[rows], common, _PULL)
            logs = log_softmax(self._features[steps] @ weights)  # (steps, A)
            found[:, agent] = np.take_along_axis(logs, done[steps, None], axis=1)[:, 0]
        return found

    def _number(self, column: int, samples: list[Ints64], steps: Ints64) -> Floats64:
        """(steps, N) log density of a number under every agent's linear Gaussian."""
        values = self._record.actions[:, column]
        everybody = np.concatenate(samples)
        common = _ridge(self._features[everybody], values[everybody], np.zeros(1))
        found = np.zeros((len(steps), len(samples)))
        for agent, rows in enumerate(samples):
            weights = _ridge(self._features[rows], values[rows], common)
            left = values[rows] - self._features[rows] @ weights
            variance = max(float(np.square(left).mean()), 1e-6)
            error = values[steps] - self._features[steps] @ weights
            found[:, agent] = -0.5 * (np.square(error) / variance + np.log(2 * np.pi * variance))
        return found


def _fitted(features: Floats64, done: Ints64, start: Floats64, pull: float) -> Floats64:
    """(D, A) coefficients of a multinomial logistic regression, drawn towards where it starts."""
    truth = np.eye(start.shape[1])[done]

    def objective(flat: Floats64) -> tuple[float, Floats64]:
        weights = flat.reshape(start.shape)
        logs = log_softmax(features @ weights)
        away = weights - start
        slope = features.T @ (np.exp(logs) - truth) + 2 * pull * away
        loss = float(pull * np.square(away).sum() - (truth * logs).sum())
        return loss, slope.reshape(-1)

    found = minimize(
        objective, start.reshape(-1), jac=True, method="L-BFGS-B", options={"maxiter": 40}
    )
    weights: Floats64 = found.x.reshape(start.shape)
    return weights


def _ridge(features: Floats64, values: Floats64, towards: Floats64) -> Floats64:
    """(D,) coefficients of a linear regression, drawn towards others."""
    gram = features.T @ features + _PULL * np.eye(features.shape[1])
    return np.asarray(np.linalg.solve(gram, features.T @ values + _PULL * towards), np.float64)
