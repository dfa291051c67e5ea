"""What bash would make of bytes: a recorder inside bubblewrap, off unless asked for.

The origin hands what its models utter to bash. Here that happens in one place only, for a look at
it, and nothing is paid for it: no network, no file of the host but its programs, an empty folder of
a megabyte, a few processes and two seconds. An empty script makes hundreds of calls of its own,
nearly all that the origin counted: they are subtracted.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import Counter

from mirrorenv.errors import WorldError

__all__ = ["BashRecorder", "missing_for_bash"]

_NEEDS = {
    "bwrap": "bubblewrap",
    "strace": "strace",
    "bash": "bash",
    "prlimit": "util-linux",
    "timeout": "coreutils",
}
_LIMITS = ("--nproc=32", "--cpu=4", "--fsize=1048576", "--as=1073741824", "--core=0")
_NOBODY = 65534
_LINE = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)
_QUIET = "exec bash /script >/dev/null 2>&1 </dev/null"
_PATH = "/usr/bin:/bin"


def missing_for_bash() -> list[str]:
    """Debian packages that the recorder needs and that are not installed."""
    return [package for name, package in _NEEDS.items() if shutil.which(name, path=_PATH) is None]


class BashRecorder:
    """Counts the system calls of a script beyond those of an empty one.

    Args:
        seconds: that a script may take; then it is killed, and what it did so far counts.

    Raises:
        WorldError: where bubblewrap or another program is missing, or starts nothing.
    """

    def __init__(self, seconds: float = 2.0) -> None:
        if missing := missing_for_bash():
            raise WorldError(
                "bytes are shown to bash inside bubblewrap or not at all: install "
                f"{', '.join(missing)} (apt-get install {' '.join(missing)}), or leave bash off"
            )
        self.seconds = seconds
        found = self._calls(b"")
        if found is None:
            raise WorldError(
                "bubblewrap starts nothing here: user namespaces may be switched off on this "
                "machine; leave bash off"
            )
        self.empty = found
        """What an empty script does by itself."""

    def record(self, script: bytes) -> Counter[str] | None:
        """Run a script.

        Args:
            script: what follows the line that names bash.

        Returns:
            how many calls of each kind it made beyond those of an empty script; None where it had
            to be ended from outside, and counts for nothing.
        """
        found = self._calls(script)
        return None if found is None else found - self.empty

    def _calls(self, script: bytes) -> Counter[str] | None:
        root = os.geteuid() == 0
        reading, writing = os.pipe()
        try:
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(b"#!/bin/bash \n" + script[:4096])
            done = subprocess.run(
                self._command(reading),
                capture_output=True,
                pass_fds=[reading],
                cwd="/",
                env={"PATH": _PATH},
                timeout=self.seconds + 8.0,
                check=False,
                # root is bound by no number of processes: somebody without rights runs it
                user=_NOBODY if root else None,
                group=_NOBODY if root else None,
                extra_groups=[] if root else None,
            )
        except subprocess.TimeoutExpired:
            return None
        finally:
            os.close(reading)
        counted = _LINE.findall(done.stderr.decode(errors="replace"))
        calls = Counter({name: int(count) for name, count in counted if name != "total"})
        return calls if calls["execve"] else None

    def _command(self, script: int) -> list[str]:
        """prlimit, then bubblewrap, then strace inside it, then bash on a file descriptor."""
        box = ["--unshare-all", "--die-with-parent", "--new-session", "--hostname", "bytes"]
        box += ["--clearenv", "--setenv", "PATH", _PATH, "--ro-bind", "/usr", "/usr"]
        for name in ("bin", "lib", "lib64"):
            box += ["--symlink", f"usr/{name}", f"/{name}"]
        box += ["--dev", "/dev", "--size", "1048576", "--tmpfs", "/tmp", "--chdir", "/tmp"]
        box += ["--ro-bind-data", str(script), "/script", "--remount-ro", "/"]
        traced = ["strace", "-f", "-qq", "-c", "-U", "name,calls"]
        limited = ["timeout", "-s", "KILL", f"{self.seconds:g}", "bash", "-c", _QUIET]
        return ["prlimit", *_LIMITS, "bwrap", *box, *traced, *limited]
