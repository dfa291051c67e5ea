"""How programs and their results travel between the two processes: a length, then JSON.

Nothing is unpickled on either side.
"""

from __future__ import annotations

import json
import os

from mirrorenv.bytes.machine.execution import Call, Execution
from mirrorenv.bytes.machine.kernel import KernelState

__all__ = ["from_result", "read_message", "to_result", "write_message"]

Result = tuple[Execution, KernelState]
_MOST = 64 << 20  # bytes of one message


def write_message(file: int, message: object) -> None:
    """Write one message to a file descriptor, whole."""
    data = json.dumps(message, separators=(",", ":")).encode()
    view = memoryview(len(data).to_bytes(4, "little") + data)
    while view:
        view = view[os.write(file, view) :]


def read_message(file: int) -> object | None:
    """Read one message from a file descriptor; None at its end or where one was cut short."""
    head = _exactly(file, 4)
    if head is None:
        return None
    length = int.from_bytes(head, "little")
    if length > _MOST:
        return None
    data = _exactly(file, length)
    if data is None:
        return None
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found


def _exactly(file: int, count: int) -> bytes | None:
    parts = []
    while count:
        part = os.read(file, min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def from_result(execution: Execution, state: KernelState) -> list[object]:
    """A result as it travels."""
    calls = [[call.number, list(call.arguments), call.result] for call in execution.calls]
    return [
        execution.ending,
        execution.instructions,
        calls,
        list(execution.registers),
        list(execution.trace),
        state,
    ]


def to_result(row: list[object]) -> Result:
    """A result as it arrived.

    Raises:
        ValueError: if it has another form.
    """
    try:
        ending, instructions, calls, registers, trace, state = row
        execution = Execution(
            str(ending),
            int(instructions),  # type: ignore[call-overload]
            tuple(Call(int(n), (a, b, c), int(r)) for n, (a, b, c), r in calls),  # type: ignore[attr-defined]
            tuple(registers),  # type: ignore[arg-type]
            tuple(trace),  # type: ignore[arg-type]
        )
    except TypeError as error:
        raise ValueError(f"no result: {error}") from error
    return execution, state  # type: ignore[return-value]
