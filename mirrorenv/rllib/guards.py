"""What keeps an iteration honest: it ends with samples or with an error, never with neither.

With its defaults RLlib 2.60 restarts failed env runners, forgives their failures, and reports an
iteration in which all of them failed like any other (an empty result, no exception).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from mirrorenv.errors import TrainingError

__all__ = ["ATTEMPTS", "until_sampled"]

logger = logging.getLogger(__name__)

Sample = TypeVar("Sample")

ATTEMPTS = 3
"""How often one iteration asks the env runners for samples before training stops with an error."""
_WAIT_SECONDS = 60.0  # for a runner to come back, after each attempt
_LOOK_SECONDS = 0.5


def until_sampled(
    algorithm: Any, sample: Callable[[], Sample | None], *, wait: float = _WAIT_SECONDS
) -> Sample:
    """Ask for samples until there are some, waiting for failed env runners to come back in between.

    Args:
        algorithm: an RLlib `Algorithm`.
        sample: one attempt; None says that nothing arrived.
        wait: seconds to wait for a healthy runner after an attempt.

    Raises:
        TrainingError: if nothing arrived in :data:`ATTEMPTS` attempts.
    """
    for attempt in range(1, ATTEMPTS + 1):
        arrived = sample()
        if arrived is not None:
            return arrived
        runners = algorithm.config.num_env_runners
        logger.warning(
            "iteration %d: no sample arrived from any of %d env runners (attempt %d of %d)",
            algorithm.iteration + 1,
            runners,
            attempt,
            ATTEMPTS,
        )
        if attempt < ATTEMPTS:
            _wait_for_a_runner(algorithm, wait)
    raise TrainingError(
        f"no sample arrived in {ATTEMPTS} attempts at iteration {algorithm.iteration + 1}: "
        f"{algorithm.config.num_env_runners} env runners, "
        f"{algorithm.env_runner_group.num_healthy_remote_workers()} of them healthy. "
        f"Their logs say why; {_world(algorithm)} with 0 env runners raises the error itself."
    )


def _world(algorithm: Any) -> str:
    env = getattr(algorithm.config, "env", None)
    return env if isinstance(env, str) else "the same run"


def _wait_for_a_runner(algorithm: Any, seconds: float) -> None:
    """Until one is healthy; restored runners are given the newest weights."""
    end = time.monotonic() + seconds
    while True:
        algorithm.restore_env_runners(algorithm.env_runner_group)
        if algorithm.env_runner_group.num_healthy_remote_workers() or time.monotonic() > end:
            return
        time.sleep(_LOOK_SECONDS)
