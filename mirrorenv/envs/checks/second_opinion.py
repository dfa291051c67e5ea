"""PettingZoo's own tests, asked for a second opinion.

They are weaker: as of 1.27 `parallel_api_test` accepts NaN rewards and observations outside their
space, and `parallel_seed_test` plays one step. What they say is reported and decides nothing.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Callable

from mirrorenv.envs.checks.findings import Opinion
from mirrorenv.envs.checks.session import Hang, time_limit
from mirrorenv.envs.checks.subject import Subject

__all__ = ["second_opinions"]

_CYCLES = 200


def second_opinions(subject: Subject, seconds: float) -> tuple[Opinion, ...]:
    """What PettingZoo's tests say; each may take so many seconds.

    Args:
        subject: what is tested.
        seconds: allowed for each test.
    """
    # here, since their tests load pytest and pygame, and every validated world loads this package
    from pettingzoo.test import parallel_api_test, parallel_seed_test

    tests: dict[str, Callable[[], None]] = {
        "parallel_api_test": lambda: parallel_api_test(subject.make(), num_cycles=_CYCLES),
        "parallel_seed_test": lambda: parallel_seed_test(subject.make, num_cycles=_CYCLES),
    }
    return tuple(_ask(name, test, seconds) for name, test in tests.items())


def _ask(name: str, test: Callable[[], None], seconds: float) -> Opinion:
    """Run one test; it prints and warns, which is caught."""
    with warnings.catch_warnings(record=True) as said, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        try:
            with time_limit(seconds):
                test()
        except Hang:
            return Opinion(name, None, f"not finished after {seconds:g} seconds")
        except AssertionError as error:
            return Opinion(name, False, str(error) or "an assertion without words failed")
        except Exception as error:  # the environment's, or the test's own
            return Opinion(name, False, f"{type(error).__name__}: {error}")
    messages = dict.fromkeys(str(warning.message) for warning in said)  # each once, in order
    return Opinion(name, True, "; ".join(messages))
