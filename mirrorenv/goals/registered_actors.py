"""The kind of agent that this room brings; found by :mod:`mirrorenv.population.actors.build`."""

from __future__ import annotations

from mirrorenv.goals.actor import GoalActor

__all__ = ["GoalActor"]
