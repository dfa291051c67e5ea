"""What the child process may still do once it is ready: compute, and talk through its pipe.

Resource limits hold everywhere. A seccomp allow-list (libseccomp, through ctypes) holds where the
library is there; whoever starts a child is told if it is not.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import resource

__all__ = ["ALLOWED", "allow_only", "limit_memory", "limit_resources"]

ALLOWED = (
    "read",
    "write",
    "exit",
    "exit_group",
    "mmap",
    "munmap",
    "mremap",
    "mprotect",
    "madvise",
    "brk",
    "futex",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "clock_gettime",
    "gettimeofday",
    "getrusage",
    "sched_yield",
    "getpid",
    "gettid",
    "restart_syscall",
)
"""The calls of the child itself; anything else ends it at once."""

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000


def limit_memory(memory: int) -> None:
    """Replace what the parent may ask for, less than an emulator reserves where it reads what
    others have sent, by a limit of the child's own. Before anything is emulated.

    Args:
        memory: bytes of address space, and of private memory.
    """
    _limit(resource.RLIMIT_DATA, memory)
    _limit(resource.RLIMIT_AS, memory)


def limit_resources() -> None:
    """No file grows, none more is opened, no process is made, no core is dumped."""
    for what in (resource.RLIMIT_FSIZE, resource.RLIMIT_CORE, resource.RLIMIT_NPROC):
        _limit(what, 0)


def _limit(what: int, value: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (most, most))


def allow_only(names: tuple[str, ...] = ALLOWED) -> str:
    """Put the allow-list into force, for good.

    Args:
        names: of system calls.

    Returns:
        an empty string, or why it is not in force.
    """
    found = ctypes.util.find_library("seccomp") or "libseccomp.so.2"
    try:
        library = ctypes.CDLL(found)
    except OSError:
        return "libseccomp is not installed"
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_rule_add.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
    ]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    context = library.seccomp_init(_KILL_PROCESS)
    if not context:
        return "libseccomp could not be started"
    for name in names:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0 and library.seccomp_rule_add(context, _ALLOW, number, 0):
            return f"libseccomp refused the call {name}"
    if failed := library.seccomp_load(context):
        return f"the kernel refused the filter (error {-failed})"
    return ""
