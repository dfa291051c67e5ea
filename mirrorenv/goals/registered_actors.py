"""The kind of agent that this room brings, and what a report tells of it; found by
:mod:`mirrorenv.population.actors.build`."""

from __future__ import annotations

from mirrorenv.goals.actor import GoalActor
from mirrorenv.goals.picture import accounts_of

__all__ = ["GoalActor", "accounts_of"]
