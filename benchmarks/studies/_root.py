"""Puts the project's root on the path: the one import that a script makes for its own sake.

`python benchmarks/studies/x.py` lets Python look in the script's own shelf and nowhere else, and
nothing under `benchmarks` is installed. With the root on the path a script says where a shared
piece lives (`from benchmarks.shared.runner import ...`, `from tests.faults import ...`). Every
shelf has this very file; a test compares them.
"""

import sys
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
if ROOT not in sys.path:
    sys.path.insert(0, ROOT)
