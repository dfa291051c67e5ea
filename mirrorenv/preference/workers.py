"""Processes that tune one population together, launched by accelerate, torchrun or Ray; alone they
are one.

Gradients travel through torch's own data parallelism, everything else by two methods, `on_main` and
`gather`. Only the main worker touches files. What travels is pickled between processes of one run,
and never read from a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from mirrorenv.errors import ConfigError
from mirrorenv.preference.settings import PreferenceSettings

__all__ = ["ALONE", "Workers", "join_workers", "launched_processes", "on_cpu", "refuse_uneven"]

T = TypeVar("T")
# one worker may measure for long; a worker that dies is noticed by the launcher
_TIMEOUT = timedelta(hours=12)


@dataclass(frozen=True)
class Workers:
    """One worker's view of all.

    Attributes:
        rank: its number; 0 writes files and reports to the user.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the first."""
        return self.rank == 0

    def on_main(self, work: Callable[[], T]) -> T:
        """Run something on the first worker only, and broadcast its result to all.

        Raises:
            Exception: whatever the first worker raised; in the others SystemExit, since it has been
                said once.
        """
        if self.size == 1:
            return work()
        found: T = self._broadcast(self._attempt(work) if self.is_main else None)
        return found

    def gather(self, work: Callable[[], T]) -> list[T]:
        """Run something on every worker, and gather all results, in the order of ranks.

        Raises:
            Exception: the first failure in the order of ranks; in the others SystemExit.
        """
        if self.size == 1:
            return [work()]
        from torch.distributed import all_gather_object

        found: list[Any] = [None] * self.size
        all_gather_object(found, self._attempt(work))
        return [self._unwrap(one) for one in found]

    def shard(self, items: list[T]) -> list[T]:
        """This worker's part of some items: every `size`-th."""
        return items[self.rank :: self.size]

    def mean(self, figures: dict[str, float]) -> dict[str, float]:
        """Figures that every worker has of its own part, as one."""
        total = dict.fromkeys(figures, 0.0)
        for part in self.gather(lambda: figures):
            for name in figures:
                total[name] += part[name]
        return {name: value / self.size for name, value in total.items()}

    def close(self) -> None:
        """Leave the process group, at the end of a process that a launcher has started."""
        if self.size > 1:
            from torch.distributed import destroy_process_group

            destroy_process_group()

    def _broadcast(self, attempt: Any) -> Any:
        from torch.distributed import broadcast_object_list

        box = [attempt]
        broadcast_object_list(box, src=0)
        return self._unwrap(box[0])

    @staticmethod
    def _attempt(work: Callable[[], T]) -> tuple[bool, Any]:
        try:
            return True, work()
        # travels to all: a worker that went away would leave the others waiting
        except Exception as error:
            return False, error

    def _unwrap(self, attempt: tuple[bool, Any]) -> Any:
        done, found = attempt
        if done:
            return found
        if self.is_main:
            raise found
        raise SystemExit(1)


ALONE = Workers()


def launched_processes() -> int:
    """How many processes a launcher has started beside this one, itself included; cheap."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def join_workers(device: str = "auto") -> Workers:
    """Join the processes that a launcher has started; one process alone is :data:`ALONE`.

    Args:
        device: `cpu` has them talk through gloo even where there are GPUs.

    Raises:
        ConfigError: if the launcher was told to cut the model into shards: voices are copied in and
            out whole.
    """
    if launched_processes() == 1:
        return ALONE
    for name in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        if os.environ.get(f"ACCELERATE_USE_{name}", "false").lower() == "true":
            raise ConfigError(
                f"accelerate is set to {name}, and voices are trained by plain data parallelism "
                "(DDP): launch with "
                "--multi_gpu, or with --cpu"
            )
    import torch
    from accelerate import PartialState

    near = int(os.environ.get("LOCAL_WORLD_SIZE") or 1)
    # or accelerate warns
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, torch.get_num_threads() // near)))
    state = PartialState(cpu=on_cpu(device), timeout=_TIMEOUT)
    return Workers(state.process_index, state.num_processes)


def on_cpu(device: str = "auto") -> bool:
    """Whether a process computes on the CPU: told so by the user or by accelerate, or because there
    is nothing else."""
    import torch

    by_accelerate = os.environ.get("ACCELERATE_USE_CPU", "false").lower() == "true"
    return device == "cpu" or by_accelerate or not torch.cuda.is_available()


def refuse_uneven(settings: PreferenceSettings, size: int) -> None:
    """Check that workers can share every step evenly: only then they train like one.

    Raises:
        ConfigError: if they cannot.
    """
    if settings.learning.batch_size % size:
        raise ConfigError(
            f"learning.batch_size = {settings.learning.batch_size} cannot be shared by {size} "
            "workers; set it to a multiple of their number"
        )
