"""The one place that changes how this process asks for memory, says so and undoes it.

An update makes and frees the same few dozen large tensors over and over. By default the C library
(glibc) hands blocks of that size back to the kernel at once, and each next one is paid for again,
page by page: 12 to 33 % of an iteration (`benchmarks/speed/all.py --only memory`). While memory is
kept, freed blocks stay with the process. Numbers are the same to the bit.

Undone means: what is free goes back to the kernel, and the thresholds are those at which glibc's
own adjustment ends in a process that has freed large blocks (mallopt(3): 32 MiB, and twice that
for trimming); the adjustment itself cannot be switched on again. Other C libraries are left alone.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["keep_memory", "memory_kept"]

# of malloc.h
_TRIM_THRESHOLD = -1
_TOP_PAD = -2
_MMAP_THRESHOLD = -3
_MMAP_MAX = -4

_KEEP = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 << 20}
_UNDO = {_MMAP_MAX: 65536, _MMAP_THRESHOLD: 32 << 20, _TRIM_THRESHOLD: 64 << 20, _TOP_PAD: 0}


@contextmanager
def memory_kept() -> Iterator[None]:
    """Keep freed memory in this process during the body."""
    kept = keep_memory()
    try:
        yield
    finally:
        if kept:
            _set(_UNDO)
            ctypes.CDLL(None).malloc_trim(0)


def keep_memory() -> bool:
    """Keep freed memory from now on: for processes that do nothing else until they end.

    Returns:
        whether the C library could be told.
    """
    return platform.libc_ver()[0] == "glibc" and _set(_KEEP)


def _set(options: dict[int, int]) -> bool:
    library = ctypes.CDLL(None)
    taken = [library.mallopt(name, value) == 1 for name, value in options.items()]
    return all(taken)
