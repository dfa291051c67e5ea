"""Auxiliary objectives of RLlib's own modules: a part of the learner, which no env runner carries.

The layer is called "policy": what a module's `pi` head reads. Of modules without memory every step
is an episode of its own, as RLlib hands them over.

Shapes: R rows of a minibatch, B sequences, T time, H hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pydantic import JsonValue
from ray.rllib.algorithms.algorithm_config import AlgorithmConfig
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.core.learner.torch.torch_learner import TorchLearner
from torch import Tensor, nn

from mirrorenv.errors import ConfigError
from mirrorenv.population.actions.vector import Vector
from mirrorenv.population.objectives import Hidden, Host, Objective, build_objective
from mirrorenv.population.objectives.updates import after_update, parts_of, sum_of_losses
from mirrorenv.population.settings import PopulationShape
from mirrorenv.rllib.attaching.module import MIRROR

__all__ = ["SETTINGS", "learner_with_auxiliaries"]

SETTINGS = "mirrorenv_auxiliaries"
"""Where a config's `learner_config_dict` holds what is asked for, and a learner's state what was
learned."""
LAYER = "policy"


class _Attached:
    """The objectives of one module.

    Args:
        id: of the module.
        module: RLlib's.
        given: entries as in `population.auxiliaries`.
        seed: of their weights.
    """

    def __init__(self, id: str, module: Any, given: list[Mapping[str, JsonValue]], seed: int):
        head = getattr(module, "pi", None)
        if not isinstance(head, nn.Module):
            raise ConfigError(
                f"attach: the module '{id}' ({type(module).__name__}) has no part called `pi`, "
                "whose input auxiliaries read; call your policy head `pi`, or leave them out"
            )
        width = next(one.shape[1] for one in head.parameters() if one.dim() == 2)
        host = Host(layers={LAYER: width})
        made: dict[str, Objective] = {}
        for number, one in enumerate(given):
            place = f"attach: auxiliaries[{number}]"
            built = build_objective(one, host, seed=seed + number, place=place)
            self._check(built, place, bool(module.is_stateful()))
            if built.label in made:
                raise ConfigError(f"attach: two auxiliaries are called {built.label}")
            made[built.label] = built
        self.objectives = nn.ModuleDict(made)
        self._read: Tensor | None = None
        self._newest: tuple[Hidden, dict[str, Tensor]] | None = None
        head.register_forward_pre_hook(self._look)

    @staticmethod
    def _check(one: Objective, place: str, remembers: bool) -> None:
        shape = PopulationShape(num_agents=2, observation_size=1, actions=Vector(size=1))
        if one.feed_width(one.settings, shape):
            raise ConfigError(
                f"{place}: it feeds something back, which RLlib's modules would not read; use "
                "MirrorPPO"
            )
        ahead = getattr(one.settings, "ahead", 0)
        if ahead and not remembers:
            raise ConfigError(
                f"{place}: ahead = {ahead}, and of modules without memory RLlib hands over single "
                "steps: set ahead to 0, or use an LSTM (model_config: use_lstm)"
            )

    def _look(self, _: nn.Module, arguments: tuple[Any, ...]) -> None:
        if torch.is_grad_enabled():
            self._read = arguments[0]

    def named(self) -> dict[str, Objective]:
        """By label."""
        return {label: one for label, one in self.objectives.items() if isinstance(one, Objective)}

    def loss(self, batch: Mapping[str, Any]) -> tuple[Tensor, dict[str, Tensor]]:
        """Weighted sum of the losses on what the last forward pass read, and metrics."""
        assert self._read is not None
        read = self._read.unsqueeze(-2)  # (R, 1, H) or (B, T, 1, H)
        if read.dim() == 3:
            read = read.unsqueeze(1)  # (R, 1, 1, H)
        live = batch.get(Columns.LOSS_MASK)
        mask = read.new_ones(read.shape[:3])
        if live is not None:
            mask = live.to(mask.dtype).reshape(mask.shape)
        hidden = Hidden({LAYER: read})
        columns = {"mask": mask}
        self._newest = Hidden({LAYER: read.detach()}), columns
        self._read = None
        return sum_of_losses(self.named(), None, hidden, columns)

    def state(self) -> dict[str, Any]:
        """What was learned, as arrays."""
        return {name: value.cpu().numpy() for name, value in self.objectives.state_dict().items()}

    def after(self) -> None:
        """What changes outside the loss, once for each loss."""
        if self._newest is not None:
            after_update(self.named(), *self._newest)
            self._newest = None


class _WithAuxiliaries(TorchLearner):
    """A learner whose modules have objectives beside the algorithm's own."""

    def build(self) -> None:
        """Build the learner, then the objectives, each with an optimiser of its own."""
        super().build()
        if self.config.num_learners > 1:
            raise ConfigError(
                "attach: auxiliaries learn in one learner, and this config has "
                f"{self.config.num_learners}: set .learners(num_learners=0)"
            )
        given = self.config.learner_config_dict[SETTINGS]
        self._attached: dict[str, _Attached] = {}
        for id in list(self.module.keys()):
            if id == MIRROR or not self.should_module_be_updated(id):
                continue
            one = _Attached(id, self.module[id].unwrapped(), given["list"], given["seed"])
            one.objectives.to(self._device)
            self._attached[id] = one
            for objective in one.named().values():
                for name, (parameters, rate) in parts_of(objective).items():
                    self.register_optimizer(
                        module_id=id,
                        optimizer_name=f"auxiliary_{name}",
                        optimizer=torch.optim.Adam(parameters, lr=rate),
                        params=parameters,
                        lr_or_lr_schedule=rate,
                    )

    def compute_loss_for_module(
        self, *, module_id: str, config: Any, batch: dict[str, Any], fwd_out: dict[str, Any]
    ) -> Tensor:
        """The algorithm's loss, and those of the objectives."""
        loss: Tensor = super().compute_loss_for_module(
            module_id=module_id, config=config, batch=batch, fwd_out=fwd_out
        )
        if module_id not in self._attached:
            return loss
        extra, metrics = self._attached[module_id].loss(batch)
        self.metrics.log_dict(
            {name: float(value) for name, value in metrics.items()}, key=module_id, window=1
        )
        return loss + extra

    def apply_gradients(self, gradients_dict: Any) -> None:
        """A step of all optimisers, then codebooks and the like."""
        super().apply_gradients(gradients_dict)
        for one in self._attached.values():
            one.after()

    def get_state(
        self, components: Any = None, *, not_components: Any = None, **kwargs: Any
    ) -> Any:
        """RLlib's, and what the objectives learned."""
        state = super().get_state(components, not_components=not_components, **kwargs)
        if self._check_component(SETTINGS, components, not_components):
            state[SETTINGS] = {id: one.state() for id, one in self._attached.items()}
        return state

    def set_state(self, state: Any) -> None:
        """See `get_state`."""
        super().set_state(state)
        for id, weights in state.get(SETTINGS, {}).items():
            known = {name: torch.as_tensor(value) for name, value in weights.items()}
            self._attached[id].objectives.load_state_dict(known)


class PPOWithAuxiliaries(_WithAuxiliaries, PPOTorchLearner):
    """PPO's learner."""


def learner_with_auxiliaries(config: AlgorithmConfig) -> type[TorchLearner]:
    """The learner of a config, with auxiliaries.

    Raises:
        ConfigError: if it is not RLlib's own of PPO.
    """
    if config.learner_class is not PPOTorchLearner:
        raise ConfigError(
            f"attach: auxiliaries are added to RLlib's own learner of PPO, and this config has "
            f"{config.learner_class.__name__}: leave one of both out"
        )
    return PPOWithAuxiliaries
