"""Generalised advantage estimation for whole episodes as arrays (Schulman et al. 2016, arXiv
1506.02438, eq. 16).

Shapes: B batch, T time, N agents.
"""

from __future__ import annotations

import numpy as np

from mirrorenv.mirror.arrays import Bools, Floats32

__all__ = ["advantages"]


def advantages(
    rewards: Floats32,
    values: Floats32,
    mask: Bools,
    *,
    last_value: Floats32 | None,
    gamma: float,
    lam: float,
) -> tuple[Floats32, Floats32]:
    """Advantages and value targets of every step.

    Args:
        rewards: (B, T, N) float32.
        values: (B, T, N) float32, the critic at the observation before each step.
        mask: (B, T, N) bool, steps that happened; an agent's steps are contiguous from 0.
        last_value: (B, N) value after an agent's last step where the episode was cut off, zero
            where it ended; None for a critic that never bootstraps.
        gamma: discount factor in [0, 1].
        lam: lambda in [0, 1].

    Returns:
        advantages (B, T, N) and value targets (B, T, N), both float32 and zero where mask is False.
    """
    batch, time, agents = rewards.shape
    advantage = np.zeros_like(rewards)
    following = (
        np.zeros((batch, agents), np.float32)
        if last_value is None
        else last_value.astype(np.float32)
    )
    carried = np.zeros((batch, agents), np.float32)
    for t in range(time - 1, -1, -1):
        live = mask[:, t]
        delta = rewards[:, t] + gamma * following - values[:, t]
        carried = np.where(live, delta + gamma * lam * carried, 0.0).astype(np.float32)
        advantage[:, t] = carried
        following = np.where(live, values[:, t], following)
    return advantage, np.where(mask, advantage + values, 0.0).astype(np.float32)
