"""Environments that are broken on purpose, one fault each: ``FAULTS`` lists them.

Each bears the name of the check in :mod:`mirrorenv.envs.checks` that finds it; its docstring says
what is wrong.
"""

from __future__ import annotations

from mirrorenv.testing import faults_of_agents, faults_of_bounds, faults_of_state, faults_of_values
from mirrorenv.testing.flawless import FAULTS, Fault, Flawless

__all__ = [
    "FAULTS",
    "Fault",
    "Flawless",
    "faults_of_agents",
    "faults_of_bounds",
    "faults_of_state",
    "faults_of_values",
]
