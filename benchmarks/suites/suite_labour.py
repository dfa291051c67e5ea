"""Runners of the suite `labour`: rows of the suite `worlds` on new seeds.

`benchmarks/suites/suite.py labour` runs them.
"""

from __future__ import annotations

from benchmarks.suites.suite_worlds import trained

RUNNERS = {"trained": trained}
