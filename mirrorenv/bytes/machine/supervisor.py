"""Runs programs in a child process, and outlives whatever they do to it.

A child that dies, hangs or grows is killed and replaced. What it was working on is then tried
program by program, and the one that does it again is void: it counts for nothing, and that is said
(`Machine.lost`).
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
import select
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import mirrorenv
from mirrorenv.bytes.machine.execution import VOID, Limits
from mirrorenv.bytes.machine.instruction_sets import instruction_set as named_set
from mirrorenv.bytes.machine.kernel import KernelState, fresh_state
from mirrorenv.bytes.machine.wire import Result, read_message, to_result, write_message
from mirrorenv.errors import ConfigError, WorldError, require

__all__ = ["Machine"]

logger = logging.getLogger(__name__)

_START_S = 60.0
_BATCH = 256
_PAGES = os.sysconf("SC_PAGE_SIZE")


class Machine:
    """Executes programs, each on the state of a kernel. Use it as a context manager.

    Args:
        limits: of each program.
        cache: how many results are kept by program and state; 0 keeps none.
        patience: seconds that a batch of 256 programs may take before the child counts as hung.
        memory: bytes of address space of the child.
        grown: bytes of resident memory from which on a child is replaced between two batches.
        confine: whether the child gives up all system calls but a few; only a test switches it off.
        instruction_set: which language programs are in, by name.

    Raises:
        UnknownNameError: if there is no such instruction set.
        MissingExtraError: if unicorn or capstone is not installed.
        WorldError: if no child comes up.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        cache: int = 100_000,
        patience: float = 30.0,
        memory: int = 4 << 30,
        grown: int = 512 << 20,
        confine: bool = True,
        instruction_set: str = "x86-64",
    ) -> None:
        require("unicorn", "bytes")
        require("capstone", "bytes")
        self.limits = limits or Limits()
        self.instruction_set = named_set(instruction_set).name
        self.patience = patience
        self.grown = grown
        self._options = {
            "limits": vars(self.limits),
            "memory": memory,
            "confine": confine,
            "instruction_set": self.instruction_set,
        }
        self._cache: OrderedDict[bytes, Result] = OrderedDict()
        self._cache_size = cache
        self._child: subprocess.Popen[bytes] | None = None
        self.started = 0
        """How many children were started."""
        self.lost = 0
        """How many programs ended their child and are void."""
        self.confined = False
        """Whether the child's allow-list of system calls is in force."""
        self._start()

    def run(
        self, programs: Sequence[bytes], states: Sequence[KernelState] | None = None
    ) -> list[Result]:
        """Execute programs.

        Args:
            programs: each of 1 to `limits.program_bytes` bytes.
            states: a kernel for each, not changed; fresh ones if not given.

        Returns:
            for each what became of it, and the kernel after it. A void program leaves its kernel as
            it was.

        Raises:
            ConfigError: if a program is empty or too long.
        """
        kernels = states if states is not None else [fresh_state() for _ in programs]
        for program in programs:
            if not 1 <= len(program) <= self.limits.program_bytes:
                raise ConfigError(
                    f"a program of {len(program)} bytes: between 1 and {self.limits.program_bytes}"
                )
        keys = [_key(p, s) for p, s in zip(programs, kernels, strict=True)]
        waiting = {key: place for place, key in enumerate(keys) if key not in self._cache}
        order = sorted(waiting.values())
        found: dict[bytes, Result] = {}
        for first in range(0, len(order), _BATCH):
            places = order[first : first + _BATCH]
            answers = self._batch([(programs[i], kernels[i]) for i in places])
            found.update(zip([keys[i] for i in places], answers, strict=True))
        results = [found.get(key) or self._cache[key] for key in keys]
        self._remember(found)
        return [(execution, copy.deepcopy(state)) for execution, state in results]

    def close(self) -> None:
        """End the child."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            for pipe in (self._child.stdin, self._child.stdout):
                if pipe is not None:
                    pipe.close()
            self._child = None

    def __enter__(self) -> Self:
        """The machine itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """End the child."""
        self.close()

    # -- batches ----------------------------------------------------------------------------------

    def _batch(self, work: list[tuple[bytes, KernelState]]) -> list[Result]:
        """Results of at most `_BATCH` programs; the guilty one is found by halving."""
        answers = self._ask(work)
        if answers is not None:
            return answers
        if len(work) == 1:
            self.lost += 1
            logger.warning("a program ended its child process and is void: %s", work[0][0].hex())
            return [(VOID, work[0][1])]
        half = len(work) // 2
        return self._batch(work[:half]) + self._batch(work[half:])

    def _ask(self, work: list[tuple[bytes, KernelState]]) -> list[Result] | None:
        """What the child answers; None if it did not, and then there is a new one."""
        if self._child is None or self._resident() > self.grown:
            self._start()
        assert self._child is not None and self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            write_message(self._child.stdin.fileno(), [[p.hex(), s] for p, s in work])
            answer = _within(self._child.stdout.fileno(), self.patience)
            if isinstance(answer, list) and len(answer) == len(work):
                return [
                    (execution, state if execution.ending != "void" else before)
                    for (execution, state), (_, before) in zip(
                        map(to_result, answer), work, strict=True
                    )
                ]
        except (OSError, ValueError) as error:
            logger.debug("the child process is gone: %s", error)
        self._start()
        return None

    def _remember(self, found: dict[bytes, Result]) -> None:
        if not self._cache_size:
            return
        self._cache.update(found)
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)

    # -- the child --------------------------------------------------------------------------------

    def _start(self) -> None:
        self.close()
        code = "from mirrorenv.bytes.machine.worker import main; main()"
        package = str(Path(mirrorenv.__file__).resolve().parents[1])
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-c", code, json.dumps(self._options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env={"PYTHONPATH": package, "PYTHONHASHSEED": "0", "PATH": os.defpath},
        )
        assert self._child.stdout is not None
        hello = _within(self._child.stdout.fileno(), _START_S)
        if not isinstance(hello, dict):
            self.close()
            raise WorldError(
                "the process that executes bytes did not come up: is unicorn installed for "
                f"{sys.executable}? Try: python -c 'import unicorn, capstone'"
            )
        self.confined = bool(hello["confined"])
        if not self.confined:
            logger.warning(
                "bytes are executed in a child process with resource limits but without an "
                "allow-list of system calls: %s",
                hello["why_not"],
            )
        self.started += 1

    def _resident(self) -> int:
        """Bytes of resident memory of the child; 0 where the system does not say."""
        assert self._child is not None
        try:
            pages = Path(f"/proc/{self._child.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * _PAGES


def _within(file: int, seconds: float) -> object | None:
    """One message from a pipe; None if it does not begin in time, or the other side is gone."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([file], [], [], left)
        if ready:
            return read_message(file)
    return None


def _key(program: bytes, state: KernelState) -> bytes:
    kernel = json.dumps(state, sort_keys=True, separators=(",", ":")).encode()
    return hashlib.blake2b(len(program).to_bytes(4, "big") + program + kernel).digest()
