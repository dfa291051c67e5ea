"""Two teams harvest two fields, and a sign that only one's own team can read: the world of
`team_against.py`.

Importing this module registers the observer head `own_sign`, which reads a lineup as anybody
does, but of the two teams' signs its own team's only. Nothing else tells what a team knows from
what its opponents know.

Shape legend: B batch, T time, K lineup slots, J observers, N = 4 agents, D observation, A actions,
F = D + A features.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import spaces
from torch import Tensor

from mirrorenv.envs.base import ClockedWorld, Observations
from mirrorenv.errors import ConfigError
from mirrorenv.population.observers import LineupTensors, register_head
from mirrorenv.population.observers.gru import GRUHead
from mirrorenv.population.settings import ObserverSettings, PopulationShape

TEAMS = np.array([0, 0, 1, 1])  # (N,) team of each agent
SIGNS = (1, 2)  # columns of an observation: the first team's sign, the second's


class TwoTeams(ClockedWorld):
    """Two teams of two harvest a rich field and a poor one; a field's harvest is shared by those
    who stand there.

    ## Description
    In each step every agent goes to one of two fields. A field that is visited gives its whole
    harvest, in equal shares to those who are there. As it is, a team that splits up earns more than
    one that goes to the rich field together, whatever the other does, and who goes where is the
    same. Each team has a sign of its own, drawn by chance for each episode, which its members see
    and which means nothing.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | time left | 1 | float32 | 0 to 1 | share of the episode |
    | the first team's sign, for its members | 1 | float32 | -1 or 1; 0 for others | |
    | the second team's sign, for its members | 1 | float32 | -1 or 1; 0 for others | |

    ## Action
    `Discrete(2)`: 0 the rich field, 1 the poor one.

    ## Reward
    What one's team harvests in the step minus what the other team does: the game is zero-sum.

    ## Arguments
    `horizon` (8 steps), `poor` (0.5: harvest of the poor field; the rich one gives 1),
    `signs` (True; False: every sign is 1 and tells nothing).

    ## What carries identity, what leaks
    Which columns are not 0 says which team an agent is of, to everybody. Within a team all start
    alike.
    """

    agent_name = "player"

    def __init__(
        self, *, num_envs: int = 1, horizon: int = 8, poor: float = 0.5, signs: bool = True
    ) -> None:
        if not 0 <= poor <= 1:
            raise ConfigError(f"TwoTeams: poor must lie in [0, 1], got {poor}")
        super().__init__(
            num_envs=num_envs,
            num_agents=len(TEAMS),
            horizon=horizon,
            observation_space=spaces.Box(np.array([0, -1, -1], np.float32), np.ones(3, np.float32)),
            action_space=spaces.Discrete(2),
        )
        self.poor = float(poor)
        self.with_signs = bool(signs)
        self.signs = np.zeros((self.num_envs, 2))  # (B, team) -1 or 1

    def _start(self) -> None:
        signs = 2.0 * self.random.integers(2, (2,)) - 1.0
        self.signs = signs if self.with_signs else np.ones_like(signs)

    def _advance(
        self, actions: npt.NDArray[Any], live: npt.NDArray[np.bool_]
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_] | None]:
        return margins(actions, self.poor), None

    def _observe(self) -> Observations:
        own = TEAMS[:, None] == np.arange(2)  # (N, team)
        shown = np.where(own, self.signs[:, None], 0.0)  # (B, N, team)
        return np.concatenate([self._time_left(), shown], axis=2).astype(np.float32)


def harvests(fields: npt.NDArray[Any], poor: float) -> npt.NDArray[np.float64]:
    """(B, N) harvest of each agent from the (B, N) fields they go to."""
    # (B, N) in the same field, oneself included
    there = (fields[:, :, None] == fields[:, None]).sum(axis=2)
    return np.where(fields == 0, 1.0, poor) / there


def margins(fields: npt.NDArray[Any], poor: float) -> npt.NDArray[np.float64]:
    """(B, N) harvest of the own team minus that of the other one."""
    sign = np.where(TEAMS[:, None] == TEAMS, 1.0, -1.0)  # (N, N)
    return harvests(fields, poor) @ sign


class _SignHead(GRUHead):
    """A GRU over observation and action, that sees the signs its observer may see."""

    sees: Tensor  # (J, 1, F)

    def __init__(
        self,
        shape: PopulationShape,
        settings: ObserverSettings,
        trunk_width: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__(shape, settings, trunk_width, generator)
        sees = torch.ones(shape.num_agents, 1, self.features)
        if not self.everything:
            for team, column in enumerate(SIGNS):
                sees[torch.from_numpy(team != TEAMS), :, column] = 0.0
        self.register_buffer("sees", sees)

    everything = False

    def _rows(self, lineup: LineupTensors, hidden: Tensor | None) -> Tensor:
        return super()._rows(lineup, hidden) * self.sees  # (J, T*B*K, F)


@register_head("own_sign")
class OwnSignHead(_SignHead):
    """Reads the sign of its own team and not that of the others."""


@register_head("all_signs")
class AllSignsHead(_SignHead):
    """The same network, and the same cost, reading everything: no privilege."""

    everything = True
