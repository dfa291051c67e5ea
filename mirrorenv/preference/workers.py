"""Processes that tune one population together, launched by accelerate, torchrun or Ray; alone they
are one.

Gradients travel through torch's own data parallelism, everything else as the two verbs below. Only
the first worker touches files. What travels is pickled between processes of one run, and never read
from a file.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from mirrorenv.errors import ConfigError
from mirrorenv.preference.settings import PreferenceSettings

__all__ = ["ALONE", "Workers", "joined_workers", "launched", "on_cpu", "refuse_uneven"]

T = TypeVar("T")
# one worker may measure for long; whoever dies is noticed by the launcher
_PATIENCE = timedelta(hours=12)


@dataclass(frozen=True)
class Workers:
    """One worker's view of all.

    Attributes:
        rank: its number; 0 writes files and speaks to the user.
        size: how many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the first."""
        return self.rank == 0

    def first(self, work: Callable[[], T]) -> T:
        """Have the first worker do something, and all get what came of it.

        Raises:
            Exception: whatever the first worker raised; in the others SystemExit, since it has been
                said once.
        """
        if self.size == 1:
            return work()
        found: T = self._told(self._attempted(work) if self.leads else None)
        return found

    def each(self, work: Callable[[], T]) -> list[T]:
        """Have every worker do its part, and all get all parts, in the order of ranks.

        Raises:
            Exception: the first failure in the order of ranks; in the others SystemExit.
        """
        if self.size == 1:
            return [work()]
        from torch.distributed import all_gather_object

        found: list[Any] = [None] * self.size
        all_gather_object(found, self._attempted(work))
        return [self._opened(one) for one in found]

    def share(self, items: list[T]) -> list[T]:
        """This worker's part of some items: every `size`-th."""
        return items[self.rank :: self.size]

    def mean(self, figures: dict[str, float]) -> dict[str, float]:
        """Figures that every worker has of its own part, as one."""
        parts = self.each(lambda: figures)
        return {name: sum(part[name] for part in parts) / self.size for name in figures}

    def leave(self) -> None:
        """Say goodbye, at the end of a process that a launcher has started."""
        if self.size > 1:
            from torch.distributed import destroy_process_group

            destroy_process_group()

    def _told(self, attempt: Any) -> Any:
        from torch.distributed import broadcast_object_list

        box = [attempt]
        broadcast_object_list(box, src=0)
        return self._opened(box[0])

    @staticmethod
    def _attempted(work: Callable[[], T]) -> tuple[bool, Any]:
        try:
            return True, work()
        # travels to all: a worker that went away would leave the others waiting
        except Exception as error:
            return False, error

    def _opened(self, attempt: tuple[bool, Any]) -> Any:
        done, found = attempt
        if done:
            return found
        if self.leads:
            raise found
        raise SystemExit(1)


ALONE = Workers()


def launched() -> int:
    """How many processes a launcher has started beside this one, itself included; cheap."""
    return int(os.environ.get("WORLD_SIZE") or 1)


def joined_workers(device: str = "auto") -> Workers:
    """Join the processes that a launcher has started; one process alone is :data:`ALONE`.

    Args:
        device: ``cpu`` has them talk through gloo even where there are GPUs.

    Raises:
        ConfigError: if the launcher was told to cut the model into shards: voices are copied in and
            out whole.
    """
    if launched() == 1:
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
    state = PartialState(cpu=on_cpu(device), timeout=_PATIENCE)
    return Workers(state.process_index, state.num_processes)


def on_cpu(device: str = "auto") -> bool:
    """Whether a process computes on the CPU: told so by the user or by accelerate, or because there
    is nothing else."""
    import torch

    told = os.environ.get("ACCELERATE_USE_CPU", "false").lower() == "true"
    return device == "cpu" or told or not torch.cuda.is_available()


def refuse_uneven(settings: PreferenceSettings, size: int) -> None:
    """Check that workers can share every step evenly: only then they train like one.

    Raises:
        ConfigError: if they cannot.
    """
    if settings.learning.pairs % size:
        raise ConfigError(
            f"learning.pairs = {settings.learning.pairs} cannot be shared by {size} workers; "
            "set it to a multiple of their number"
        )
