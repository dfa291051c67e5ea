"""Where the command `mirrorenv` starts: Ctrl-C is answered from the first moment on.

Until the command line has been read, nothing is under way that could be lost, and a signal ends the
process at once. From then on it is an exception, which a run puts down in its folder.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

__all__ = ["main"]


def main() -> None:
    """Entry point of the console script."""
    listens = signal.getsignal(signal.SIGINT) == signal.default_int_handler
    if listens:  # a shell that starts it in the background has it ignored
        signal.signal(signal.SIGINT, _leave)
    from mirrorenv.cli.app import main as run
    from mirrorenv.patient_imports import wait_for_imports

    if listens:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    wait_for_imports()
    run()


def _leave(number: int, frame: Any) -> None:
    sys.stderr.write("interrupted\n")
    sys.stderr.flush()
    os._exit(130)
