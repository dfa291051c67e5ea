"""The small training runs that faults are injected into, and what is heard of them."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mirrorenv.errors import MirrorError
from tests.faults.differences import differences
from tests.faults.judging import ITERATIONS, Happening, status

__all__ = ["attempt", "attempt_again", "cut_run", "listening", "small_run", "trouble_run"]


def small_run(*changes: str, world: str = "mirrorenv.testing.flawless:Flawless") -> Any:
    """`RunSettings` of a run of four iterations of 8 episodes of 8 steps."""
    from mirrorenv.rllib.settings import load_settings

    small = [
        f"total_steps={ITERATIONS * 64}",
        "learning.episodes_per_iteration=8",
        "learning.minibatch_episodes=8",
        "learning.epochs=1",
        "evaluation.episodes=8",
        "evaluation.checkpoints=2",
        "evaluation.baselines=false",
    ]
    return load_settings(world, (), [*small, *changes])


def trouble_run(what: str, *changes: str) -> Any:
    """`small_run` in :class:`~tests.faults.trouble.Trouble`."""
    return small_run(f"world_options.what={what!r}", *changes, world="tests.faults.trouble:Trouble")


def attempt(settings: Any, path: Path, **options: Any) -> Happening:
    """Train in this process and catch what it says.

    Args:
        settings: `RunSettings`.
        path: the run folder.
        **options: of `mirrorenv.rllib.train`.
    """
    from mirrorenv.rllib.run import train

    happening = Happening(path)
    with listening() as said:
        try:
            train(settings, path, **options)
        except Exception as error:
            happening.error = str(error) or type(error).__name__
            happening.typed = isinstance(error, MirrorError)
    happening.said, happening.claims = "\n".join(said), status(path)
    return happening


class _PowerCut(BaseException):
    """Ends a run at once."""


def cut_run(path: Path) -> Any:
    """Train `small_run` and cut it in its third iteration, one after its second checkpoint; its
    settings."""
    from mirrorenv.rllib.run import Progress, train

    def cut(row: dict[str, Any]) -> None:
        if row["iteration"] == 3:
            raise _PowerCut

    settings = small_run()
    with suppress(_PowerCut):
        train(settings, path, progress=Progress(iteration=cut))
    return settings


def attempt_again(settings: Any, path: Path) -> Happening:
    """`attempt`; the run must then be that of an uninterrupted one, bit for bit."""
    happening = attempt(settings, path)
    if not happening.error:
        whole = path.with_name("whole")
        attempt(settings, whole)
        happening.problem = "; ".join(differences(path, whole, report=False))
    return happening


@contextmanager
def listening() -> Iterator[list[str]]:
    """What is logged and warned of meanwhile, line by line."""
    said: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            said.append(record.getMessage())

    ear, logger = Ear(logging.WARNING), logging.getLogger("mirrorenv")
    logger.addHandler(ear)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.showwarning = lambda message, *_, **__: said.append(str(message))
            yield said
    finally:
        logger.removeHandler(ear)
