"""The observers' heads as one more module of RLlib's, which learns in the learner.

Shape legend: R lineups, T time, K slots, N agents, J observers, D observation, A action.
"""

from __future__ import annotations

from typing import Any

import torch
from ray.rllib.core.rl_module.apis import SelfSupervisedLossAPI
from ray.rllib.core.rl_module.torch import TorchRLModule
from torch import Tensor

from mirrorenv.mirror.arrays import Floats32
from mirrorenv.population.actions.vector import Vector
from mirrorenv.population.observers import LineupTensors, build_head
from mirrorenv.population.observers.base import row_log_belief
from mirrorenv.population.settings import PopulationShape
from mirrorenv.rllib.attaching.settings import AttachSettings

__all__ = ["ACTIONS", "LABELS", "MASK", "MIRROR", "OBSERVATIONS", "ORDER", "MirrorModule"]

MIRROR = "mirror"
"""Id of the module, and place of its figures in the results."""
OBSERVATIONS = "mirror_observations"
ACTIONS = "mirror_actions"
MASK = "mirror_mask"
ORDER = "mirror_order"
LABELS = "mirror_labels"


class MirrorModule(TorchRLModule, SelfSupervisedLossAPI):
    """J = N heads that read shuffled lineups. A row of its batch is one episode of all agents.

    `model_config["mirror"]` holds `settings`, `num_agents`, `observation_width` and
    `action_width`.
    """

    def setup(self) -> None:
        """Build the heads."""
        about = self.model_config["mirror"]
        self.settings = AttachSettings(**about["settings"])
        shape = PopulationShape(
            num_agents=about["num_agents"],
            observation_size=about["observation_width"],
            actions=Vector(size=about["action_width"]),
        )
        draws = torch.Generator().manual_seed(self.settings.seed)
        self.observers = build_head(shape, self.settings.observer, 0, draws)
        self._draws = draws

    @torch.no_grad()
    def author_log_belief(
        self, observations: Floats32, actions: Floats32, mask: Floats32
    ) -> Tensor:
        """What every observer believes about the true author of every trajectory.

        Heads are equivariant in the slots, so that the order of the lineup makes no difference to
        what they say about a trajectory.

        Args:
            observations: (R, T, N, D), in the agents' order.
            actions: (R, T, N, A).
            mask: (R, T, N), 1 where the step happened.

        Returns:
            (R, T, J, N, N) log belief of observer j, after step t, that trajectory k is agent n's.
        """
        device = next(self.parameters()).device
        lineup = LineupTensors(
            torch.as_tensor(observations, device=device),
            torch.as_tensor(actions, device=device),
            torch.as_tensor(mask, device=device),
        )
        belief: Tensor = row_log_belief(self.observers.evidence(lineup))
        return belief.cpu()

    def _forward(self, batch: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """The loss of some lineups; here and not in `compute_self_supervised_loss`, so that
        DistributedDataParallel sees the pass."""
        order = batch[ORDER]  # (R, K) whose trajectory stands in each slot
        chosen = self._chosen(len(order)).to(order.device)
        order = order[chosen]
        labels = batch[LABELS][chosen].gather(1, order)  # (R, K) the names to be taught
        observations = _shuffled(batch[OBSERVATIONS][chosen], order)  # (R, T, K, D)
        actions = _shuffled(batch[ACTIONS][chosen], order)  # (R, T, K, A)
        mask = _shuffled(batch[MASK][chosen].unsqueeze(-1), order).squeeze(-1)  # (R, T, K)
        evidence = self.observers.evidence(LineupTensors(observations, actions, mask))
        loss = self.observers.loss(evidence, labels.unsqueeze(1), mask.unsqueeze(2))
        return {"loss": loss}

    def compute_self_supervised_loss(self, *, fwd_out: dict[str, Any], **kwargs: Any) -> Tensor:
        """RLlib's own: takes the place of the algorithm's loss for this module."""
        loss: Tensor = fwd_out["loss"]
        return loss

    def _chosen(self, rows: int) -> Tensor:
        """Some rows of a minibatch, at random."""
        order = torch.randperm(rows, generator=self._draws)
        most = self.settings.lineups_per_update
        return order[:most] if most else order


def _shuffled(columns: Tensor, order: Tensor) -> Tensor:
    """(R, T, N, X) in the agents' order -> (R, T, K, X) by slot."""
    index = order[:, None, :, None].expand(-1, columns.shape[1], -1, columns.shape[3])
    return columns.gather(2, index)
