"""A strict multi-agent checker for any PettingZoo environment and for every registered world.

One function for each check, in the files `checks_*.py`. Importing this package registers them, in
the order below.
"""

from __future__ import annotations

from mirrorenv.envs.checks import (  # isort: skip  (the order in which the checks run)
    checks_spaces,
    checks_answers,
    checks_agents,
    checks_buffers,
    checks_repeating,
    checks_bounds,
    checks_batch,
)
from mirrorenv.envs.checks.findings import Finding, Opinion, Played, Report, Seen, Severity
from mirrorenv.envs.checks.registry import CHECKS, Check, check
from mirrorenv.envs.checks.runner import check_environment
from mirrorenv.envs.checks.session import Patience

__all__ = [
    "CHECKS",
    "Check",
    "Finding",
    "Opinion",
    "Patience",
    "Played",
    "Report",
    "Seen",
    "Severity",
    "check",
    "check_environment",
    "checks_agents",
    "checks_answers",
    "checks_batch",
    "checks_bounds",
    "checks_buffers",
    "checks_repeating",
    "checks_spaces",
]
