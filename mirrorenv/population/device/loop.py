"""Training that stays on a device: play, pay, advantages and updates, and nothing comes back to the
host before an iteration is over.

What is computed is what `mirrorenv.population.train_batch` and the updates compute, for the default
reward: the mirror's, credit `author`, paid at every step, everybody shown. Episodes are those of
the worlds' seeds; actions are drawn from the device's own generator.

Shapes: B episodes, T time, N agents, K lineup slots (K = N), J observers (J = N).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from mirrorenv.errors import ConfigError
from mirrorenv.mirror import lineup_permutations
from mirrorenv.population.actions import ActionLayout, Vector
from mirrorenv.population.adam import FusedAdam
from mirrorenv.population.device.world import DeviceWorld
from mirrorenv.population.experience import world_seeds
from mirrorenv.population.learning import set_objectives
from mirrorenv.population.objectives.updates import (
    check_gradients,
    clip_gradients,
    optimiser_groups,
)
from mirrorenv.population.observers import row_log_belief
from mirrorenv.population.population import Population, lineup_tensors
from mirrorenv.population.settings import LearningSettings, MirrorSettings

__all__ = ["DeviceLoop", "device_advantages", "device_mirror_pay"]

Columns = dict[str, Tensor]


@torch.no_grad()
def device_mirror_pay(
    population: Population, columns: Columns, authors: Tensor, floor: float
) -> Tensor:
    """What the mirror pays for being recognised, step by step: (B, T, N) float32.

    Args:
        population: whose observers read.
        columns: `observations`, `actions`, `mask` (B, T, N, ...).
        authors: (B, 1, K) int64, whose trajectory stands in each slot.
        floor: smallest belief that still counts.
    """
    mask = columns["mask"]
    lineup = lineup_tensors(population, columns["observations"], columns["actions"], mask, authors)
    evidence = population.evidence(lineup)  # (B, T, J, K, N)
    target = authors[:, None, :, :, None].expand(*evidence.shape[:4], 1)
    belief = row_log_belief(evidence).gather(-1, target).squeeze(-1)  # (B, T, J, K)
    slot_of = authors.argsort(-1)[:, None].expand(*belief.shape)
    held = belief.gather(3, slot_of).clamp(math.log(floor), 0.0)  # (B, T, J, N)
    agents = mask.shape[2]
    path = (math.log(agents) + held).mean(2)  # (B, T, N)
    before = torch.cat([torch.zeros_like(path[:, :1]), path[:, :-1]], 1)
    return (path - before) * mask


@torch.no_grad()
def device_advantages(
    rewards: Tensor,
    values: Tensor,
    mask: Tensor,
    last_value: Tensor | None,
    gamma: float,
    lam: float,
) -> tuple[Tensor, Tensor]:
    """See `mirrorenv.population.advantages.advantages`, on a device.

    Args:
        rewards: (B, T, N) float32.
        values: (B, T, N) float32.
        mask: (B, T, N) float32, 1 for the steps that happened.
        last_value: (B, N), or None for a critic that never bootstraps.
        gamma: discount factor.
        lam: lambda.

    Returns:
        advantages and value targets, (B, T, N) float32 each.
    """
    following = torch.zeros_like(values[:, 0]) if last_value is None else last_value
    carried = torch.zeros_like(values[:, 0])
    steps = []
    for t in range(rewards.shape[1] - 1, -1, -1):
        live = mask[:, t] > 0
        delta = rewards[:, t] + gamma * following - values[:, t]
        carried = torch.where(live, delta + gamma * lam * carried, 0.0)
        following = torch.where(live, values[:, t], following)
        steps.append(carried)
    advantage = torch.stack(steps[::-1], 1)
    return advantage, (advantage + values) * mask


def _to_world(actions: Tensor, layout: ActionLayout) -> Tensor:
    """`ActionLayout.to_world` of tensors.

    Raises:
        ConfigError: for a form of action of several kinds.
    """
    if layout.whole:
        return actions
    if isinstance(layout, Vector):
        return layout.low + 0.5 * (layout.high - layout.low) * (actions + 1.0)
    raise ConfigError(f"actions of the form {layout.kind} are for worlds on NumPy only")


@dataclass
class DeviceLoop:
    """Iterations of MirrorPPO with everything on one device.

    Args:
        population: who acts, reads and learns; its parameters are on the world's device.
        world: B copies.
        mirror: the default reward; its weight may be any.
        learning: how actors learn.
        seed: of the run.

    Raises:
        ConfigError: for a reward, or observers, that this loop does not know.
    """

    population: Population
    world: DeviceWorld
    mirror: MirrorSettings
    learning: LearningSettings
    seed: int = 0
    iteration: int = 0
    norms: dict[str, list[Tensor]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        mirror = self.mirror
        plain = (mirror.reward, mirror.credit, mirror.timing, mirror.control)
        if plain != ("mirror", "author", "dense", "none") or mirror.observers_per_author:
            raise ConfigError(
                "training on a device pays the mirror's reward, credit author, at every step: "
                f"reward, credit, timing, control = {', '.join(plain)} runs on the CPU only"
            )
        if mirror.final_weight not in (None, mirror.weight) or self.population.settings.auxiliaries:
            raise ConfigError(
                "training on a device has one mirror weight and no auxiliaries: "
                "mirror.final_weight and population.auxiliaries run on the CPU only"
            )
        if self.population.settings.observer.neighbours or self.population.observers.joint:
            raise ConfigError(
                "training on a device shows everybody, to heads that read row by row: neighbours "
                "and the joint head run on the CPU only"
            )
        set_objectives(self.population, mirror, self.learning, seed=self.seed)
        self._optimiser = FusedAdam(list(optimiser_groups(self.population.objectives).values()))
        self._generator: torch.Generator | None = None  # the meta device has none
        if self.world.device.type != "meta":
            self._generator = torch.Generator(self.world.device).manual_seed(self.seed)

    def run(self, part: Callable[[str], None] = lambda name: None) -> dict[str, Tensor]:
        """One iteration.

        Args:
            part: called with the name of each part as it ends: play, pay, update.

        Returns:
            means of the episodes' returns, as tensors on the device.
        """
        count = self.world.world.num_envs
        episodes = np.arange(self.iteration * count, (self.iteration + 1) * count)
        orders = lineup_permutations(self.seed, episodes, "training", self.world.world.num_agents)
        authors = torch.from_numpy(orders).to(self.world.device)[:, None]  # (B, 1, K)
        columns = self.play(world_seeds(self.seed, episodes))
        part("play")
        paid = self.pay(columns, authors)
        part("pay")
        self.update(columns)
        part("update")
        self.iteration += 1
        return {
            "return": columns["rewards"].sum(1).mean(),
            "mirror_return": paid.sum(1).mean(),
        }

    @torch.no_grad()
    def play(self, seeds: np.ndarray[tuple[int], np.dtype[np.integer]]) -> Columns:
        """One episode in each copy: columns (B, T, N, ...), and the critics' last values (B, N)."""
        actor = self.population.actor
        layout = self.population.shape.actions
        seen = self.world.reset(seeds).flatten(2)
        memory = actor.initial_state(len(seeds))
        live = torch.ones(seen.shape[:2], dtype=torch.bool, device=seen.device)
        steps: dict[str, list[Tensor]] = {}
        for _ in range(self.world.world.horizon):
            output, memory = actor.step(seen, memory)
            actions = output.distribution.sample(self._generator)  # type: ignore[arg-type]
            step = self.world.step(_to_world(actions, layout))
            now = {
                "observations": seen,
                "actions": actions,
                "log_probability": output.distribution.log_probability(actions),
                "environment_value": output.environment_value,
                "mirror_value": output.mirror_value,
                "rewards": torch.where(live, step.rewards, 0.0),
                "mask": live.to(torch.float32),
            }
            for name, value in now.items():
                steps.setdefault(name, []).append(value)
            seen = step.observations.flatten(2)
            live = live & ~(step.terminated | step.truncated)
        columns = {name: torch.stack(several, 1) for name, several in steps.items()}
        last, _ = actor.step(seen, memory)
        cut_off = step.truncated
        columns["last_value"] = torch.where(cut_off, last.environment_value, 0.0)
        return columns

    @torch.no_grad()
    def pay(self, columns: Columns, authors: Tensor) -> Tensor:
        """Add the advantages, targets and lineups to the columns; what was paid, (B, T, N)."""
        mask = columns["mask"]
        learning = self.learning
        paid = device_mirror_pay(self.population, columns, authors, self.mirror.floor)
        scaled = columns["rewards"] * learning.reward_scale
        advantage, columns["environment_target"] = device_advantages(
            scaled,
            columns.pop("environment_value"),
            mask,
            columns.pop("last_value"),
            learning.gamma,
            learning.gae_lambda,
        )
        # where nothing was paid, nothing is better than anything else
        advantage = torch.where(scaled.any(), advantage, 0.0)
        by_mirror, columns["mirror_target"] = device_advantages(
            paid, columns.pop("mirror_value"), mask, None, 1.0, learning.gae_lambda
        )
        total = advantage + self.mirror.weight_at(0.0) * by_mirror
        count = mask.sum((0, 1)).clamp_min(1.0)  # (N,)
        mean = (total * mask).sum((0, 1)) / count
        variance = ((total - mean).square() * mask).sum((0, 1)) / count
        columns["advantage"] = (total - mean) / (variance + 1e-8).sqrt() * mask
        columns["permutation"] = authors
        columns["labels"] = authors
        return paid

    def update(self, columns: Columns) -> None:
        """All epochs over the episodes."""
        rows = len(columns["mask"])
        size = min(rows, self.learning.minibatch_episodes)
        for _ in range(self.learning.epochs):
            order = torch.randperm(rows, generator=self._generator, device=self.world.device)
            for start in range(0, rows - size + 1, size):
                index = order[start : start + size]
                minibatch = {name: column[index] for name, column in columns.items()}
                self.learn(self._with_some_slots(minibatch))

    def _with_some_slots(self, minibatch: Columns) -> Columns:
        """The slots that observers learn from now, drawn on the device (`slots_per_update`)."""
        count = self.population.settings.observer.slots_per_update
        agents = minibatch["labels"].shape[2]
        if not 0 < count < agents or self.population.observers.whole_lineup:
            return minibatch
        drawn = torch.randperm(agents, generator=self._generator, device=self.world.device)
        for name in ("permutation", "labels"):
            minibatch[name] = minibatch[name][..., drawn[:count]]
        return minibatch

    def learn(self, minibatch: Columns) -> None:
        """One minibatch, with the slots to learn from: nothing in it waits for the host."""
        population = self.population
        output = population.output(minibatch)
        loss, _ = population.loss(minibatch, output)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norms: dict[str, Tensor] = {}
        clip_gradients(population.objectives, population, norms=norms)
        for name, norm in norms.items():
            self.norms.setdefault(name, []).append(norm)
        self._optimiser.step()

    def check(self) -> None:
        """Wait for the device, and judge the gradients since the last check.

        Raises:
            TrainingError: if one was not finite.
        """
        check_gradients({name: torch.stack(several) for name, several in self.norms.items()})
        self.norms.clear()
