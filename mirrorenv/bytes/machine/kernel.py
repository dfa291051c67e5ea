"""An emulated kernel: files, pipes, processes and rights that exist in a dictionary only.

Sixteen calls are known, under their numbers on x86-64 Linux. What they do lasts: a file that was
made in one step is there in the next. Everything is bounded, deterministic and plain data, so that
a state can be sent to the child process and back as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict

__all__ = ["CALLS", "UNKNOWN", "Kernel", "KernelState", "fresh_state"]

CALLS = {
    0: "read",
    1: "write",
    2: "open",
    3: "close",
    22: "pipe",
    32: "dup",
    39: "getpid",
    57: "fork",
    60: "exit",
    62: "kill",
    79: "getcwd",
    80: "chdir",
    82: "rename",
    83: "mkdir",
    87: "unlink",
    90: "chmod",
}
"""The calls that count, K = 16, by number."""
UNKNOWN = -1
"""The number of a call that another instruction set has and this table does not."""

ENOENT = -2
EBADF = -9
EAGAIN = -11
EACCES = -13
EFAULT = -14
EEXIST = -17
ENOTDIR = -20
EISDIR = -21
EMFILE = -24
ENOSPC = -28
ENOSYS = -38
ESRCH = -3
MOST_FILES = 32
MOST_BYTES = 256  # of one file, pipe or path
MOST_OPEN = 16
MOST_CHILDREN = 16


class File(TypedDict):
    """A file or folder: its bytes as hexadecimal digits, and its rights (bits of chmod)."""

    kind: str
    data: str
    mode: int


class KernelState(TypedDict):
    """All there is of a kernel between two programs."""

    files: dict[str, File]
    open: dict[str, list[str | int]]
    children: list[int]
    folder: str
    next_pid: int


def fresh_state() -> KernelState:
    """A kernel in which nothing has happened: one empty folder."""
    return {
        "files": {"/": {"kind": "folder", "data": "", "mode": 0o755}},
        "open": {},
        "children": [],
        "folder": "/",
        "next_pid": 2,
    }


@dataclass
class Kernel:
    """Answers the calls of one program.

    Attributes:
        state: changed in place.
        peek: (address, length) -> bytes of the program's memory, None where it has none.
        poke: (address, bytes) -> whether they could be written.
        ended: whether the program has called exit.
    """

    state: KernelState
    peek: Callable[[int, int], bytes | None]
    poke: Callable[[int, bytes], bool]
    ended: bool = field(default=False)

    def call(self, number: int, first: int, second: int, third: int) -> int:
        """One system call.

        Args:
            number: what is in rax.
            first: rdi.
            second: rsi.
            third: rdx.

        Returns:
            zero or greater, or a negative error number.
        """
        name = CALLS.get(number)
        if name is None:
            return ENOSYS
        answer: int = getattr(self, f"_{name}")(first, second, third)
        return answer

    # -- files ------------------------------------------------------------------------------------

    def _open(self, path_at: int, flags: int, mode: int) -> int:
        path = self._path(path_at)
        if path is None:
            return EFAULT
        if len(self.state["open"]) >= MOST_OPEN:
            return EMFILE
        found = self.state["files"].get(path)
        if found is None:
            if not flags & 0o100:  # O_CREAT
                return ENOENT
            made = self._make(path, "file", mode & 0o777)
            if made < 0:
                return made
        elif found["kind"] == "folder" and flags & 3:
            return EISDIR
        elif flags & 3 and not found["mode"] & 0o200:
            return EACCES
        elif flags & 0o1000:  # O_TRUNC
            found["data"] = ""
        return self._descriptor(["file", path, 0])

    def _close(self, descriptor: int, *_: int) -> int:
        return 0 if self.state["open"].pop(str(descriptor), None) is not None else EBADF

    def _read(self, descriptor: int, buffer: int, count: int) -> int:
        if descriptor == 0:
            return 0  # the end of an empty input
        entry = self.state["open"].get(str(descriptor))
        if entry is None:
            return EBADF
        kind, path, offset = entry
        held = self.state["files"].get(str(path))
        if held is None:
            return EBADF
        if held["kind"] == "folder":
            return EISDIR
        data = bytes.fromhex(held["data"])[int(offset) : int(offset) + min(count, MOST_BYTES)]
        if data and not self.poke(buffer, data):
            return EFAULT
        if kind == "pipe":
            held["data"] = held["data"][2 * len(data) :]
            return len(data) if data else EAGAIN
        entry[2] = int(offset) + len(data)
        return len(data)

    def _write(self, descriptor: int, buffer: int, count: int) -> int:
        data = self.peek(buffer, min(count, MOST_BYTES))
        if data is None:
            return EFAULT
        if descriptor in (1, 2):
            return len(data)  # said to no one
        entry = self.state["open"].get(str(descriptor))
        if entry is None:
            return EBADF
        kind, path, offset = entry
        held = self.state["files"].get(str(path))
        if held is None:
            return EBADF
        if not held["mode"] & 0o200:
            return EACCES
        old = bytes.fromhex(held["data"])
        place = len(old) if kind == "pipe" else int(offset)
        new = old[:place].ljust(place, b"\0") + data + old[place + len(data) :]
        if len(new) > MOST_BYTES:
            return ENOSPC
        held["data"] = new.hex()
        if kind == "file":
            entry[2] = place + len(data)
        return len(data)

    def _unlink(self, path_at: int, *_: int) -> int:
        path = self._path(path_at)
        if path is None:
            return EFAULT
        if path not in self.state["files"]:
            return ENOENT
        if self.state["files"][path]["kind"] == "folder":
            return EISDIR
        del self.state["files"][path]
        return 0

    def _rename(self, old_at: int, new_at: int, *_: int) -> int:
        old = self._path(old_at)
        new = self._path(new_at)
        if old is None or new is None:
            return EFAULT
        if old not in self.state["files"] or old == "/":
            return ENOENT
        if self.state["files"].get(new, {"kind": "file"})["kind"] == "folder":
            return EISDIR
        self.state["files"][new] = self.state["files"].pop(old)
        return 0

    def _chmod(self, path_at: int, mode: int, *_: int) -> int:
        path = self._path(path_at)
        if path is None:
            return EFAULT
        if path not in self.state["files"]:
            return ENOENT
        self.state["files"][path]["mode"] = mode & 0o777
        return 0

    # -- folders ----------------------------------------------------------------------------------

    def _mkdir(self, path_at: int, mode: int, *_: int) -> int:
        path = self._path(path_at)
        if path is None:
            return EFAULT
        if path in self.state["files"]:
            return EEXIST
        return self._make(path, "folder", mode & 0o777)

    def _getcwd(self, buffer: int, size: int, *_: int) -> int:
        name = self.state["folder"].encode() + b"\0"
        if len(name) > size or not self.poke(buffer, name):
            return EFAULT
        return len(name)

    def _chdir(self, path_at: int, *_: int) -> int:
        path = self._path(path_at)
        if path is None:
            return EFAULT
        found = self.state["files"].get(path)
        if found is None:
            return ENOENT
        if found["kind"] != "folder":
            return ENOTDIR
        self.state["folder"] = path
        return 0

    # -- pipes and processes ----------------------------------------------------------------------

    def _pipe(self, ends_at: int, *_: int) -> int:
        if len(self.state["open"]) + 2 > MOST_OPEN:
            return EMFILE
        name = f"pipe:{self.state['next_pid']}:{len(self.state['files'])}"
        made = self._make(name, "pipe", 0o600)
        if made < 0:
            return made
        ends = [self._descriptor(["pipe", name, 0]) for _ in range(2)]
        words = b"".join(end.to_bytes(4, "little") for end in ends)
        return 0 if self.poke(ends_at, words) else EFAULT

    def _dup(self, descriptor: int, *_: int) -> int:
        entry = self.state["open"].get(str(descriptor))
        if entry is None:
            return EBADF
        return EMFILE if len(self.state["open"]) >= MOST_OPEN else self._descriptor(list(entry))

    def _getpid(self, *_: int) -> int:
        return 1

    def _fork(self, *_: int) -> int:
        if len(self.state["children"]) >= MOST_CHILDREN:
            return EAGAIN
        child = self.state["next_pid"]
        self.state["next_pid"] = child + 1
        self.state["children"].append(child)
        return child

    def _kill(self, process: int, *_: int) -> int:
        if process == 1:
            self.ended = True
            return 0
        if process not in self.state["children"]:
            return ESRCH
        self.state["children"].remove(process)
        return 0

    def _exit(self, *_: int) -> int:
        self.ended = True
        return 0

    # -- parts ------------------------------------------------------------------------------------

    def _path(self, address: int) -> str | None:
        """The path at an address, absolute; bytes are Latin letters. None if it cannot be read."""
        raw = bytearray()
        while len(raw) < MOST_BYTES:
            one = self.peek(address + len(raw), 1)
            if one is None:
                return None
            if one == b"\0":
                break
            raw += one
        name = raw.decode("latin-1")
        full = name if name.startswith("/") else f"{self.state['folder'].rstrip('/')}/{name}"
        return "/" + full.strip("/")

    def _make(self, path: str, kind: str, mode: int) -> int:
        if len(self.state["files"]) >= MOST_FILES:
            return ENOSPC
        self.state["files"][path] = {"kind": kind, "data": "", "mode": mode}
        return 0

    def _descriptor(self, entry: list[str | int]) -> int:
        number = 3
        while str(number) in self.state["open"]:
            number += 1
        self.state["open"][str(number)] = entry
        return number
