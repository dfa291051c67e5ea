"""Runners of the suite ``labour``: rows of the suite ``worlds`` on new seeds.

`benchmarks/suite.py labour` runs them.
"""

from __future__ import annotations

from suite_worlds import trained

RUNNERS = {"trained": trained}
