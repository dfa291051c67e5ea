"""Environments that are broken on purpose, one fault each: `FAULTS` lists them.

Each bears the name of the check in :mod:`mirrorenv.envs.checks` that finds it; its docstring says
what is wrong. The files `faults_of_*.py` of this folder are found by themselves.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from mirrorenv.testing.flawless import FAULTS, Fault, Flawless

__all__ = ["FAULTS", "Fault", "Flawless"]

for _file in iter_modules([str(Path(__file__).parent)], "mirrorenv.testing."):
    if _file.name.startswith("mirrorenv.testing.faults_of_"):
        import_module(_file.name)
