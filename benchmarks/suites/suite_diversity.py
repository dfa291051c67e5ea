"""Runner of the suite `diversity`: policies whose distance is set (DiCo style), beside the mirror
reward and neither.

`benchmarks/suites/suite.py diversity` runs it. Rows are runs of the package, as those of the suite
`worlds` are.
"""

from __future__ import annotations

from benchmarks.suites.suite_worlds import trained

RUNNERS = {"trained": trained}
