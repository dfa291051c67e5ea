"""The child process: it executes what comes through the pipe, and nothing else is left to it.

Started by :mod:`mirrorenv.bytes.machine.supervisor`; standard input brings batches, standard output
takes the results. The first message out says whether the allow-list is in force.
"""

from __future__ import annotations

import gc
import json
import sys

from mirrorenv.bytes.machine.confine import allow_only, limit_memory, limit_resources
from mirrorenv.bytes.machine.emulator import Emulator
from mirrorenv.bytes.machine.execution import Limits
from mirrorenv.bytes.machine.instruction_sets import instruction_set
from mirrorenv.bytes.machine.kernel import fresh_state
from mirrorenv.bytes.machine.wire import from_result, read_message, write_message

__all__ = ["main"]


def main() -> None:
    """Serve until the pipe ends."""
    options = json.loads(sys.argv[1])
    limit_memory(options["memory"])
    chosen = instruction_set(options["instruction_set"])
    emulator = Emulator(Limits(**options["limits"]), chosen)
    emulator.run(chosen.call_bytes, fresh_state())  # everything that is loaded late is loaded now
    limit_resources()
    missing = allow_only() if options["confine"] else "switched off"
    write_message(1, {"confined": missing == "", "why_not": missing})
    gc.freeze()
    while isinstance(batch := read_message(0), list):
        results = []
        for program, state in batch:
            execution = emulator.run(bytes.fromhex(program), state)
            results.append(from_result(execution, state))
        write_message(1, results)
