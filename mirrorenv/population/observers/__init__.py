"""Observers: one file here, with one `@register_head(...)` or `@register_baseline(...)`, adds one.

Trained heads stand in this folder, observers that are fitted afterwards in `baselines/`.
"""

from importlib import import_module
from pkgutil import iter_modules

from mirrorenv.population.observers.base import Head, LineupTensors, row_log_belief
from mirrorenv.population.observers.registry import (
    HEADS,
    build_head,
    check_observers,
    check_reads_neighbourhoods,
    find_head,
    register_head,
)

__all__ = [
    "HEADS",
    "Head",
    "LineupTensors",
    "build_head",
    "check_observers",
    "check_reads_neighbourhoods",
    "find_head",
    "register_head",
    "row_log_belief",
]

for _file in iter_modules(__path__):  # every file registers what it holds
    import_module(f"{__name__}.{_file.name}")
