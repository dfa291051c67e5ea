"""What a run needs of whoever trains: Ray's processes, or this one alone."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from mirrorenv.population.population import Population

__all__ = ["AGAIN", "Iterated", "Trainer"]

AGAIN = "The same command goes on from the last checkpoint"
"""What messages of a run that stopped end with."""


class Iterated(NamedTuple):
    """What one iteration reports."""

    episode_return: float
    """Mean over episodes and agents of the world's reward."""
    mirror_return: float
    """Mean over episodes and agents of what was paid beside it."""
    mirror_weight: float
    """The weight of the latter."""
    metrics: dict[str, float]
    """Of the objectives, means over minibatches."""


class Trainer(Protocol):
    """Trains a population, one iteration a call."""

    @property
    def population(self) -> Population:
        """With the newest weights."""
        ...

    @property
    def iteration(self) -> int:
        """Iterations done."""
        ...

    @property
    def steps_done(self) -> int:
        """Environment steps sampled so far."""
        ...

    def iterate(self) -> Iterated:
        """One iteration."""
        ...

    def get_state(self) -> dict[str, Any]:
        """All that is needed to go on: dicts, lists, tuples, numbers, strings and arrays."""
        ...

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        ...

    def stop(self) -> None:
        """Release what is held."""
        ...
