"""How the tests are dealt out to processes: `make test` uses all cores.

A file stays in one process, so that what its tests share is made once. Whatever starts Ray stays in
one process too: two Rays that start at once, on a machine with few cores, time out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrorenv import named_code

TESTS = Path(__file__).resolve().parent
# Besides the room of RLlib and what is marked: these train by a command, or play a suite on Ray.
WITH_RAY = {"test_cli.py", "test_cli_mistakes.py", "test_suite.py", "test_suite_worlds.py"}


# What takes longest begins first, so that no core is idle in the end; "ray" is all that starts Ray.
LONGEST_FIRST = (
    "ray",
    "doors/test_doors.py",
    "complexity/test_learning_coefficient.py",
    "envs/checker/test_checker_finds_faults.py",
    "envs/audit/test_every_world.py",
    "debate/test_tournament.py",
    "preference/test_training.py",
)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.pluginmanager.hasplugin("xdist"):
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    places = {group: place for place, group in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(_group(item), len(places)))


@pytest.fixture(autouse=True)
def code_named_by_one_test_is_not_named_for_the_next() -> Iterator[None]:
    """What a command line names stays named as long as its process lives; here many share one."""
    before = set(named_code._NAMED)
    yield
    named_code._NAMED.intersection_update(before)


def _group(item: pytest.Item) -> str:
    path = item.path.relative_to(TESTS)
    ray = path.parts[0] == "rllib" or path.name in WITH_RAY or item.get_closest_marker("ray")
    return "ray" if ray else path.as_posix()
