"""What every kernel is, and how one is found by name.

A kernel is taught lessons (from this state, on the way to this goal, that was the next subgoal, and
it scored so much) and asked for the subgoal with the best score.

Shape legend: M lessons, Q queries, V nodes, A answers (nodes, or actions).
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from mirrorenv.errors import unknown_name
from mirrorenv.goals.hindsight import Lessons
from mirrorenv.mirror.arrays import Floats64, Ints64
from mirrorenv.strict import StrictModel

__all__ = ["Answers", "Kernel", "KernelSize", "build_kernel", "known_kernels", "register_kernel"]


class KernelSize(NamedTuple):
    """What a kernel is about."""

    nodes: int
    """V, states and goals."""
    answers: int
    """A, subgoals: V, or the number of actions."""
    seed: int = 0
    """Of initial weights and of the order of lessons."""


class Answers(NamedTuple):
    """What a kernel says to Q queries."""

    subgoals: Ints64
    """(Q,), -1 where it knows nothing."""
    scores: Floats64
    """(Q,) how good they are believed to be; minus infinity where it knows nothing."""


class Kernel(abc.ABC):
    """Remembers subgoals.

    Attributes:
        Settings: the typed settings of this class.
    """

    Settings: ClassVar[type[StrictModel]] = StrictModel

    @abc.abstractmethod
    def learn(self, lessons: Lessons, scores: Floats64) -> None:
        """Be taught.

        Args:
            lessons: M of them.
            scores: (M,) larger is better.
        """

    @abc.abstractmethod
    def infer(self, states: Ints64, goals: Ints64) -> Answers:
        """The best subgoals from states (Q,) to goals (Q,)."""

    def settle(self) -> None:  # noqa: B027, most kernels have nothing to do
        """Called once all lessons of a round were given; who learns from all of them at once does
        it here."""

    @abc.abstractmethod
    def state(self) -> dict[str, npt.NDArray[np.generic]]:
        """Arrays by name: everything `restore` needs to go on bit for bit."""

    @abc.abstractmethod
    def restore(self, state: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """Go on from what `state` gave."""


_KERNELS: dict[str, type[Kernel]] = {}
_HERE = ("table", "linear", "transformer")


def register_kernel(name: str) -> Callable[[type[Kernel]], type[Kernel]]:
    """Class decorator: make a kernel available by name. It is made of a `KernelSize` and its
    `Settings`."""

    def add(made: type[Kernel]) -> type[Kernel]:
        _KERNELS[name] = made
        return made

    return add


def known_kernels() -> tuple[str, ...]:
    """Names of all kernels."""
    return tuple(dict.fromkeys([*_HERE, *_KERNELS]))


def build_kernel(
    name: str, size: KernelSize, options: Mapping[str, JsonValue] | None = None
) -> Kernel:
    """A kernel by name.

    Args:
        name: registered.
        size: what it is about.
        options: of the kernel's `Settings`.

    Raises:
        UnknownNameError: if there is none of that name.
        ConfigError: for an unknown or wrong option.
    """
    if name in _HERE:  # networks need torch, a table does not
        import_module(f"mirrorenv.goals.kernels.{name}")
    if name not in _KERNELS:
        raise unknown_name("kernel", name, known_kernels())
    made: Callable[..., Kernel] = _KERNELS[name]
    settings = _KERNELS[name].Settings.checked(options or {}, f"kernel {name}")
    return made(size, settings)
