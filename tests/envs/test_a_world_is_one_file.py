"""A world that comes from outside in one file passes all that a world of the package passes."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import mirrorenv
from mirrorenv.envs import discovery, play_episodes, worlds
from mirrorenv.envs.audit import audit
from mirrorenv.envs.checks import Patience, check_environment
from mirrorenv.envs.checks.validation import validated
from mirrorenv.envs.drawing.film import watch
from mirrorenv.envs.world_spec import WORLDS
from tests.envs import test_pictures, test_world_contract
from tests.envs.world_cases import Case

PARCELS = '''
"""Parcels on a ring."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from mirrorenv.envs import ClockedWorld, register
from mirrorenv.envs.drawing.canvas import Canvas, agent_colour, spread


class Parcels(ClockedWorld):
    """Carriers walk around a ring; whoever passes the depot is paid.

    ## Description
    A ring of 8 cells, the depot in cell 0. Carriers start in cells drawn independently.

    ## Agents
    ``num_agents`` carriers.

    ## Observation
    | part | shape | dtype | range | unit |
    |---|---|---|---|---|
    | own cell | 8 | float32 | 0 or 1 | one-hot |

    ## Action
    ``Discrete(2)``: 0 stay, 1 walk on.

    ## Reward
    1 for each arrival at the depot.

    ## Episode end
    Truncated after ``horizon`` steps.

    ## Arguments
    ``num_agents`` (3), ``horizon`` (12 steps).

    ## What carries identity, what leaks
    The walk. No leak is known.

    ## Version history
    v0: first version.
    """

    agent_name = "carrier"
    agent_state = ("cells",)
    render_modes = ("rgb_array",)

    def __init__(self, *, num_envs: int = 1, num_agents: int = 3, horizon: int = 12) -> None:
        super().__init__(
            num_envs=num_envs,
            num_agents=num_agents,
            horizon=horizon,
            observation_space=spaces.Box(0.0, 1.0, (8,)),
            action_space=spaces.Discrete(2),
        )

    def _start(self):
        self.cells = self.random.integers(8, (self.num_agents,))  # (B, N)

    def _advance(self, actions, live):
        moves = (actions == 1) & live[:, None]  # (B, N)
        self.cells = (self.cells + moves) % 8
        return (moves & (self.cells == 0)).astype(np.float32), None

    def _observe(self):
        return np.eye(8, dtype=np.float32)[self.cells]  # (B, N, 8)

    def state(self):
        """(B, N + 1) float32: cells, time left."""
        return np.concatenate([self.cells / 8, self._time_left()[:, 0]], axis=1).astype(np.float32)

    def render(self, index=0):
        """Carriers around the ring."""
        canvas = Canvas(200, 200)
        shifts = 14 * spread(self.cells[index])
        for agent, cell in enumerate(self.cells[index]):
            angle = 2 * np.pi * cell / 8
            x, y = 100 + 60 * np.array([np.cos(angle), np.sin(angle)]) + shifts[agent]
            canvas.disc(x, y, 9.0, agent_colour(agent))
        canvas.clock(float(self.clock[index] / self.horizon))
        return canvas.picture()


class Hurry:
    """Everyone walks all the time."""

    def __init__(self, world: Parcels) -> None:
        self._shape = (world.num_envs, world.num_agents)

    def __call__(self, observations, t):
        return np.ones(self._shape, np.int64)


PLAYERS = {"hurry": Hurry}

register(
    "outside/parcels-v0",
    Parcels,
    description="Carriers on a ring.",
    players=f"{__name__}:PLAYERS",
)
'''
PARCELS_CASE = Case("outside/parcels-v0", {})


@pytest.fixture(scope="module", autouse=True)
def parcels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The file lies in a folder of worlds, as one of ours would, and is found there."""
    before = mirrorenv.registry()
    folder = tmp_path_factory.mktemp("worlds")
    (folder / "parcels.py").write_text(PARCELS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(worlds, "__path__", [*worlds.__path__, str(folder)])
        patch.setattr(discovery, "_worlds_loaded", False)
        yield
    sys.modules.pop("mirrorenv.envs.worlds.parcels", None)
    WORLDS.clear()
    WORLDS.update(before)


def contract() -> list[Callable[..., Any]]:
    """The tests that every registered world has to pass."""
    return [
        test
        for name, test in vars(test_world_contract).items()
        if name.startswith("test_") and "case" in inspect.signature(test).parameters
    ]


def test_it_is_drawn() -> None:
    test_pictures.test_every_agent_appears_in_its_colour_even_where_all_are_in_one_place(
        PARCELS_CASE.id
    )
    test_pictures.test_a_picture_is_of_one_row_and_changes_nothing(PARCELS_CASE.id)


def test_it_is_listed_played_and_watched() -> None:
    assert mirrorenv.spec(PARCELS_CASE.id).entry_point == "mirrorenv.envs.worlds.parcels:Parcels"
    world = validated(mirrorenv.make_batch(PARCELS_CASE.id, 1), PARCELS_CASE.id)
    teams = mirrorenv.spec(PARCELS_CASE.id).load_players()
    record = play_episodes(world, teams["hurry"](world), [3])
    assert record.rewards.sum() >= world.num_agents  # twelve steps pass the depot at least once
    frames = list(watch(world, teams["hurry"](world), 3))
    np.testing.assert_allclose(frames[-1].returns, record.rewards[0].sum(axis=0))


def test_the_checker_finds_nothing_wrong() -> None:
    report = check_environment(PARCELS_CASE.id, patience=Patience(replay_seconds=0.1))
    assert report.passed and not report.of("warning"), report.findings


def test_the_audit_finds_no_leak() -> None:
    report = audit(PARCELS_CASE.id, episodes=64, max_draws=499)
    assert not report.leaks and report.agents == ("carrier_0", "carrier_1", "carrier_2")
