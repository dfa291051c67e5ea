"""A Stable-Baselines3 policy as the host of auxiliary objectives.

Shapes: E episodes, T time, N agents, D observation, H hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from pydantic import JsonValue
from stable_baselines3.common.policies import ActorCriticPolicy
from torch import Tensor

from mirrorenv.errors import ConfigError
from mirrorenv.population.objectives import Hidden, Host, Objective, build_objective
from mirrorenv.population.population import Population
from mirrorenv.sb3.rows import WorldRow

__all__ = ["PolicyHost"]

LAYER = "policy"


class PolicyHost:
    """Hidden states of the shared policy, and the steps it takes for what it learns from them.

    The layer is called "policy": the last hidden layer before the actions.

    Args:
        policy: an actor-critic policy.
        row: knows what the policy is shown.
        observers: what the world fixes.
        max_grad_norm: of the policy, as its own algorithm clips it.

    Raises:
        ConfigError: if the policy has no hidden layer to read.
    """

    def __init__(
        self, policy: object, row: WorldRow, observers: Population, max_grad_norm: float
    ) -> None:
        if not isinstance(policy, ActorCriticPolicy):
            raise ConfigError(
                f"MirrorCallback: {type(policy).__name__} has no hidden layer that auxiliaries "
                "could read; use an actor-critic policy"
            )
        self.policy = policy
        self.row = row
        self.max_grad_norm = max_grad_norm
        self.host = Host(
            layers={LAYER: policy.mlp_extractor.latent_dim_pi},
            num_agents=observers.shape.num_agents,
            action_features=observers.shape.action_features,
            shape=observers.shape,
            observer=observers.settings.observer,
        )

    def objectives(
        self, auxiliaries: Iterable[Mapping[str, JsonValue]], seed: int
    ) -> dict[str, Objective]:
        """The auxiliaries by label.

        Raises:
            ConfigError: for a wrong setting, or an auxiliary that feeds something back.
        """
        made: dict[str, Objective] = {}
        for number, given in enumerate(auxiliaries):
            one = build_objective(
                given, self.host, seed=seed + number, place=f"auxiliaries[{number}]"
            )
            shape = self.host.shape
            assert shape is not None
            if one.feed_width(one.settings, shape):
                raise ConfigError(
                    f"MirrorCallback: {one.label} feeds something back to the policy, which "
                    "Stable-Baselines3 would not pass on; use MirrorPPO"
                )
            if one.label in made:
                raise ConfigError(f"MirrorCallback: two auxiliaries are called {one.label}")
            made[one.label] = one
        return made

    def hidden(self, observations: Tensor, *, learns: bool) -> Hidden:
        """(E, T, N, D) -> the policy's hidden states (E, T, N, H), with a gradient if it learns."""
        lead = observations.shape[:3]
        space = self.row.world.observation_space.shape or ()
        rows = observations.numpy().reshape(-1, lead[2], *space)
        shown, _ = self.policy.obs_to_tensor(self.row.present(rows))
        if learns:
            self.policy.optimizer.zero_grad()  # its own algorithm leaves gradients behind
        with torch.set_grad_enabled(learns):
            features = self.policy.extract_features(shown, self.policy.pi_features_extractor)
            assert isinstance(features, Tensor)
            latent = self.policy.mlp_extractor.forward_actor(features)
        return Hidden({LAYER: latent.view(*lead, -1)})

    def step(self) -> None:
        """Apply the gradients that objectives left in the policy, by its own optimiser."""
        torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        self.policy.optimizer.step()
        self.policy.optimizer.zero_grad()
