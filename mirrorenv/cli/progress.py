"""The progress bar of a training run: the numbers that matter, or plain lines where there is no
terminal."""

from __future__ import annotations

import math
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mirrorenv.cli.waiting import Waiting

if TYPE_CHECKING:
    from mirrorenv.mirror import Estimate
    from mirrorenv.results.runs.evaluation import Evaluation
    from mirrorenv.rllib.run import Progress as RunProgress
    from mirrorenv.rllib.settings import RunSettings

__all__ = ["TrainingDisplay", "whole_iterations"]


def whole_iterations(settings: RunSettings) -> str:
    """Why other steps are taken than were asked for."""
    return f"whole iterations of {settings.learning.episodes_per_iteration} episodes"


class TrainingDisplay:
    """Context manager that shows a run.

    Args:
        settings: the run.
        console: where to draw.
        quiet: draw no bar (a line for each evaluation instead).
        silent: print nothing at all.
    """

    def __init__(
        self, settings: RunSettings, console: Console, *, quiet: bool, silent: bool
    ) -> None:
        from mirrorenv.rllib.run import Progress as RunProgress

        self.settings = settings
        self.console = console
        self.silent = silent
        self.bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            disable=quiet or silent,
        )
        self.task = self.bar.add_task(
            settings.world, total=settings.total_steps, numbers="starting"
        )
        self.waiting = Waiting(f"training {settings.world}", silent, on=console)
        self.progress: RunProgress = RunProgress(self._started, self._iteration, self._evaluation)
        self.planned = 0  # steps, where no episode ends early
        self.measured = ""  # at the last evaluation, which may be some iterations ago
        self.auxiliaries = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.waiting.__exit__(kind, error, trace)
        self.bar.stop()

    def _started(self, planned: int) -> None:
        """Nothing is announced before it is known to be possible."""
        self.planned = planned
        self.bar.update(self.task, total=planned)
        if self.bar.disable and not self.silent:
            asked = f"{planned:,} steps"
            if planned > self.settings.total_steps:
                why = whole_iterations(self.settings)
                asked += f" planned for {self.settings.total_steps:,} asked for ({why})"
            self.console.print(f"training {self.settings.world}: {asked}", soft_wrap=True)
            self.waiting.__enter__()
        self.bar.start()

    def _iteration(self, row: dict[str, Any]) -> None:
        speed = row["env_steps_per_second"]
        self.auxiliaries = _auxiliaries(row)
        numbers = (
            f"return {_short(row['return'])}  mirror {_short(row['mirror_return'])}  "
            f"{self.auxiliaries}{speed:,.0f} steps/s"
        )
        done = row["env_steps"]
        self.bar.update(self.task, completed=done, numbers=f"{numbers}{self.measured}")
        self.waiting.update(f"{done:>10,} steps  {numbers}{self.measured}")

    def _evaluation(self, found: Evaluation) -> None:
        learned = found.learned
        shown = found.lineup_size or 1
        ceiling = math.log(shown)
        recognition = (
            f"top-1 {_value(learned.top1)} (chance {1 / shown:.2f})  nats "
            f"{_value(learned.information)}/{_value(found.limit.information)} (max {ceiling:.2f})  "
        )
        self.measured = f"  at {found.env_steps or 0:,}: {recognition.rstrip()}"
        self.bar.update(self.task, numbers=recognition)
        if self.bar.disable and not self.silent:
            self.console.print(
                f"{found.env_steps or 0:>10,} steps  {recognition}return "
                f"{_value(found.environment_return)}  {self.auxiliaries}".rstrip(),
                soft_wrap=True,
                highlight=False,
            )
        if found.iteration == 0 and not self.silent and self.settings.evaluation.checkpoints > 1:
            self.console.print(
                f"{'':>10}       figures before the last rest on {found.episodes} episodes: until "
                "there is more to know they lie on either side of chance",
                soft_wrap=True,
                highlight=False,
            )


def _auxiliaries(row: dict[str, Any]) -> str:
    """The headline of every auxiliary."""
    from mirrorenv.results.runs.record import headlines

    shown = (f"{key.replace('/', ' ')} {_short(row[key])}  " for key in headlines(row))
    return "".join(shown)


def _value(found: Estimate | None) -> str:
    return _short(None if found is None else found.value)


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
