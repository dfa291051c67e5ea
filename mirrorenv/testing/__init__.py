"""For those who test checkers, trainers and adapters: environments whose faults are known by
name."""

from __future__ import annotations

from mirrorenv.testing.faults import FAULTS, Fault, Flawless

__all__ = ["FAULTS", "Fault", "Flawless"]
