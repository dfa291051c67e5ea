"""A world under a watch: an exception or a step that never returns becomes an error that names
world and step."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import numpy as np

from mirrorenv.envs.base import Actions, ArrayWorld, Observations, Step
from mirrorenv.envs.random import Seeds
from mirrorenv.envs.wrapper import WorldWrapper
from mirrorenv.errors import MirrorError, WorldError
from mirrorenv.mirror.arrays import AnyArray

__all__ = ["WatchedWorld"]

_GRACE = 10.0  # seconds between the polite way to stop a step and the other one
_LOOKS = 20  # looks in one timeout
_LAST = 4  # timeouts until the last resort


class WatchedWorld(WorldWrapper):
    """A world whose every call is timed.

    A call that takes longer than `seconds` is interrupted and raises WorldError. Python code,
    sleeping and waiting can be interrupted; native code that never returns to Python cannot, and
    nor can a thread that is not the main one: then the process ends itself with exit code 1, after
    the message and the stack are on standard error.

    Args:
        world: the world.
        name: what messages call it.
        seconds: for one `reset` or `step` of the whole batch; 0 waits for ever.
    """

    def __init__(self, world: ArrayWorld, name: str, seconds: float) -> None:
        super().__init__(world)
        self._name = name
        self._seconds = seconds
        self._steps = 0
        self._seeds: AnyArray = np.zeros(0, np.uint64)

    def reset(self, seeds: Seeds) -> Observations:
        """The world's `reset`.

        Raises:
            WorldError: if it raises anything, or takes too long.
        """
        self._steps = 0
        self._seeds = np.asarray(seeds)
        with self._watched("reset(seeds)"):
            return self.world.reset(seeds)

    def step(self, actions: Actions) -> Step:
        """The world's `step`.

        Raises:
            WorldError: if it raises anything, or takes too long.
        """
        self._steps += 1
        with self._watched("step(actions)"):
            return self.world.step(actions)

    @contextmanager
    def _watched(self, call: str) -> Iterator[None]:
        if self._seconds:
            _WATCH.start(self._seconds, lambda: self._late(call))
        try:
            yield
        except WorldError as error:
            if "`mirrorenv check" in str(error):
                raise
            raise WorldError(f"{str(error).rstrip('.')}. {self._check()}") from error
        except MirrorError:
            raise
        except _TooLong as late:
            raise WorldError(f"{self._late(call)}{late}. {_REMEDY}") from None
        except Exception as error:
            raise WorldError(
                f"{self._where()}: {call} raised {type(error).__name__}: {error}. {self._check()}"
            ) from error
        finally:
            _WATCH.stop()

    def _check(self) -> str:
        return f"`mirrorenv check {self._name}` looks for the cause."

    def _late(self, call: str) -> str:
        return f"{self._where()}: {call} did not return within {self._seconds:g} s"

    def _where(self) -> str:
        seeds = (
            f"{self._seeds[0]} to {self._seeds[-1]}"
            if len(self._seeds) > 1
            else f"{self._seeds[0]}"
        )
        return (
            f"{self._name}, seeds {seeds}, step {self._steps}, all agents ({self.agents[0]} to "
            f"{self.agents[-1]})"
        )


_REMEDY = "If it is only slow, raise resources.step_timeout; else look at that line"


class _TooLong(BaseException):
    """Raised into a late call. No Exception, so that no environment takes it for one of its own."""


class _Watch:
    """One thread in each process that looks, now and then, whether the call under way is still the
    same.

    It counts its looks and not the seconds, so that a process that was stopped for a while (Ctrl-Z,
    a debugger) has not missed anything.
    """

    def __init__(self) -> None:
        self._call: object | None = None  # the call under way
        self._seconds = 0.0
        self._describe: Callable[[], str] = str
        self._owner = 0  # ident of the thread whose call it is
        self._sent = 0  # signals of ours that have not arrived yet
        self._late: object | None = None  # the call that was interrupted
        self._previous: Any = None  # who had the signal before us
        self._process = 0
        self._profiling = False  # whether the last resort is set

    def start(self, seconds: float, describe: Callable[[], str]) -> None:
        self._describe = describe
        self._seconds = seconds
        self._owner = threading.get_ident()
        if self._process != os.getpid():
            self._hire()
        self._call = object()

    def stop(self) -> None:
        self._call = self._late = None

    def _hire(self) -> None:
        """A thread and, where it can be had, a signal: once in a process, and again after a
        fork."""
        self._process = os.getpid()
        self._previous = None
        if hasattr(signal, "SIGUSR2") and threading.current_thread() is threading.main_thread():
            self._previous = signal.signal(signal.SIGUSR2, self._interrupt)
            self._profiling = (
                sys.__stderr__ is not None and signal.getsignal(signal.SIGPROF) == signal.SIG_DFL
            )
            if self._profiling:  # the stack first, then the default, which ends the process
                faulthandler.register(
                    signal.SIGPROF, file=sys.__stderr__ or 2, all_threads=False, chain=True
                )
        self._set_last_resort()
        threading.Thread(target=self._look, name="mirrorenv-watch", daemon=True).start()

    def _look(self) -> None:
        seen: object | None = None
        waited = 0.0
        while True:
            pause = min(1.0, max(0.01, self._seconds / _LOOKS))
            time.sleep(pause)
            call = self._call
            self._set_last_resort()
            waited = waited + pause if call is not None and call is seen else 0.0
            seen = call
            patience = self._seconds if self._late is not call else min(_GRACE, self._seconds)
            if call is None or waited < patience:
                continue
            interruptible = (
                self._owner == threading.main_thread().ident and self._previous is not None
            )
            if not interruptible or self._late is call:
                self._end()
            self._late = call
            waited = 0.0
            self._sent += 1
            signal.pthread_kill(self._owner, signal.SIGUSR2)

    def _set_last_resort(self) -> None:
        """A call that holds the interpreter stops this thread too: then the kernel's timer ends the
        process.

        The timer counts processor time, so that a process that is stopped loses none, and is set
        again in every look.
        """
        if self._profiling:
            signal.setitimer(signal.ITIMER_PROF, max(1.0, _LAST * self._seconds))

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._sent:  # ours; if the call has returned meanwhile, all is well
            self._sent -= 1
            if self._late is not None and self._late is self._call:
                at = (
                    f", at {frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"
                    if frame
                    else ""
                )
                raise _TooLong(at)
        elif callable(self._previous):
            self._previous(number, frame)
        elif self._previous == signal.SIG_DFL:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)

    def _end(self) -> None:
        """The call cannot be interrupted: say so and end the process."""
        with suppress(Exception):
            print(
                f"error: {self._describe()} and cannot be interrupted. {_REMEDY}.",
                file=sys.__stderr__,
                flush=True,
            )
            faulthandler.dump_traceback(file=sys.__stderr__ or 2, all_threads=True)
        os._exit(1)


_WATCH = _Watch()
