"""Goal agents on the cart pole: the goal is a value, and a curriculum goes on from the best.

Agents wander over cells of the pole's states, count where each action led, and go for what was
worth most on average. A course is some hundred steps of several poles; after each everything is
written down, so that a training that is killed goes on with the same command, bit for bit.

Shapes: B copies, N poles, V nodes, M steps.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from mirrorenv.envs.episodes import moments
from mirrorenv.envs.worlds.cartpole import SCALE, CartPole
from mirrorenv.errors import ConfigError
from mirrorenv.goals.values import Cells, Outcomes
from mirrorenv.mirror.arrays import Floats32, Floats64, Ints64
from mirrorenv.results.runs.files import atomic_write_bytes, read_bytes
from mirrorenv.strict import StrictModel

__all__ = ["Balancer", "PoleSettings", "train_poles"]

_STATE = "curriculum.npz"
_BORDERS = (
    (-1.2, -0.4, 0.4, 1.2),  # lengths
    (-0.6, -0.2, 0.2, 0.6),  # lengths a second
    tuple(math.radians(angle) for angle in (-6, -3, -1, 0, 1, 3, 6)),
    tuple(math.radians(spin) for spin in (-50, -25, -8, 8, 25, 50)),  # a second
)


class PoleSettings(StrictModel):
    """Settings of goal agents on the cart pole."""

    steps: int = Field(default=100_000, ge=1)
    """Steps of single poles to learn from."""
    course_steps: int = Field(default=5000, ge=1)
    """Steps of a course."""
    poles: int = Field(default=8, ge=2)
    """Poles that are played at once."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Curriculum: the share of a course's episodes, the longest, that is learned from. 1: all."""
    levels: Literal[1, 2] = 1
    """1: the action whose outcomes are worth most on average. 2: an upper level asks for the next
    place that is worth most, and the lower infers the action that leads there."""
    gamma: float = Field(default=0.99, gt=0, lt=1)
    """Discount of a step."""
    curiosity: float = Field(default=0.5, ge=0)
    """What an action never tried is taken to be worth, as a share of the most that is possible."""
    wander: float = Field(default=0.2, ge=0, le=1)
    """Share of random actions while it learns."""
    seed: int = Field(default=0, ge=0)
    """Of everything drawn."""


class Course(NamedTuple):
    """Steps of some poles, those of an episode in order."""

    episodes: Ints64
    """(M,) which pole took the step."""
    here: Ints64
    """(M,) nodes."""
    actions: Ints64
    """(M,)."""
    there: Ints64
    """(M,) nodes."""
    fell: Ints64
    """(M,) 1 where the step ended an episode by falling."""

    def best(self, share: float) -> Course:
        """The steps of the share of episodes that lasted longest."""
        lasted = np.bincount(self.episodes)
        kept = np.argsort(-lasted, kind="stable")[: max(1, round(share * len(lasted)))]
        chosen = np.isin(self.episodes, kept)
        return Course(*(part[chosen] for part in self))


class Balancer:
    """An agent that balances by what places are worth.

    Args:
        settings: of the agent.
    """

    def __init__(self, settings: PoleSettings) -> None:
        self.settings = settings
        self.cells = Cells(_BORDERS)
        self.outcomes = Outcomes(self.cells.nodes, 2, settings.gamma, settings.curiosity)
        self.steps = 0
        """Learned from so far."""
        self.courses = 0

    # -- acting ------------------------------------------------------------------------------------

    def policy(self, rng: np.random.Generator, wander: float = 0.0) -> Callable[..., Ints64]:
        """How it acts with what it knows now.

        Args:
            rng: decides between actions that are worth the same.
            wander: share of random actions.
        """
        worth = self.outcomes.by_action()  # (V, A)
        aims = self.outcomes.subgoals() if self.settings.levels == 2 else None

        def act(observations: Floats32, t: int) -> Ints64:
            here = self._places(observations)  # (B, N)
            found = worth[here]
            best = (found + 1e-9 * rng.random(found.shape)).argmax(-1)
            if aims is not None:
                lower = self.outcomes.sub_actions(here.ravel(), aims[here.ravel()])
                best = np.where(lower.reshape(here.shape) < 0, best, lower.reshape(here.shape))
            drawn = rng.integers(2, size=here.shape)
            return np.where(rng.random(here.shape) < wander, drawn, best)

        return act

    def _places(self, observations: Floats32) -> Ints64:
        return self.cells.index(observations.astype(np.float64) * SCALE)

    def lasts(self, episodes: int = 100, seed: int = 0) -> Floats64:
        """(episodes,) steps upright, at most 500, without wandering, from starts of their own.

        Args:
            episodes: how many; poles are played two and two.
            seed: of the starts.
        """
        world = CartPole(num_envs=(episodes + 1) // 2, num_agents=2, start="own")
        start = world.reset(np.arange(world.num_envs) + 1_000_003 * (seed + 1))
        lasted = np.zeros((world.num_envs, 2))
        for moment in moments(world, self.policy(np.random.default_rng(seed)), start):
            lasted += moment.live
        return lasted.ravel()[:episodes]

    # -- learning ----------------------------------------------------------------------------------

    def course(self) -> None:
        """Play poles with what is known, and learn from them."""
        settings = self.settings
        rng = np.random.default_rng([settings.seed, self.courses])
        limit = min(settings.course_steps, settings.steps - self.steps)
        played = self._play(rng, limit)
        self.steps += len(played.here)
        self.courses += 1
        kept = played.best(settings.share)
        self.outcomes.learn(kept.here, kept.actions, kept.there, kept.fell.astype(bool))

    def _play(self, rng: np.random.Generator, limit: int) -> Course:
        world = CartPole(num_envs=(self.settings.poles + 1) // 2, num_agents=2, start="own")
        first = (self.settings.seed * 100_003 + self.courses) * world.num_envs
        start = world.reset(first + np.arange(world.num_envs))
        rows: list[Ints64] = []
        left = limit
        for moment in moments(world, self.policy(rng, self.settings.wander), start):
            live = moment.live.ravel()
            step = np.stack(
                [
                    np.arange(live.size),
                    self._places(moment.observations).ravel(),
                    moment.actions.ravel(),
                    self._places(moment.step.observations).ravel(),
                    moment.step.terminated.ravel(),
                ]
            )[:, live][:, :left]  # (5, live poles)
            rows.append(step)
            left -= step.shape[1]
            if not left:
                break
        return Course(*np.concatenate(rows, axis=1))

    # -- going on ----------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write everything down, whole or not at all.

        Args:
            folder: one of its own.
        """
        packed = io.BytesIO()
        words = np.frombuffer(self.settings.model_dump_json().encode(), np.uint8)
        done = np.array([self.steps, self.courses])
        learned: dict[str, Any] = self.outcomes.state()
        np.savez(packed, settings=words, done=done, **learned)
        atomic_write_bytes(folder / _STATE, packed.getvalue())

    def resume(self, folder: Path) -> bool:
        """Go on from what `save` wrote; False if nothing is there.

        Args:
            folder: given to `save`.

        Raises:
            ConfigError: if it is the curriculum of other settings, or damaged.
        """
        if not (folder / _STATE).exists():
            return False
        try:
            found = np.load(io.BytesIO(read_bytes(folder / _STATE)), allow_pickle=False)
            state: dict[str, Any] = {name: found[name] for name in found.files}
            settings = PoleSettings.model_validate_json(state["settings"].tobytes())
            self.steps, self.courses = state["done"].tolist()
            self.outcomes.restore(state)
        except (ValueError, KeyError, OSError, EOFError) as error:
            raise ConfigError(
                f"{folder / _STATE} is no curriculum that can go on ({error}): move it away to "
                "begin again"
            ) from None
        if settings != self.settings:
            differing = [
                name
                for name, value in settings.model_dump().items()
                if value != getattr(self.settings, name)
            ]
            raise ConfigError(
                f"{folder} holds a curriculum with other settings ({', '.join(differing)}): give "
                "those, or another folder"
            )
        return True


def train_poles(
    settings: PoleSettings, folder: Path | None = None, say: Callable[[str], None] = print
) -> Balancer:
    """Train from where the folder's curriculum stands.

    Args:
        settings: of the agent.
        folder: where every course is written down; None: nowhere.
        say: is told where it stands.

    Raises:
        ConfigError: if the folder holds a curriculum of other settings, or a damaged one.
    """
    agent = Balancer(settings)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        if agent.resume(folder):
            say(
                f"goes on after course {agent.courses}: {agent.steps:,} of {settings.steps:,} "
                "steps were done"
            )
    while agent.steps < settings.steps:
        agent.course()
        if folder is not None:
            agent.save(folder)
        say(f"course {agent.courses}: {agent.steps:,} of {settings.steps:,} steps")
    return agent
