"""A world of this package on a device: its own code, on tensors.

Shapes: B batch (copies), N agents.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from mirrorenv.envs.base import ArrayWorld, ClockedWorld
from mirrorenv.envs.random import Seeds
from mirrorenv.errors import WorldError
from mirrorenv.population.device.namespace import TorchNamespace
from mirrorenv.population.device.random import DeviceRandom

__all__ = ["DeviceStep", "DeviceWorld"]


class DeviceStep(NamedTuple):
    """What a batch of worlds answers, on the device; see `mirrorenv.envs.base.Step`."""

    observations: Tensor  # (B, N, *obs) float32
    rewards: Tensor  # (B, N) float32
    terminated: Tensor  # (B, N) bool
    truncated: Tensor  # (B, N) bool


class DeviceWorld:
    """B copies of one of our worlds, all of whose state is on a device.

    Episodes are those of the world on NumPy with the same seeds and actions. Nothing is looked at
    on the host, so actions are not checked: an action outside the space is the caller's mistake.

    Args:
        world: as `mirrorenv.make_batch` makes it; it is taken over, and is no NumPy world any more.
        device: where it is to run.

    Raises:
        WorldError: if the world is not written for it.
    """

    def __init__(self, world: ArrayWorld, device: torch.device | str) -> None:
        inner = world.unwrapped
        if not isinstance(inner, ClockedWorld) or not inner.on_device:
            raise WorldError(
                f"{type(inner).__name__} runs on NumPy only: a world for a device is a "
                "ClockedWorld that is written against self.xp and says on_device = True"
            )
        self.world = inner
        self.device = torch.device(device)
        self._inside: Any = inner  # whose arrays are tensors from now on
        self._inside.xp = TorchNamespace(self.device)
        self._last: Tensor | None = None

    def reset(self, seeds: Seeds) -> Tensor:
        """Start all rows: (B,) seeds give (B, N, *obs) observations."""
        inside = self._inside
        inside.random = DeviceRandom(seeds, self.device)
        shape = (inside.num_envs, inside.num_agents)
        inside.clock = torch.zeros(shape[0], dtype=torch.int64, device=self.device)
        inside.finished = torch.zeros(shape[0], dtype=torch.bool, device=self.device)
        self._ended = torch.zeros(shape, dtype=torch.bool, device=self.device)
        inside._start()
        seen: Tensor = inside._observe()
        self._last = seen
        return seen

    def step(self, actions: Tensor) -> DeviceStep:
        """Let every agent act once.

        Args:
            actions: (B, N) int64 or (B, N, A) float32, inside the space.

        Raises:
            WorldError: before the first `reset`.
        """
        if self._last is None:
            raise WorldError(f"{type(self.world).__name__}.step() was called before reset(seeds)")
        inside = self._inside
        live = ~inside.finished  # (B,)
        moving = live[:, None] & ~self._ended  # (B, N)
        inside.clock = inside.clock + live
        rewards, ended = inside._advance(actions, live)
        observations = inside._observe()
        # who is done repeats what it was shown, and earns nothing
        rewards = torch.where(moving, rewards.to(torch.float32), 0.0)
        beside = moving.reshape(*moving.shape, *[1] * (observations.ndim - 2))
        observations = torch.where(beside, observations, self._last)
        over = inside.clock >= inside.horizon  # (B,)
        if ended is not None:
            ended = ended if ended.ndim == 2 else ended[:, None]
            self._ended = self._ended | (ended & moving)
        if inside.clock_end == "terminated":
            self._ended = self._ended | over[:, None]
        inside.finished = self._ended.all(dim=1) | over
        self._last = observations
        truncated = inside.finished[:, None] & ~self._ended
        return DeviceStep(observations, rewards, self._ended, truncated)
