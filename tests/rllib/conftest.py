"""One Ray instance for all tests of the room."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import ray


@pytest.fixture(scope="session", autouse=True)
def local_ray() -> Iterator[None]:
    # Ray's actors run at low priority: on a busy machine they would wait longer than a test may
    # take.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  (Ray spells it so)
    ray.init(
        address="local",
        num_cpus=8,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    yield
    ray.shutdown()
